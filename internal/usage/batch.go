package usage

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// ChargeWindow is how long an idempotency key remembers that its call was paid for.
const ChargeWindow = 10 * time.Minute

// Accepted is the outcome of a call that passed.
const Accepted = "valid"

// Row is what was counted under one key in one minute.
type Row struct {
	Minute    int64 // its start, microseconds since 1970, UTC
	Team      id.Team
	App       id.App
	Key       id.Key
	User      id.User
	API       string
	Operation string
	Outcome   string
	Mode      secret.Mode
	Count     int64 // calls
	Units     int64
}

// Charge is one event of a row that came with an idempotency key, so that the row can be had without it.
type Charge struct {
	Digest [16]byte
	App    id.App
	At     int64 // microseconds since 1970, UTC
	Row    int   // index into Batch.Rows
	Units  int64
}

// LastUse is the latest accepted use of a key.
type LastUse struct {
	Key       id.Key
	At        int64 // microseconds since 1970, UTC
	Network   string
	API       string
	Operation string
}

// MaxNetworks is how many networks of one key are told apart, in one segment or group and in the database, about.
const MaxNetworks = 32

// NetworkUse is when a key was used from one network.
type NetworkUse struct {
	Key         id.Key
	Network     string
	First, Last int64 // microseconds since 1970, UTC
}

// QueryUse is when a key last stood in the address of a call, to which API.
type QueryUse struct {
	Key id.Key
	At  int64 // microseconds since 1970, UTC
	API string
}

// Batch is what one segment or group brings to the database. The same events in any order give the same Rows and Charges.
type Batch struct {
	Rows     []Row     // sorted as EncodeRows wants them, none twice
	Charges  []Charge  // by time: of two with one digest, the first was paid for
	LastUsed []LastUse // by key, one each

	Networks []NetworkUse // by key and network; of accepted uses
	InQuery  []QueryUse   // by key, one each; of accepted uses
}

// Without returns the rows with the given charges (indices into b.Charges, none twice) taken out, for those that turn out to be
// repeats. Rows left without a call are gone. b stays as it is, for it may have to be offered again.
func (b *Batch) Without(repeats []int) []Row {
	rows := slices.Clone(b.Rows)
	for _, i := range repeats {
		c := b.Charges[i]
		rows[c.Row].Count--
		rows[c.Row].Units -= c.Units
	}
	return slices.DeleteFunc(rows, func(r Row) bool { return r.Count == 0 })
}

// Aggregate sums events into a Batch.
func Aggregate(events []Event) *Batch {
	a := newAggregator()
	for i := range events {
		a.add(&events[i])
	}
	return a.batch()
}

// aggregator sums events as they come.
type aggregator struct {
	rows    map[Row]int // by the row's key: count and units zero
	sums    []Row
	charges []Charge
	uses    map[id.Key]*keyUses
}

// keyUses are the accepted uses of one key.
type keyUses struct {
	last     LastUse
	networks []NetworkUse // as they came
	query    QueryUse     // At 0: none
}

func newAggregator() *aggregator {
	return &aggregator{rows: map[Row]int{}, uses: map[id.Key]*keyUses{}}
}

func (a *aggregator) add(ev *Event) {
	key := Row{
		Minute: ev.At - ev.At%microsPerMinute, Team: ev.Team, App: ev.App, Key: ev.Key, User: ev.User,
		API: ev.API, Operation: ev.Operation, Outcome: ev.Outcome, Mode: ev.Mode,
	}
	i, ok := a.rows[key]
	if !ok {
		i = len(a.sums)
		a.rows[key] = i
		a.sums = append(a.sums, key)
	}
	a.sums[i].Count++
	a.sums[i].Units += ev.Units
	if ev.Charge != ([16]byte{}) {
		a.charges = append(a.charges, Charge{Digest: ev.Charge, App: ev.App, At: ev.At, Row: i, Units: ev.Units})
	}
	if ev.Key != "" && ev.Outcome == Accepted {
		u := a.uses[ev.Key]
		if u == nil {
			u = &keyUses{}
			a.uses[ev.Key] = u
		}
		u.add(ev)
	}
}

func (u *keyUses) add(ev *Event) {
	if ev.At >= u.last.At {
		u.last = LastUse{Key: ev.Key, At: ev.At, Network: ev.Network, API: ev.API, Operation: ev.Operation}
	}
	if ev.InQuery && ev.At >= u.query.At {
		u.query = QueryUse{Key: ev.Key, At: ev.At, API: ev.API}
	}
	if ev.Network != "" {
		u.networks = addNetwork(u.networks, NetworkUse{Key: ev.Key, Network: ev.Network, First: ev.At, Last: ev.At})
	}
}

// addNetwork adds a use to those of one key, of which few networks are known, unless there are too many.
func addNetwork(all []NetworkUse, use NetworkUse) []NetworkUse {
	for i := range all {
		if n := &all[i]; n.Network == use.Network {
			n.First, n.Last = min(n.First, use.First), max(n.Last, use.Last)
			return all
		}
	}
	if len(all) >= MaxNetworks {
		return all
	}
	return append(all, use)
}

// Together are the uses of several batches: the last use of each key, its networks, and when it last stood in an address.
func Together(batches []*Batch) (last []LastUse, networks []NetworkUse, inQuery []QueryUse) {
	if len(batches) == 1 {
		return batches[0].LastUsed, batches[0].Networks, batches[0].InQuery
	}
	a := newAggregator()
	of := func(key id.Key) *keyUses {
		u := a.uses[key]
		if u == nil {
			u = &keyUses{}
			a.uses[key] = u
		}
		return u
	}
	for _, b := range batches {
		for _, use := range b.LastUsed {
			if u := of(use.Key); use.At > u.last.At {
				u.last = use
			}
		}
		for _, use := range b.Networks {
			u := of(use.Key)
			u.networks = addNetwork(u.networks, use)
		}
		for _, use := range b.InQuery {
			if u := of(use.Key); use.At > u.query.At {
				u.query = use
			}
		}
	}
	return a.used()
}

// used are the uses in the order of their keys.
func (a *aggregator) used() (last []LastUse, networks []NetworkUse, inQuery []QueryUse) {
	for _, key := range slices.Sorted(maps.Keys(a.uses)) {
		u := a.uses[key]
		last = append(last, u.last)
		slices.SortFunc(u.networks, func(x, y NetworkUse) int { return cmp.Compare(x.Network, y.Network) })
		networks = append(networks, u.networks...)
		if u.query.At > 0 {
			inQuery = append(inQuery, u.query)
		}
	}
	return last, networks, inQuery
}

// batch returns the sums. The aggregator is spent.
func (a *aggregator) batch() *Batch {
	order := make([]int, len(a.sums))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return compareRows(&a.sums[i], &a.sums[j]) })
	b := &Batch{Rows: make([]Row, len(order)), Charges: a.charges}
	place := make([]int, len(order))
	for to, from := range order {
		b.Rows[to] = a.sums[from]
		place[from] = to
	}
	for i := range b.Charges {
		b.Charges[i].Row = place[b.Charges[i].Row]
	}
	slices.SortFunc(b.Charges, func(x, y Charge) int {
		return cmp.Or(cmp.Compare(x.At, y.At), slices.Compare(x.Digest[:], y.Digest[:]), cmp.Compare(x.Row, y.Row), cmp.Compare(x.Units, y.Units))
	})
	b.LastUsed, b.Networks, b.InQuery = a.used()
	return b
}

// compareRows orders rows by their keys; 0 means that they belong together.
func compareRows(x, y *Row) int {
	return cmp.Or(
		cmp.Compare(x.Minute, y.Minute),
		cmp.Compare(x.Team, y.Team),
		cmp.Compare(x.App, y.App),
		cmp.Compare(x.Key, y.Key),
		cmp.Compare(x.User, y.User),
		cmp.Compare(x.API, y.API),
		cmp.Compare(x.Operation, y.Operation),
		cmp.Compare(x.Outcome, y.Outcome),
		cmp.Compare(x.Mode, y.Mode),
	)
}
