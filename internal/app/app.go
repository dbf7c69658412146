// Package app is the noun App: software that calls APIs (OAuth: a client). Credentials belong to packages key and grant.
package app

import (
	"context"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/ratelimit"
)

// Type says whether the app can keep a secret (RFC 6749 section 2.1).
type Type string

// The two types.
const (
	Confidential Type = "confidential"
	Public       Type = "public"
)

// App is software that calls APIs. It belongs to one team for good.
type App struct {
	ID          id.App
	Team        id.Team
	Name        string
	Type        Type
	Description string
	HomepageURL string
	Limits      []ratelimit.Limit
	Metadata    map[string]string
	CreatedAt   time.Time
	DisabledAt  time.Time // zero: enabled
	DeletedAt   time.Time // zero: there; a deleted app stays for the books and is shown to nobody

	Epoch     int // raised to end every token issued before
	Origin    Origin
	ClientURL string // with origin ByAddress: the document's address
	OAuth     OAuth

	Document      string    // digest of the metadata document read last
	DocumentUntil time.Time // when it has to be read again
	ManageDigest  []byte    // of the registration access token (RFC 7592); empty: none
	ManagePepper  int
}

// Store keeps apps. Methods on owned rows take the reach; a row outside it is fault.NotFound.
type Store interface {
	CreateApp(ctx context.Context, a *App, ev audit.Event) (id.Revision, error)
	App(ctx context.Context, reach audit.Reach, app id.App) (*App, error)
	// Apps lists by creation, newest first, those after the cursor; team and name may be "" for any.
	Apps(ctx context.Context, reach audit.Reach, filter Filter) ([]*App, error)
	// AppByAddress finds the app of a client id metadata document.
	AppByAddress(ctx context.Context, address string) (*App, error)
	// RegisteredTeam returns the built-in team of apps that registered themselves, making it at the first call.
	RegisteredTeam(ctx context.Context, at time.Time) (id.Team, error)
	// UpdateApp applies change to the row as it is now, in one atomic step; an error from change changes nothing.
	UpdateApp(ctx context.Context, reach audit.Reach, app id.App, ev audit.Event, change func(*App) error) (*App, id.Revision, error)
	// TrimApps forgets apps that registered themselves before a time and that nobody ever allowed anything, with their secrets.
	// Housekeeping: what is written down of their coming stays.
	TrimApps(ctx context.Context, before, now time.Time) error
}

// Filter narrows a list of apps. Before and BeforeID continue after the last one seen.
type Filter struct {
	IDs      []id.App // empty: any; else the answer is in no order, and the only page
	Team     id.Team
	Name     string
	Origin   Origin // with MadeHere: every origin
	Before   time.Time
	BeforeID string
	Limit    int
}

// Validate reports the first field that cannot be.
func (a *App) Validate() error {
	if err := fault.CheckName("name", a.Name, 100); err != nil {
		return err
	}
	if a.Type != Confidential && a.Type != Public {
		return fault.Field("type", `must be "confidential" or "public"`)
	}
	if utf8.RuneCountInString(a.Description) > 500 {
		return fault.Field("description", "must have at most 500 characters")
	}
	if a.HomepageURL != "" {
		u, err := url.Parse(a.HomepageURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || len(a.HomepageURL) > 500 {
			return fault.Field("homepage_url", "must be an http or https address")
		}
	}
	return nil
}

// StatusAt says whether the app's credentials may work at all: "" or the reason they do not.
func (a *App) StatusAt(time.Time) string {
	if !a.DeletedAt.IsZero() || !a.DisabledAt.IsZero() {
		return "disabled"
	}
	return ""
}
