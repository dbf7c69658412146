package store

import (
	"database/sql"
	"testing"
)

// Planner listens to what a store is asked, and asks the database how it would answer.
type Planner struct {
	r               *recorder
	driver, explain string
	plain           *sql.DB
}

// Listen makes a store tell what it is asked outside of steps from now on. It must not be in use yet. dsn is that of its driver.
func Listen(t *testing.T, st *Store, dsn string) *Planner {
	t.Helper()
	p := &Planner{driver: "sqlite", explain: "EXPLAIN QUERY PLAN ", plain: st.reads}
	if st.Engine() != "sqlite" {
		p.driver, p.explain = "pgx", "EXPLAIN "
	}
	p.r = &recorder{to: driverOf(t, p.driver, dsn), url: dsn}
	st.reads = sql.OpenDB(p.r)
	t.Cleanup(func() { _ = p.plain.Close() })
	return p
}

// Heard returns the queries heard since it was called last, each text once.
func (p *Planner) Heard() (texts []string) {
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	heard := map[string]bool{}
	for _, q := range p.r.queries {
		if !heard[q.text] {
			heard[q.text], texts = true, append(texts, q.text)
		}
	}
	return texts
}

// Plan is how the database would answer a query that was heard.
func (p *Planner) Plan(t *testing.T, text string) string {
	t.Helper()
	p.r.mu.Lock()
	i := 0
	for p.r.queries[i].text != text {
		i++
	}
	q := p.r.queries[i]
	p.r.mu.Unlock()
	return explain(t, p.plain, p.driver, p.explain, q)
}

// UniqueBy reports whether a plan of SQLite finds at most one row in the first table that it names: by all columns of a unique key.
func (p *Planner) UniqueBy(t *testing.T, index string, columns int) bool {
	t.Helper()
	var unique, wide int
	err := p.plain.QueryRowContext(t.Context(), `SELECT l."unique", (SELECT COUNT(*) FROM pragma_index_info(l.name)) FROM sqlite_master m
		JOIN pragma_index_list(m.name) l WHERE m.type = 'table' AND l.name = $1`, index).Scan(&unique, &wide)
	return err == nil && unique == 1 && wide == columns
}
