package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// wholeFile is a file that is there whole or not at all.
type wholeFile struct {
	path    string
	mode    os.FileMode
	replace bool // what stands at path
}

// write fills the file beside its place and moves it there when it is on the disk.
func (f wholeFile) write(fill func(io.Writer) error) (err error) {
	// Left behind by a crash, `.env.123.tmp` is still a file that patterns such as `.env*` and `lanyard env check` know.
	file, err := os.CreateTemp(filepath.Dir(f.path), "."+strings.TrimPrefix(filepath.Base(f.path), ".")+".*.tmp") // made 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	err = fill(file)
	if err = errors.Join(err, file.Chmod(f.mode), file.Sync(), file.Close()); err != nil {
		return err
	}
	if f.replace {
		return os.Rename(file.Name(), f.path)
	}
	// A link fails where something stands, and cannot lose the race against whoever puts it there.
	if err := os.Link(file.Name(), f.path); err != nil {
		return err
	}
	return os.Remove(file.Name())
}
