package keyring

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestReadMasterFileRefuses(t *testing.T) {
	text := master(t, 1, 'a').Reveal()
	dir := t.TempDir()
	for _, mode := range []fs.FileMode{0o644, 0o640, 0o604, 0o620, 0o602, 0o601, 0o666, 0o777} {
		path := filepath.Join(dir, "open.key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadMasterFile(path)
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("ReadMasterFile(mode %04o) error = %v, want %s naming chmod 600", mode, err, fault.Conflict)
		}
	}
	for _, tt := range []struct{ name, content string }{
		{"empty", ""},
		{"cut short", text[:len(text)-3]},
		{"two line ends", text + "\n\n"},
		{"space before", " " + text},
		{"two keys", text + "\n" + text},
		{"a huge one", strings.Repeat("A", 1<<20)},
		{"a key after padding", strings.Repeat("\n", maxFileSize) + text},
	} {
		path := filepath.Join(dir, "bad.key")
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := ReadMasterFile(path)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), path) {
			t.Errorf("ReadMasterFile(%s) = %v, %v, want %s naming the file", tt.name, m, err, fault.Invalid)
		}
	}
	if _, err := ReadMasterFile(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadMasterFile(missing) error = %v, want %v", err, fs.ErrNotExist)
	}
	if _, err := ReadMasterFile(dir); !fault.Is(err, fault.Conflict) {
		t.Errorf("ReadMasterFile(directory) error = %v, want %s", err, fault.Conflict)
	}
}

func TestWriteMasterFileRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "master.key")
	if err := WriteMasterFile(path, Master{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("WriteMasterFile(no key) error = %v, want %s", err, fault.Invalid)
	}
	first := master(t, 1, 'a')
	if err := WriteMasterFile(path, first); err != nil {
		t.Fatal(err)
	}
	if err := WriteMasterFile(path, master(t, 1, 'b')); !errors.Is(err, fs.ErrExist) {
		t.Errorf("WriteMasterFile(existing) error = %v, want %v", err, fs.ErrExist)
	}
	if got, err := ReadMasterFile(path); err != nil || !got.sameKey(first) {
		t.Errorf("ReadMasterFile after a refused write = %v, %v, want the first key", got, err)
	}
	if err := WriteMasterFile(filepath.Join(dir, "none", "master.key"), first); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("WriteMasterFile(no directory) error = %v, want %v", err, fs.ErrNotExist)
	}
}

func TestMasterFileRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.key")
	want := master(t, 3, 'a')
	if err := WriteMasterFile(path, want); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("Stat(%s) = %v, %v, want mode 0600", path, info.Mode(), err)
	}
	for _, end := range []string{"", "\n", "\r\n"} {
		if err := os.WriteFile(path, []byte(want.Reveal()+end), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadMasterFile(path); err != nil || got.Version != 3 || !got.sameKey(want) {
			t.Errorf("ReadMasterFile(line end %q) = %v, %v, want the key written", end, got, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadMasterFile(path); err != nil {
		t.Errorf("ReadMasterFile(mode 0400) error = %v, want none", err)
	}
}
