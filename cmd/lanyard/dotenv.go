package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/lanyard-auth/lanyard/internal/dotenv"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

const envFile = ".env"

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// saving is a secret's place in .env, looked at before the secret is made: one that cannot be put away is lost.
type saving struct {
	shown   string // the file as it was named
	path    string // with links followed
	name    string // of the variable
	present string // the value that was seen there
	exists  bool
}

// prepareSaving checks that a file such as .env can take a variable. An existing one is not overwritten unless replace says so of
// its value. It sees to it that git ignores the file.
func prepareSaving(file, name string, replace func(present string) bool) (*saving, error) {
	if !variablePattern.MatchString(name) {
		return nil, usage("%.60q is no name for a variable: letters, digits and underscores, such as WEATHER_API_KEY", secret.Redact(name))
	}
	s := &saving{shown: file, path: file, name: name}
	target, err := filepath.EvalSymlinks(file)
	switch {
	case err == nil:
		s.path = target
	case isLink(file):
		return nil, fault.New(fault.Conflict, "%s is a link to what is not there; make the file it leads to, or remove the link", file)
	}
	text, err := s.read()
	if err != nil {
		return nil, err
	}
	values, err := dotenv.Parse(text)
	if err != nil {
		return nil, s.unreadable(err)
	}
	if s.present, s.exists = values.Lookup(name); s.exists && !replace(s.present) {
		return nil, fault.New(fault.Conflict, "%s stands in %s already; choose another name, or replace it with --force", name, file)
	}
	if err := keepOutOfGit(file); err != nil || s.path == file {
		return s, err
	}
	return s, keepOutOfGit(s.path)
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func (s *saving) read() (string, error) {
	text, err := os.ReadFile(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fault.New(fault.Conflict, "%s cannot be read: %s", s.shown, cause(err))
	}
	return string(text), nil
}

func (s *saving) unreadable(err error) error {
	return fault.New(fault.Conflict, "%s cannot be read, so nothing is added to it: %s", s.shown, sentence(err))
}

// cause is what went wrong with a file, without its path.
func cause(err error) string {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err.Error()
	}
	return err.Error()
}

// write puts the value in, atomically, in a file that only its owner may read. Commands at the same time take turns, and each
// sets its variable in what the one before has written.
func (s *saving) write(ctx context.Context, value secret.Secret) error {
	unlock, err := waitForLock(ctx, s.shown, func() (func() error, error) { return lockBeside(s.path) })
	if err != nil {
		return err
	}
	return errors.Join(s.set(value), unlock())
}

func (s *saving) set(value secret.Secret) error {
	before, err := s.read()
	if err != nil {
		return err
	}
	values, err := dotenv.Parse(before)
	if err != nil {
		return s.unreadable(err)
	}
	if now, exists := values.Lookup(s.name); exists && (!s.exists || now != s.present) {
		return fault.New(fault.Conflict, "%s was set in %s by something else meanwhile, and is left as it is", s.name, s.shown)
	}
	text, err := dotenv.Set(before, s.name, value.Reveal())
	if err != nil {
		return fault.New(cmp.Or(fault.KindOf(err), fault.Conflict), "%s cannot be put into %s: %s", s.name, s.shown, sentence(err))
	}
	whole := wholeFile{path: s.path, mode: 0o600, replace: true}
	if err := whole.write(func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}); err != nil {
		return fmt.Errorf("save %s in %s: %w", s.name, s.shown, err)
	}
	return nil
}

const (
	lockEvery = 50 * time.Millisecond
	lockFor   = 30 * time.Second // longer than any command holds it
)

// waitForLock waits for the turn of this command at a file.
func waitForLock(ctx context.Context, file string, try func() (func() error, error)) (unlock func() error, err error) {
	ctx, cancel := context.WithTimeout(ctx, lockFor)
	defer cancel()
	ticker := time.NewTicker(lockEvery)
	defer ticker.Stop()
	for {
		unlock, err := try()
		if err == nil {
			return unlock, nil
		}
		select {
		case <-ctx.Done():
			return nil, fault.New(fault.Unavailable, "another command has %s locked: %s; try again when it is done", file, err)
		case <-ticker.C:
		}
	}
}
