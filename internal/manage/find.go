package manage

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/key"
	"github.com/lanyard-auth/lanyard/internal/listing"
	"github.com/lanyard-auth/lanyard/internal/team"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// Lists finds what is searched for.
type Lists interface {
	Find(ctx context.Context, reach audit.Reach, q listing.Query) (listing.Found, error)
	// Names are what rows are called, by id.
	Names(ctx context.Context, reach audit.Reach, of listing.List, team id.Team, ids []string) (map[string]string, error)
}

// Search says what of a list is wanted, and which page of that.
type Search struct {
	Team   string            // of apps and keys: whose; "": any within reach
	Like   string            // part of a name or a mail address, whatever the case; "": any
	Where  map[string]string // such as state: works; "" is any
	Sort   string            // created or name; of people also mail; "" is created
	Down   bool              // the last first
	Limit  int               // 1 to 200; 0 is 50
	Cursor string            // Previous or Next of another page; "" is the first
}

// Found is a page of what was searched for. Previous and Next are the cursors of the pages beside it, "" where there is none.
type Found[Wire any] struct {
	Items          []Wire
	Previous, Next string
	// Short says that so many rows were looked through for this page that it ends before it is full: more may follow.
	Short bool
}

// finder is how the rows of one list are read by their ids, and shown.
type finder[Row, Wire any] struct {
	of    listing.List
	reach audit.Reach
	read  func(ids []string) ([]Row, error)
	id    func(Row) string
	wire  func(Row) Wire
}

func find[Row, Wire any](ctx context.Context, s *Service, q Search, f finder[Row, Wire]) (out Found[Wire], err error) {
	size, err := List{Limit: q.Limit}.size()
	if err != nil {
		return out, err
	}
	if err := checkText("q", q.Like, maxFilter); err != nil {
		return out, err
	}
	ask := listing.Query{Of: f.of, Like: q.Like, Where: q.Where, Sort: q.Sort, Down: q.Down, Now: s.now().UnixMicro(), Limit: size}
	if ask.Team, err = s.teamFilter(ctx, f.reach, q.Team); err != nil {
		return out, err
	}
	bound := []string{q.Team, q.Like, q.Sort, fmt.Sprint(q.Down), fmt.Sprint(q.Where)}
	payload, err := s.openCursor(q.Cursor, "find "+string(f.of), bound)
	if err != nil {
		return out, err
	}
	ask.From, ask.Back = placeFrom(payload)
	found, err := s.Lists.Find(ctx, f.reach, ask)
	if err != nil {
		return out, err
	}
	out.Short = found.Short
	if found.Previous != nil {
		out.Previous = s.cursor(placePayload(*found.Previous, true), "find "+string(f.of), bound)
	}
	if found.Next != nil {
		out.Next = s.cursor(placePayload(*found.Next, false), "find "+string(f.of), bound)
	}
	if len(found.IDs) == 0 {
		return out, nil
	}
	rows, err := f.read(found.IDs)
	if err != nil {
		return out, err
	}
	// The order is that of the search; what went meanwhile is left out.
	slices.SortFunc(rows, func(a, b Row) int { return slices.Index(found.IDs, f.id(a)) - slices.Index(found.IDs, f.id(b)) })
	for _, row := range rows {
		out.Items = append(out.Items, f.wire(row))
	}
	return out, nil
}

// A place in a cursor is a byte for its direction, the number, the length of the text, the text, and the id.

func placePayload(p listing.Place, back bool) []byte {
	b := []byte{0}
	if back {
		b[0] = 1
	}
	b = binary.BigEndian.AppendUint64(b, uint64(p.Number))           // #nosec G115 -- bits, not a number
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Text)&0xffff)) // #nosec G115 -- names are shorter
	return append(append(b, p.Text...), p.ID...)
}

func placeFrom(payload []byte) (p *listing.Place, back bool) {
	if len(payload) < 11 {
		return nil, false
	}
	length := int(binary.BigEndian.Uint16(payload[9:]))
	if len(payload) < 11+length {
		return nil, false
	}
	number := int64(binary.BigEndian.Uint64(payload[1:])) // #nosec G115 -- as written above
	return &listing.Place{Number: number, Text: string(payload[11 : 11+length]), ID: string(payload[11+length:])}, payload[0] == 1
}

// idsOf are ids as a noun has them.
func idsOf[ID ~string](texts []string) []ID {
	out := make([]ID, len(texts))
	for i, text := range texts {
		out[i] = ID(text)
	}
	return out
}

// FindApps finds apps within reach: by part of their name; where state, origin and type narrow. It needs lanyard.apps.read.
func (s *Service) FindApps(ctx context.Context, actor audit.Actor, q Search) (Found[lanyard.App], error) {
	reach, err := s.may(actor, appsRead)
	if err != nil {
		return Found[lanyard.App]{}, err
	}
	return find(ctx, s, q, finder[*app.App, lanyard.App]{
		of: listing.Apps, reach: reach, id: func(a *app.App) string { return string(a.ID) }, wire: wireApp,
		read: func(ids []string) ([]*app.App, error) {
			return s.AppStore.Apps(ctx, reach, app.Filter{IDs: idsOf[id.App](ids), Limit: len(ids)})
		},
	})
}

// FindKeys finds keys within reach: by part of their name; where app, kind, mode and state narrow. It needs lanyard.keys.read.
func (s *Service) FindKeys(ctx context.Context, actor audit.Actor, q Search) (Found[lanyard.Key], error) {
	reach, err := s.may(actor, keysRead)
	if err != nil {
		return Found[lanyard.Key]{}, err
	}
	now := s.now()
	return find(ctx, s, q, finder[*key.Key, lanyard.Key]{
		of: listing.Keys, reach: reach, id: func(k *key.Key) string { return string(k.ID) }, wire: func(k *key.Key) lanyard.Key { return wireKey(k, now) },
		read: func(ids []string) ([]*key.Key, error) {
			return s.KeyStore.Keys(ctx, reach, key.Filter{IDs: idsOf[id.Key](ids), Limit: len(ids)})
		},
	})
}

// AppNames returns the names of a team's apps, by id; what is gone or another team's has none. It needs lanyard.apps.read.
func (s *Service) AppNames(ctx context.Context, actor audit.Actor, teamID string, apps []string) (map[string]string, error) {
	return s.names(ctx, actor, appsRead, listing.Apps, teamID, apps)
}

// KeyNames is AppNames for a team's keys. It needs lanyard.keys.read.
func (s *Service) KeyNames(ctx context.Context, actor audit.Actor, teamID string, keys []string) (map[string]string, error) {
	return s.names(ctx, actor, keysRead, listing.Keys, teamID, keys)
}

func (s *Service) names(ctx context.Context, actor audit.Actor, right string, of listing.List, teamID string, ids []string) (map[string]string, error) {
	reach, err := s.may(actor, right)
	if err != nil {
		return nil, err
	}
	team, err := s.teamFilter(ctx, reach, teamID)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return s.Lists.Names(ctx, reach, of, team, ids)
}

// FindTeams finds teams: by part of their name; where state narrows. It needs lanyard.users.read for the whole server.
func (s *Service) FindTeams(ctx context.Context, actor audit.Actor, q Search) (Found[lanyard.Team], error) {
	if err := s.mayOnServer(actor, usersRead); err != nil {
		return Found[lanyard.Team]{}, err
	}
	reach := audit.ServerReach()
	return find(ctx, s, q, finder[*team.Team, lanyard.Team]{
		of: listing.Teams, reach: reach, id: func(t *team.Team) string { return string(t.ID) }, wire: wireTeam,
		read: func(ids []string) ([]*team.Team, error) {
			return s.TeamStore.Teams(ctx, reach, team.Filter{IDs: idsOf[id.Team](ids), Limit: len(ids)})
		},
	})
}

// FindPeople finds users: by part of their address or name; where state and role narrow. It needs lanyard.users.read for the whole
// server.
func (s *Service) FindPeople(ctx context.Context, actor audit.Actor, q Search) (Found[lanyard.User], error) {
	if err := s.mayOnServer(actor, usersRead); err != nil {
		return Found[lanyard.User]{}, err
	}
	return find(ctx, s, q, finder[*user.User, lanyard.User]{
		of: listing.People, reach: audit.ServerReach(), id: func(u *user.User) string { return string(u.ID) }, wire: wireUser,
		read: func(ids []string) ([]*user.User, error) {
			return s.UserStore.Users(ctx, user.Filter{IDs: idsOf[id.User](ids), Limit: len(ids)})
		},
	})
}

// FindGrants finds what people allowed apps: by part of the person's address or name, or of the app's name; where user and state
// narrow. It needs lanyard.grants.read for the whole server.
func (s *Service) FindGrants(ctx context.Context, actor audit.Actor, q Search) (Found[lanyard.Grant], error) {
	if err := s.mayOnServer(actor, grantsRead); err != nil {
		return Found[lanyard.Grant]{}, err
	}
	reach := audit.ServerReach()
	return find(ctx, s, q, finder[*grant.Grant, lanyard.Grant]{
		of: listing.Grants, reach: reach, id: func(g *grant.Grant) string { return string(g.ID) }, wire: wireGrant,
		read: func(ids []string) ([]*grant.Grant, error) {
			return s.GrantStore.Grants(ctx, reach, grant.Filter{IDs: idsOf[id.Grant](ids), Limit: len(ids)})
		},
	})
}
