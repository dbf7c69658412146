package server_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver, as the store has it
)

// hunt looks for many texts in stolen bytes at once, by their first eight.
type hunt map[[8]byte][]quarry

// quarry is one form of a secret.
type quarry struct {
	what string
	form []byte
}

// add looks for bytes too. Shorter ones than eight would be found by chance.
func (h hunt) add(t *testing.T, what string, form []byte) {
	t.Helper()
	if len(form) < 8 {
		t.Fatalf("%s: %d bytes cannot be looked for", what, len(form))
	}
	first := [8]byte(form)
	h[first] = append(h[first], quarry{what, form})
}

// secret looks for a secret and its parts, as text, in the forms in which bytes become text, and as every common hash that
// needs no pepper.
func (h hunt) secret(t *testing.T, what, text string) {
	t.Helper()
	if text == "" {
		t.Fatalf("there is no %s", what)
	}
	texts := []string{text}
	switch parts := strings.Split(text, "_"); {
	case len(parts) == 4 && len(parts[3]) == 54:
		body := parts[3] // id, secret, check
		texts = append(texts, body, body[16:], body[16:48], body[:48])
	case len(text) == 48:
		texts = append(texts, text[16:]) // a ticket: id, secret
	case len(text) == 9 && text[4] == '-':
		texts = append(texts, text[:4]+text[5:]) // a code that people type
	}
	hashes := map[string]func() hash.Hash{
		"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New, "sha512/256": sha512.New512_256,
		"sha3-256": func() hash.Hash { return sha3.New256() }, "hmac-sha256 with no key": func() hash.Hash { return hmac.New(sha256.New, nil) },
	}
	for _, text := range texts {
		for form, written := range forms([]byte(text)) {
			h.add(t, what+" ("+form+")", written)
		}
		for name, fresh := range hashes {
			digest := fresh()
			digest.Write([]byte(text))
			sum := digest.Sum(nil)
			for form, written := range forms(sum) {
				h.add(t, name+" of "+what+" ("+form+")", written)
			}
			h.add(t, name+" of "+what+" (half)", sum[:len(sum)/2])
		}
	}
}

// forms are the ways in which bytes are written.
func forms(b []byte) map[string][]byte {
	upper := bytes.ToUpper([]byte(hex.EncodeToString(b)))
	return map[string][]byte{
		"as it is": b, "hex": []byte(hex.EncodeToString(b)), "HEX": upper, "base64": []byte(base64.RawStdEncoding.EncodeToString(b)), "base64url": []byte(base64.RawURLEncoding.EncodeToString(b)),
	}
}

// in tells what is found in bytes.
func (h hunt) in(stolen []byte) []string {
	found := map[string]bool{}
	for i := range len(stolen) - 7 {
		for _, q := range h[[8]byte(stolen[i:])] {
			if bytes.HasPrefix(stolen[i:], q.form) {
				found[q.what] = true
			}
		}
	}
	var all []string
	for what := range found {
		all = append(all, what)
	}
	slices.Sort(all)
	return all
}

// loot is what a thief has of a database.
type loot struct {
	bytes []byte
	rows  map[string]int // of each table, the most that were seen at a time
}

// steal takes the files as they are, and reads every column of every row of every table, as bytes and as what they may be
// the text of.
func (l *loot) steal(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"lanyard.db", "lanyard.db-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		l.bytes = append(l.bytes, data...)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "lanyard.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tables := column(t, db, "SELECT name FROM sqlite_master WHERE type = 'table'")
	if len(tables) < 30 {
		t.Fatalf("there are %d tables: %v", len(tables), tables)
	}
	if l.rows == nil {
		l.rows = map[string]int{}
	}
	for _, table := range tables {
		rows := l.read(t, db, table)
		l.rows[table] = max(l.rows[table], rows)
	}
}

func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func (l *loot) read(t *testing.T, db *sql.DB, table string) int {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT * FROM "`+table+`"`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; rows.Next(); n++ {
		cells, into := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		for _, cell := range cells {
			switch cell := cell.(type) {
			case []byte:
				l.keep(cell)
			case string:
				l.keep([]byte(cell))
			default:
				l.keep(fmt.Append(nil, cell))
			}
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// keep takes a cell, and what it may be the text of: JSON, hex, base64.
func (l *loot) keep(cell []byte) {
	l.bytes = append(append(l.bytes, cell...), '\n')
	var document any
	if len(cell) > 0 && strings.ContainsRune(`{["`, rune(cell[0])) && json.Unmarshal(cell, &document) == nil {
		l.leaves(document)
	}
	if len(cell) < 8 {
		return
	}
	if decoded, err := hex.DecodeString(string(cell)); err == nil {
		l.bytes = append(append(l.bytes, decoded...), '\n')
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if decoded, err := encoding.DecodeString(string(cell)); err == nil {
			l.bytes = append(append(l.bytes, decoded...), '\n')
		}
	}
}

func (l *loot) leaves(document any) {
	switch v := document.(type) {
	case string:
		l.keep([]byte(v))
	case []any:
		for _, one := range v {
			l.leaves(one)
		}
	case map[string]any:
		for name, one := range v {
			l.keep([]byte(name))
			l.leaves(one)
		}
	}
}

// TestHunt: what is hidden in any of the ways is found.
func TestHunt(t *testing.T) {
	const ticket = "0123456789abcdefABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
	sum := sha256.Sum256([]byte(ticket[16:]))
	for name, stolen := range map[string][]byte{
		"text": []byte("x" + ticket + "x"), "the secret part": []byte(ticket[16:]), "HEX": bytes.ToUpper([]byte(hex.EncodeToString([]byte(ticket)))), "base64": []byte(base64.StdEncoding.EncodeToString([]byte(ticket))),
		"a hash": sum[:], "a hash in hex": []byte(hex.EncodeToString(sum[:])), "half a hash": sum[:16],
	} {
		h := hunt{}
		h.secret(t, "a ticket", ticket)
		if got := h.in(stolen); len(got) == 0 {
			t.Errorf("in(%s) finds nothing", name)
		}
		if got := h.in(stolen[:7]); len(got) != 0 {
			t.Errorf("in(7 bytes of %s) = %v, want nothing", name, got)
		}
		var l loot
		cell, err := json.Marshal(map[string]any{"a": []any{1, base64.URLEncoding.EncodeToString(append([]byte("a prefix"), stolen...))}})
		if err != nil {
			t.Fatal(err)
		}
		l.keep(cell)
		if got := h.in(l.bytes); len(got) == 0 {
			t.Errorf("in(a JSON cell with base64 of %s) finds nothing", name)
		}
	}
	if got := (hunt{}).in([]byte(ticket)); len(got) != 0 {
		t.Errorf("a hunt for nothing finds %v", got)
	}
}
