package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/joho/godotenv"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// saving is a secret's place in .env, looked at before the secret is made: one that cannot be put away is lost.
type saving struct {
	path   string // of .env, with links followed
	name   string // of the variable
	before string // the file's text
	exists string // the variable's present value, "" for none
}

// prepareSaving checks that .env in dir can take a variable. An existing one is not overwritten unless replace says so of its
// value. It sees to it that git ignores the file.
func prepareSaving(dir, name string, replace func(present string) bool) (*saving, error) {
	if !variablePattern.MatchString(name) {
		return nil, usage("--save %.60q is no name for a variable: letters, digits and underscores, such as WEATHER_API_KEY", secret.Redact(name))
	}
	s := &saving{path: filepath.Join(dir, envFile), name: name}
	if target, err := filepath.EvalSymlinks(s.path); err == nil {
		s.path = target
	}
	text, err := os.ReadFile(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read .env: %w", err)
	}
	s.before = string(text)
	values, err := godotenv.Unmarshal(s.before)
	if err != nil { // its text may quote a secret
		return nil, fault.New(fault.Conflict, ".env cannot be read, so nothing is added to it; each line reads NAME=value")
	}
	s.exists = values[name]
	if _, taken := values[name]; taken && !replace(s.exists) {
		return nil, fault.New(fault.Conflict, "%s stands in .env already; choose another name, or replace it with --force", name)
	}
	if _, err := s.after("probe"); err != nil {
		return nil, err
	}
	return s, keepOutOfGit(dir)
}

// after returns the file's text with the variable set, every other line as it was.
func (s *saving) after(value string) (string, error) {
	line := regexp.MustCompile(`^\s*(export\s+)?` + regexp.QuoteMeta(s.name) + `\s*[=:]`)
	var out []string
	set := false
	for text := range strings.SplitSeq(strings.TrimSuffix(s.before, "\n"), "\n") {
		switch {
		case !line.MatchString(text):
			out = append(out, text)
		case !set:
			out, set = append(out, s.name+"="+value), true
		}
	}
	if s.before == "" {
		out = nil
	}
	if !set {
		out = append(out, s.name+"="+value)
	}
	text := strings.Join(out, "\n") + "\n"
	return text, s.check(text, value)
}

// check reads the new text back. A value over several lines could have swallowed ours, or lost a line to it.
func (s *saving) check(text, value string) error {
	want, err := godotenv.Unmarshal(s.before)
	if err == nil {
		want[s.name] = value
		var got map[string]string
		if got, err = godotenv.Unmarshal(text); err == nil && maps.Equal(got, want) {
			return nil
		}
	}
	return fault.New(fault.Conflict, ".env is written in a way that %s cannot be set in safely; put it there by hand", s.name)
}

// write puts the value in, atomically, in a file that only its owner may read.
func (s *saving) write(value secret.Secret) error {
	text, err := s.after(value.Reveal())
	if err != nil {
		return err
	}
	whole := wholeFile{path: s.path, mode: 0o600, replace: true}
	if err := whole.write(func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}); err != nil {
		return fmt.Errorf("save %s in .env: %w", s.name, err)
	}
	return nil
}
