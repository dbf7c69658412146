package scan

import (
	"encoding/base64"
	"encoding/binary"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long the test over others' trees takes, if it has read enough by then.
const patience = 10 * time.Second

// othersTrees are the module cache and the sources of Go.
func othersTrees(t testing.TB) []string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache, root, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return []string{cache, filepath.Join(root, "src")}
}

func wideOf(text string) []byte { return wide(binary.LittleEndian, false)(text) }

func b64() *base64.Encoding { return base64.StdEncoding }

// npmTrees are npm and its packages, where they are installed.
func npmTrees() []string {
	all := []string{filepath.Join("..", "..", "e2e", "browser", "node_modules")}
	if out, err := exec.Command("npm", "root", "-g").Output(); err == nil {
		all = append(all, strings.TrimSpace(string(out)))
	}
	return all
}
