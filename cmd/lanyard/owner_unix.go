//go:build !windows

package main

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// othersRead says whether anybody but the owner may read a file.
func othersRead(info os.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// foreignOwner names the owner of a file if that is somebody else.
func foreignOwner(info os.FileInfo) string {
	if info == nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(stat.Uid) == os.Geteuid() {
		return ""
	}
	name := strconv.Itoa(int(stat.Uid))
	if known, err := user.LookupId(name); err == nil {
		return known.Username
	}
	return name
}
