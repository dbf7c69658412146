package main

import (
	"os"
	"syscall"
)

// lockFile takes the lock at path, by opening it and sharing it with nobody; it is let go when the process dies.
func lockFile(path string) (unlock func() error, err error) {
	return openAlone(path, syscall.FILE_ATTRIBUTE_NORMAL)
}

// lockBeside takes a lock for path. Its file is removed when it is let go.
func lockBeside(path string) (unlock func() error, err error) {
	const deleteOnClose = 0x04000000 // FILE_FLAG_DELETE_ON_CLOSE
	return openAlone(path+".lock", deleteOnClose)
}

func openAlone(path string, flags uint32) (unlock func() error, err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, flags, 0)
	if err != nil {
		return nil, os.NewSyscallError("CreateFile", err)
	}
	return func() error { return syscall.CloseHandle(h) }, nil
}
