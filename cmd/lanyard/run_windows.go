package main

import "os"

// caught are the signals that do not end `run` itself. The console sends them to the program as well.
func caught() []os.Signal { return []os.Signal{os.Interrupt} }

func passes(os.Signal) bool { return false }

func statusOf(state *os.ProcessState) int { return state.ExitCode() }
