package store

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// A backup is gzip'd JSON lines: a header; for each table a line with its name and columns, then a line for each row, an
// array of numbers, texts, nulls and {"b64": …} for bytes; a trailer with the number of rows and the SHA-256 of all lines
// before it. It says nothing of the engine it came from but its name, so it goes into either. Every secret in it stands as
// it does in the database, wrapped under a master key that is not in it.
const (
	backupFormat  = "lanyard-backup"
	backupVersion = 1
)

// backedUp are the tables of a backup, each after those it refers to.
var backedUp = []string{
	"setting", "keyring", "revocation", "audit_event", "outbox", "leak",
	"users", "password", "team", "member", "webhook", "app", "api_key", "api_key_version", "personal_token", "grants", "family",
	"api", "scope", "subscription", "plan_version", "spend_alert", "billing_account", "invoice",
	"usage_segment", "usage_rollup", "usage_charge", "api_key_use", "api_key_network", "api_key_query", "attempt", "meter_event", "meter_total",
	"stripe_customer", "stripe_meter", "stripe_doubt", "stripe_hour", "stripe_event",
	"change_entry", "change_head",
}

// perishable are the tables of what is under way, each after those it refers to. A backup leaves them out, and a restoration
// empties them, since what they are about may be gone.
var perishable = []string{"answer", "session", "session_app", "auth_request", "pushed_request", "auth_code", "device"}

// derived are tables that a restoration makes anew from others, so that a backup of an older schema has them too.
var derived = []string{"usage_total"}

// Left out too, but kept as they are by a restoration: node, the servers that run; link, invitation and seen_once, since what was used
// once stays used; delivery, logout_notice, webhook_delivery and webhook_attempt, what is on its way to
// somebody; quota and quota_lease, what running servers hold: of a period that is new to them they begin with what was counted in it.

// Summary says what a backup holds.
type Summary struct {
	Schema    int64
	Engine    string // it was made on
	CreatedAt time.Time
	Revision  id.Revision
	Rows      map[string]int64 // by table
	SHA256    string           // of its lines, in hex
}

type backupHeader struct {
	Format    string    `json:"format"`
	Version   int       `json:"version"`
	Schema    int64     `json:"schema"`
	Engine    string    `json:"engine"`
	CreatedAt time.Time `json:"created_at"`
	Revision  int64     `json:"revision"`
}

type backupTable struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
}

type backupTrailer struct {
	Rows   map[string]int64 `json:"rows"`
	SHA256 string           `json:"sha256"`
}

type backupBytes struct {
	B64 []byte `json:"b64"`
}

// Backup writes everything the database holds, as of one moment, while servers go on working. at is when that is, for the
// header. It never contains the master key.
func (s *Store) Backup(ctx context.Context, to io.Writer, at time.Time) (sum Summary, err error) {
	sum = Summary{Engine: s.Engine(), CreatedAt: at.UTC().Truncate(time.Microsecond), Rows: make(map[string]int64, len(backedUp))}
	w := newBackupWriter(to)
	err = s.snapshot(ctx, "make a backup", func(q querier) error {
		if err := q.QueryRowContext(ctx, `SELECT revision, (SELECT MAX(version_id) FROM goose_db_version) FROM change_head WHERE id = 1`).Scan(&sum.Revision, &sum.Schema); err != nil {
			return err
		}
		w.line(backupHeader{
			Format: backupFormat, Version: backupVersion, Schema: sum.Schema, Engine: sum.Engine, CreatedAt: sum.CreatedAt, Revision: int64(sum.Revision),
		})
		for _, table := range backedUp {
			if sum.Rows[table], err = w.table(ctx, q, table); err != nil {
				return fmt.Errorf("table %s: %w", table, err)
			}
		}
		return w.err
	})
	if err != nil {
		return Summary{}, err
	}
	sum.SHA256 = w.sum()
	w.line(backupTrailer{Rows: sum.Rows, SHA256: sum.SHA256})
	if err := w.close(); err != nil {
		return Summary{}, fmt.Errorf("write the backup: %w", err)
	}
	return sum, nil
}

// backupWriter writes lines and remembers the first error.
type backupWriter struct {
	gzip   *gzip.Writer
	buffer *bufio.Writer
	digest hash.Hash
	err    error
}

func newBackupWriter(to io.Writer) *backupWriter {
	w := &backupWriter{gzip: gzip.NewWriter(to), digest: sha256.New()}
	w.buffer = bufio.NewWriterSize(w.gzip, 1<<16)
	return w
}

func (w *backupWriter) line(v any) {
	if w.err != nil {
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		w.err = err
		return
	}
	text = append(text, '\n')
	_, _ = w.digest.Write(text) // a hash does not fail
	_, w.err = w.buffer.Write(text)
}

// table writes one table and returns its number of rows.
func (w *backupWriter) table(ctx context.Context, q querier, table string) (n int64, err error) {
	rows, err := q.QueryContext(ctx, `SELECT * FROM `+table) // #nosec G202 -- one of backedUp
	if err != nil {
		return 0, err
	}
	columns, err := rows.Columns()
	if err != nil {
		return 0, errors.Join(err, rows.Close())
	}
	w.line(backupTable{Table: table, Columns: columns})
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	return n, scanAll(rows, func() error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range values {
			switch v := v.(type) {
			case []byte:
				values[i] = backupBytes{append([]byte{}, v...)} // never nil, which would read null
			case int64, string, nil:
			default:
				return fmt.Errorf("column %s holds a %T", columns[i], v)
			}
		}
		w.line(values)
		n++
		return w.err
	})
}

func (w *backupWriter) sum() string { return hex.EncodeToString(w.digest.Sum(nil)) }

func (w *backupWriter) close() error {
	if w.err != nil {
		return w.err
	}
	if err := w.buffer.Flush(); err != nil {
		return err
	}
	return w.gzip.Close()
}
