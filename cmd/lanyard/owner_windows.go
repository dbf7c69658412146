package main

import "os"

// Who may read a file stands in lists there, which modes say nothing of.
func othersRead(os.FileInfo) bool { return false }

func foreignOwner(os.FileInfo) string { return "" }
