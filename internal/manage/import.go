package manage

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Bounds of what can be imported. Package verify looks only for foreign credentials of these lengths.
const (
	maxImport   = 1000
	minImported = 16
	maxImported = 512
)

// ImportKeys takes keys over from another system, by their text or by its SHA-256. Both are kept as the same MAC, under the
// pepper, from the first moment. What is wrong with one key refuses that key alone; the others are made in one step. It needs
// lanyard.keys.write for the whole server, because it decides what a foreign text opens.
func (s *Service) ImportKeys(ctx context.Context, actor audit.Actor, in lanyard.ImportInput) (lanyard.Imported, error) {
	if err := s.mayOnServer(actor, keysWrite); err != nil {
		return lanyard.Imported{}, err
	}
	a, err := s.appWithin(ctx, actor.Reach, in.AppID)
	if err != nil {
		return lanyard.Imported{}, err
	}
	if len(in.Keys) < 1 || len(in.Keys) > maxImport {
		return lanyard.Imported{}, fault.Field("keys", "must have 1 to %d entries", maxImport)
	}
	g, err := s.granting(ctx, actor, a)
	if err != nil {
		return lanyard.Imported{}, err
	}
	const attempts = 3
	for attempt := 1; ; attempt++ {
		batch := &importing{granting: g, now: s.now(), answer: lanyard.Imported{DryRun: in.DryRun}, seen: map[[32]byte]int{}, ids: map[id.Key]bool{}}
		if err := batch.prepare(ctx, in.Keys); err != nil {
			return lanyard.Imported{}, err
		}
		if in.DryRun || len(batch.keys) == 0 {
			return batch.answer, nil
		}
		ev := actor.New(batch.now, "key.import", string(a.ID), a.Team, batch.details())
		_, err := s.KeyStore.CreateKeys(ctx, batch.keys, ev)
		if err == nil {
			return batch.answer, nil
		}
		// Somebody took one of them over since it was looked for; looking again says which.
		if !fault.Is(err, fault.Conflict) || attempt == attempts {
			return lanyard.Imported{}, fmt.Errorf("import keys: %w", err)
		}
	}
}

// importing is one import on its way. The digests of keys[i] stand in lookups[i], its item at places[i].
type importing struct {
	*granting
	now     time.Time
	answer  lanyard.Imported
	keys    []*key.Key
	lookups [][][]byte
	places  []int
	seen    map[[32]byte]int // SHA-256 of what came before in this request
	ids     map[id.Key]bool
}

func (b *importing) prepare(ctx context.Context, items []lanyard.ImportKey) error {
	b.answer.Items = make([]lanyard.ImportedItem, len(items))
	for i, item := range items {
		b.answer.Items[i] = lanyard.ImportedItem{Index: i, Name: secret.Redact(item.Name)}
		k, digests, err := b.read(ctx, i, item)
		if err == nil {
			b.keys, b.lookups, b.places = append(b.keys, k), append(b.lookups, digests), append(b.places, i)
			continue
		}
		if err := b.refuse(i, err); err != nil {
			return err
		}
	}
	if err := b.dropTaken(ctx); err != nil {
		return err
	}
	code := "created"
	if b.answer.DryRun {
		code = "would_create"
	}
	for n, k := range b.keys {
		item := &b.answer.Items[b.places[n]]
		item.Code = code
		if !b.answer.DryRun {
			item.ID = string(k.ID)
		}
	}
	b.answer.Created = len(b.keys)
	b.answer.Refused = len(items) - len(b.keys)
	return nil
}

// refuse writes down why an item was refused. An error that is no refusal, such as a lost database, is returned.
func (b *importing) refuse(i int, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Unavailable {
		return err
	}
	item := &b.answer.Items[i]
	item.Code, item.Detail = string(f.Kind), f.Detail
	if f.Field != "" {
		item.Detail = f.Field + ": " + f.Detail
	}
	return nil
}

// read makes a key of one item, and lists the digests under which it may stand already.
func (b *importing) read(ctx context.Context, i int, item lanyard.ImportKey) (*key.Key, [][]byte, error) {
	k, err := b.newKey(lanyard.KeyInput{Name: item.Name, Mode: item.Mode, Scopes: item.Scopes, ExpiresAt: item.ExpiresAt, Metadata: item.Metadata}, b.now)
	if err != nil {
		return nil, nil, err
	}
	version := key.Version{Number: 1, Imported: true, CreatedAt: b.now, Scheme: key.SchemeImported}
	var sum [32]byte
	var own bool // it has this server's format
	switch {
	case (item.Secret == "") == (item.Hash == nil):
		return nil, nil, fault.Field("secret", "send the key's text or its hash, one of the two")
	case item.Hash != nil:
		if sum, err = parseHash(*item.Hash); err != nil {
			return nil, nil, err
		}
	default:
		if err := checkForeign(item.Secret); err != nil {
			return nil, nil, err
		}
		c, err := secret.Parse(item.Secret)
		if errors.Is(err, secret.ErrChecksum) {
			return nil, nil, fault.Field("secret", "%s", err)
		}
		if own = err == nil; own {
			if err := b.adopt(ctx, k, item.Mode, c); err != nil {
				return nil, nil, err
			}
		}
		sum = sha256.Sum256([]byte(item.Secret))
	}
	if first, twice := b.seen[sum]; twice {
		return nil, nil, fault.New(fault.Conflict, "it is the same key as number %d of this request", first)
	}
	b.seen[sum] = i
	pepper, digest := b.service.MAC(key.ImportText(sum))
	version.Pepper, version.Digest = pepper, digest[:]
	k.Versions = []key.Version{version}
	digests := b.service.Lookups(key.ImportText(sum))
	if own {
		digests = append(digests, b.service.Lookups(item.Secret)...)
	}
	return k, digests, nil
}

// checkForeign refuses text that no caller could send, or anybody could guess.
func checkForeign(text string) error {
	switch {
	case len(text) < minImported || len(text) > maxImported:
		return fault.Field("secret", "must have %d to %d characters; a shorter one can be guessed", minImported, maxImported)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fault.Field("secret", "must be printable ASCII without spaces")
	case strings.Count(text, text[:1]) == len(text):
		return fault.Field("secret", "is one character over and over")
	}
	return nil
}

// adopt keeps the id of a credential that has this server's format, because it is looked up by the id inside it. Kind and
// mode are those it says.
func (b *importing) adopt(ctx context.Context, k *key.Key, mode string, own secret.Credential) error {
	if mode != "" && mode != string(own.Mode) {
		return fault.Field("mode", "the key itself says %s", own.Mode)
	}
	k.ID, k.Kind, k.Mode, k.Prefix = id.Of[id.Key](own.ID), own.Kind, own.Mode, strings.Clone(own.Prefix)
	if err := k.Validate(); err != nil {
		return err
	}
	if b.ids[k.ID] {
		return fault.New(fault.Conflict, "another key of this request has the same id")
	}
	_, err := b.service.KeyStore.Key(ctx, audit.ServerReach(), k.ID)
	switch {
	case err == nil:
		return fault.New(fault.Conflict, "there is a key %s already", k.ID)
	case !fault.Is(err, fault.NotFound):
		return err
	}
	b.ids[k.ID] = true
	return nil
}

func parseHash(h lanyard.ImportHash) (sum [32]byte, err error) {
	if h.Algorithm != "sha256" {
		return sum, fault.Field("hash.algorithm", "must be sha256, not %.40q", h.Algorithm)
	}
	raw, err := hex.DecodeString(h.Value)
	for _, encoding := range [...]*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if err == nil && len(raw) == len(sum) {
			break
		}
		// A line break inside is skipped by package base64; nobody's export has one on purpose.
		if strings.ContainsAny(h.Value, "\r\n") {
			break
		}
		raw, err = encoding.Strict().DecodeString(h.Value)
	}
	if err != nil || len(raw) != len(sum) {
		return sum, fault.Field("hash.value", "must be 32 bytes in hexadecimal or base64")
	}
	if [32]byte(raw) == sha256.Sum256(nil) {
		return sum, fault.Field("hash.value", "is the SHA-256 of nothing")
	}
	return [32]byte(raw), nil
}

// dropTaken refuses what stands in the store already.
func (b *importing) dropTaken(ctx context.Context) error {
	var flat [][]byte
	var owner []int
	for n, digests := range b.lookups {
		for _, digest := range digests {
			flat, owner = append(flat, digest), append(owner, n)
		}
	}
	if len(flat) == 0 {
		return nil
	}
	taken, err := b.service.KeyStore.DigestTaken(ctx, flat)
	if err != nil {
		return err
	}
	by := map[int]id.Key{}
	for i, keyID := range taken {
		by[owner[i]] = keyID
	}
	var keys []*key.Key
	var places []int
	for n, k := range b.keys {
		if other, is := by[n]; is {
			// Whoever imports sees the whole server, so the name of the other gives nothing away.
			if err := b.refuse(b.places[n], fault.New(fault.Conflict, "this credential is here already, as %s", other)); err != nil {
				return err
			}
			continue
		}
		keys, places = append(keys, k), append(places, b.places[n])
	}
	b.keys, b.places = keys, places
	return nil
}

func (b *importing) details() map[string]string {
	const most = 20
	var ids []string
	for _, k := range b.keys[:min(most, len(b.keys))] {
		ids = append(ids, string(k.ID))
	}
	if len(b.keys) > most {
		ids = append(ids, "…")
	}
	return said(details{"created": strconv.Itoa(b.answer.Created), "refused": strconv.Itoa(b.answer.Refused), "keys": listText(ids)})
}
