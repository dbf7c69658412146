//go:build !windows

package main

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the lock at path if nobody has it. The kernel lets go of it when the process dies, however it dies.
func lockFile(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- in the user's configuration directory
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { // #nosec G115 -- a descriptor
		return nil, errors.Join(os.NewSyscallError("flock", err), f.Close())
	}
	return f.Close, nil
}
