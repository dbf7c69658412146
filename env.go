package lanyard

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// FromEnv returns a client for the server at LANYARD_URL with the token in LANYARD_TOKEN, in the file that
// LANYARD_TOKEN_FILE names, or in the file LANYARD_TOKEN under $CREDENTIALS_DIRECTORY (systemd). Two forms at once are an
// error, because one of them would be ignored. One line break at a file's end is not part of the token.
func FromEnv() (*Client, error) {
	token, err := envToken()
	if err != nil {
		return nil, err
	}
	return NewClient(os.Getenv("LANYARD_URL"), token)
}

func envToken() (string, error) {
	token, path := os.Getenv("LANYARD_TOKEN"), os.Getenv("LANYARD_TOKEN_FILE")
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		handed := filepath.Join(dir, "LANYARD_TOKEN")
		if _, err := os.Stat(handed); err == nil { // #nosec G703 -- systemd says where
			if path != "" {
				return "", errors.New("the token stands in LANYARD_TOKEN_FILE and in $CREDENTIALS_DIRECTORY: keep one of them")
			}
			path = handed
		}
	}
	switch {
	case path == "":
		return token, nil
	case token != "":
		return "", errors.New("LANYARD_TOKEN is set and a file holds a token too: keep one of them")
	}
	return tokenFile(path)
}

func tokenFile(path string) (string, error) {
	file, err := os.Open(path) // #nosec G304 G703 -- the operator's own setting
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(io.LimitReader(file, maxCredential+3))
	if err != nil {
		return "", fmt.Errorf("read the token in %s: %w", path, err)
	}
	token := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if len(token) > maxCredential {
		return "", fmt.Errorf("the file %s is too long for a token: is it the right one?", path)
	}
	if token == "" {
		return "", fmt.Errorf("the file %s is empty: put the token for the Lanyard server there", path)
	}
	return token, nil
}
