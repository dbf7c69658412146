//go:build !windows

package usage

import (
	"errors"
	"os"
	"syscall"
)

// lockDir takes the lock at path, which the kernel lets go when the process dies, however it dies.
func lockDir(path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- our own directory
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { // #nosec G115 -- a descriptor
		return nil, errors.Join(os.NewSyscallError("flock", err), f.Close())
	}
	return f.Close, nil
}
