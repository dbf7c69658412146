//go:build !windows

package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// caught are the signals that do not end `run` itself. SIGPIPE is among them: who reads the output may go first.
func caught() []os.Signal {
	return []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE}
}

// passes says whether the program is to get a signal too. Those of the keyboard reach it by themselves, and twice would be once
// too often: many programs take the second for an order to stop at once.
func passes(s os.Signal) bool {
	switch s {
	case syscall.SIGPIPE:
		return false
	case syscall.SIGINT, syscall.SIGQUIT:
		return !inForeground()
	}
	return true
}

// inForeground says whether the terminal's keyboard signals go to this process and its children.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()                                             //nolint:errcheck // nothing was written
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP) // #nosec G115 -- a descriptor
	return err == nil && group == syscall.Getpgrp()
}

// statusOf is what a shell says of how a process has ended.
func statusOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignalled + int(status.Signal())
	}
	return state.ExitCode()
}
