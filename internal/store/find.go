package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/listing"
)

// list is how a list is kept: the table, and what may be asked of its rows. In all of it the row is x.
type list struct {
	table  string
	team   string // the column of the team; "": rows belong to none, and only who reaches the server sees them
	always string // what every row of the list is; "": anything
	like   string // whether a row is called like ?, as often as that stands there
	// where are conditions by what is asked and its values, ? being the time; under "" one about the value. + 0 and || '' hide the
	// indexes of other orders from the planner: by one of them it would have to sort.
	where map[string]map[string]string
	// orders are what rows are ordered by. Each has an index with the id behind it, and one like it behind the team.
	orders map[string]string
}

// named is the order by name. Both engines compare the letters that LOWER knows; what a search types goes through the same.
const named = `LOWER(x.name)`

func listOf(of listing.List) (list, error) {
	orders := map[string]string{"created": `x.created_at`, "name": named}
	switch of {
	case listing.Apps:
		return list{
			table: `app`, team: `x.team_id`, always: `x.deleted_at = 0`, like: named + ` LIKE ?`, orders: orders,
			where: map[string]map[string]string{
				"state":  {"works": `x.disabled_at = 0`, "disabled": `x.disabled_at > 0`},
				"origin": {"here": `x.origin || '' = ''`, "dcr": `x.origin || '' = 'dcr'`, "cimd": `x.origin || '' = 'cimd'`},
				"type":   {"confidential": `x.type = 'confidential'`, "public": `x.type = 'public'`},
			},
		}, nil
	case listing.Keys:
		return list{
			table: `api_key`, team: `x.team_id`, like: named + ` LIKE ?`, orders: orders,
			always: `x.deleted_at = 0 AND EXISTS (SELECT 1 FROM app a WHERE a.id = x.app_id AND a.deleted_at = 0)`,
			where: map[string]map[string]string{
				"app":  {"": `x.app_id || '' = ?`},
				"kind": {"key": `x.kind = 'key'`, "pub": `x.kind = 'pub'`, "cs": `x.kind = 'cs'`},
				"mode": {"live": `x.mode = 'live'`, "test": `x.mode = 'test'`},
				"state": {
					"works":    `x.revoked_at = 0 AND x.disabled_at = 0 AND (x.expires_at = 0 OR x.expires_at > ?)`,
					"ends":     `x.revoked_at = 0 AND x.disabled_at = 0 AND x.expires_at + 0 > ? AND x.expires_at - ? < 2592000000000`, // 30 days
					"disabled": `x.revoked_at = 0 AND x.disabled_at > 0`, "revoked": `x.revoked_at > 0`, "expired": `x.expires_at + 0 > 0 AND x.expires_at + 0 <= ?`,
				},
			},
		}, nil
	case listing.Teams:
		return list{
			table: `team`, team: `x.id`, like: named + ` LIKE ?`, orders: orders,
			where: map[string]map[string]string{"state": {"active": `x.suspended_at = 0`, "suspended": `x.suspended_at > 0`}},
		}, nil
	case listing.People:
		orders["mail"] = `x.email_key`
		return list{
			table: `users`, like: `(x.email_key LIKE ? OR ` + named + ` LIKE ?)`, orders: orders,
			where: map[string]map[string]string{"state": {"active": `x.disabled_at = 0`, "disabled": `x.disabled_at > 0`}, "role": {"admin": `x.admin = 1`, "person": `x.admin = 0`}},
		}, nil
	case listing.Grants:
		return list{
			table: `grants`, team: `x.team_id`, orders: map[string]string{"created": `x.created_at`},
			like:  `(EXISTS (SELECT 1 FROM users u WHERE u.id = x.user_id AND (u.email_key LIKE ? OR LOWER(u.name) LIKE ?)) OR EXISTS (SELECT 1 FROM app a WHERE a.id = x.app_id AND LOWER(a.name) LIKE ?))`,
			where: map[string]map[string]string{"user": {"": `x.user_id = ?`}, "state": {"works": `x.revoked_at = 0`, "revoked": `x.revoked_at > 0`}},
		}, nil
	}
	return list{}, fault.Field("list", "there is no list %.40q", of)
}

// Find finds a page of a list within a reach. The index of the order leads through the rows; what narrows them is looked for row by row,
// in at most listing.Look rows, so that what is rare costs no more than what is frequent (docs/decisions/0013).
func (s *Store) Find(ctx context.Context, reach audit.Reach, f listing.Query) (found listing.Found, err error) {
	l, err := listOf(f.Of)
	if err != nil {
		return found, err
	}
	err = s.snapshot(ctx, "find in a list", func(q querier) error {
		if found, err = l.page(ctx, q, reach, f); err == nil && f.Back && found.Previous == nil {
			f.Back, f.From = false, nil // that is the beginning: shown whole
			found, err = l.page(ctx, q, reach, f)
		}
		return err
	})
	return found, err
}

// Names are what the rows of a list within a reach are called, by id; what is not there has none. Only lists whose rows have a name have it.
func (s *Store) Names(ctx context.Context, reach audit.Reach, of listing.List, team id.Team, ids []string) (names map[string]string, err error) {
	l, err := listOf(of)
	if err != nil {
		return nil, err
	}
	l.team += ` || ''` // by its index the planner would go through everything the team has
	w := l.within(reach, listing.Query{Team: team})
	w.and(`x.id IN (`+strings.TrimSuffix(strings.Repeat("?, ", len(ids)), ", ")+`)`, anys(ids)...)
	text := `SELECT x.id, x.name FROM ` + l.table + ` x` + w.String() + ` LIMIT ` + w.arg(len(ids))
	names = make(map[string]string, len(ids))
	err = s.read("read names", func(q querier) error {
		rows, err := q.QueryContext(ctx, text, w.args...) //nolint:sqlclosecheck // scanAll closes them
		if err != nil {
			return err
		}
		return scanAll(rows, func() error {
			var row, name string
			err := rows.Scan(&row, &name)
			names[row] = name
			return err
		})
	})
	return names, err
}

func (l list) page(ctx context.Context, q querier, reach audit.Reach, f listing.Query) (found listing.Found, err error) {
	column, known := l.orders[cmp.Or(f.Sort, "created")]
	if !known {
		return found, fault.Field("sort", "this list has no order by %.40q", f.Sort)
	}
	o := order{column, column == l.orders["created"], f.Down != f.Back}
	w := l.within(reach, f)
	if f.From != nil {
		w.and(o.beyond(), o.at(*f.From)...)
	}
	var end *listing.Place
	sift := w.clone()
	if err := l.sift(sift, f); err != nil {
		return found, err
	}
	if sift.String() != w.String() {
		if end, err = l.end(ctx, q, o, w.clone(), cmp.Or(f.Look, listing.Look)); err != nil {
			return found, err
		}
	}
	if end != nil {
		sift.and(o.upTo(), o.at(*end)...)
	}
	places, err := o.read(ctx, q, `SELECT x.id, `+o.column+` FROM `+l.table+` x`+sift.String()+o.String()+` LIMIT `+sift.arg(f.Limit+1), sift.args)
	if err != nil {
		return found, err
	}
	return pageOf(places, end, f), nil
}

// pageOf is the page that rows make, which were read in the direction asked for, with one more than it holds if there is one. end is
// where looking ended; nil: at the list's end.
func pageOf(rows []listing.Place, end *listing.Place, f listing.Query) (found listing.Found) {
	var before, after *listing.Place // in the direction of reading
	if len(rows) > f.Limit {
		rows = rows[:f.Limit]
		after = &rows[f.Limit-1]
	} else if found.Short = end != nil; found.Short {
		after = end
	}
	if f.From != nil && len(rows) > 0 {
		before = &rows[0]
	}
	for _, r := range rows {
		found.IDs = append(found.IDs, r.ID)
	}
	if found.Previous, found.Next = before, after; f.Back {
		slices.Reverse(found.IDs)
		found.Previous, found.Next = after, before
	}
	return found
}

// within are the rows that somebody may see at all.
func (l list) within(reach audit.Reach, f listing.Query) *where {
	w := &where{}
	switch {
	case l.team != "":
		w = within(l.team, reach).given(l.team+` = ?`, string(f.Team))
	case reach.Server():
		w.and(`1 = 1`)
	default:
		w.and(`1 = 0`)
	}
	if l.always != "" {
		w.and(l.always)
	}
	return w
}

// sift adds what narrows the list.
func (l list) sift(w *where, f listing.Query) error {
	for _, name := range slices.Sorted(maps.Keys(f.Where)) {
		value := f.Where[name]
		if value == "" {
			continue
		}
		if about, is := l.where[name][""]; is {
			w.and(about, value)
			continue
		}
		is, known := l.where[name][value]
		if !known {
			return fault.Field(name, "%.40q is nothing that this list is narrowed by", value)
		}
		times := slices.Repeat([]any{f.Now}, strings.Count(is, "?"))
		w.and(is, times...)
	}
	if f.Like != "" {
		part := `%` + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(f.Like) + `%`
		w.and(strings.ReplaceAll(l.like, `LIKE ?`, `LIKE LOWER(?) ESCAPE '\'`), slices.Repeat([]any{part}, strings.Count(l.like, "?"))...)
	}
	return nil
}

// end is the last of so many rows that are looked at; nil: the list ends before.
func (l list) end(ctx context.Context, q querier, o order, w *where, look int) (*listing.Place, error) {
	rows, err := o.read(ctx, q, `SELECT x.id, `+o.column+` FROM `+l.table+` x`+w.String()+o.String()+` LIMIT 1 OFFSET `+w.arg(look-1), w.args)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// order is how rows follow each other: by a column that holds numbers or texts, then by id.
type order struct {
	column  string
	numbers bool
	down    bool
}

func (o order) String() string {
	if o.down {
		return ` ORDER BY ` + o.column + ` DESC, x.id DESC`
	}
	return ` ORDER BY ` + o.column + `, x.id`
}

// beyond is the condition that a row follows a place.
func (o order) beyond() string { return o.than(`>`, `<`) }

// upTo is the condition that a row does not follow a place.
func (o order) upTo() string { return o.than(`<=`, `>=`) }

func (o order) than(up, down string) string {
	sign, value := up, `LOWER(?)`
	if o.down {
		sign = down
	}
	if o.numbers {
		value = `?`
	}
	return `(` + o.column + `, x.id) ` + sign + ` (` + value + `, ?)`
}

// at is a place as a condition's arguments.
func (o order) at(p listing.Place) []any {
	if o.numbers {
		return []any{p.Number, p.ID}
	}
	return []any{p.Text, p.ID}
}

// read reads the places of rows.
func (o order) read(ctx context.Context, q querier, query string, args []any) (places []listing.Place, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	err = scanAll(rows, func() error {
		var p listing.Place
		into := []any{&p.ID, &p.Text}
		if o.numbers {
			into[1] = &p.Number
		}
		err := rows.Scan(into...)
		places = append(places, p)
		return err
	})
	return places, err
}
