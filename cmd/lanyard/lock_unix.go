//go:build !windows

package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile takes the lock at path if nobody has it. The kernel lets go of it when the process dies, however it dies.
func lockFile(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- in the user's configuration directory
	if err != nil {
		return nil, err
	}
	return flock(f)
}

// lockBeside takes the lock of the folder in which path stands: a file of its own would be left in somebody's project.
func lockBeside(path string) (unlock func() error, err error) {
	f, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	return flock(f)
}

func flock(f *os.File) (unlock func() error, err error) {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { // #nosec G115 -- a descriptor
		return nil, errors.Join(os.NewSyscallError("flock", err), f.Close())
	}
	return f.Close, nil
}
