package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/grant"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/store"
)

// A request is good in the browser that brought it, until it expires (SECURITY-CASES 54); its id alone opens nothing.
func TestRequestRefusals(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		r := newRequest(t, w.Store, w.ourApp)
		for name, c := range map[string]struct {
			request id.Request
			browser []byte
			now     time.Time
		}{
			"nothing":         {id.New[id.Request](), browser, t0},
			"another browser": {r.ID, digest("other"), t0},
			"no browser":      {r.ID, nil, t0},
			"expired":         {r.ID, browser, r.ExpiresAt},
		} {
			wantKind(t, "Request of "+name, second(w.Request(ctx, c.request, c.browser, c.now)), fault.NotFound)
			wantKind(t, "AdvanceRequest of "+name, w.AdvanceRequest(ctx, c.request, c.browser, grant.Progress{Denied: true}, c.now), fault.NotFound)
			if name == "expired" {
				continue
			}
			if dropped, err := w.DropRequest(ctx, c.request, c.browser); dropped || err != nil {
				t.Errorf("DropRequest of %s = %t, %v, want false", name, dropped, err)
			}
		}
		again := aRequest(w.theirApp)
		again.ID = r.ID
		wantKind(t, "SaveRequest with an id that is taken", w.SaveRequest(ctx, again), fault.Conflict)
		got, err := w.Request(ctx, r.ID, browser, r.ExpiresAt.Add(-time.Microsecond))
		if diff := cmp.Diff(r, got); err != nil || diff != "" {
			t.Errorf("Request after refusals: %v, -want +got:\n%s", err, diff)
		}
	})
}

// What was noted comes back, and a request is answered once.
func TestRequests(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		r := newRequest(t, w.Store, w.ourApp)
		r.Progress = grant.Progress{Allowed: []string{"forecast.read"}, AllowedBy: w.dev, AllowedAt: t0.Add(time.Second)}
		must(t, w.AdvanceRequest(ctx, r.ID, browser, r.Progress, t0))
		got, err := w.Request(ctx, r.ID, browser, t0)
		if diff := cmp.Diff(r, got); err != nil || diff != "" {
			t.Errorf("Request: %v, -want +got:\n%s", err, diff)
		}
		for _, want := range []bool{true, false} {
			if dropped, err := w.DropRequest(ctx, r.ID, browser); dropped != want || err != nil {
				t.Errorf("DropRequest = %t, %v, want %t", dropped, err, want)
			}
		}
		wantKind(t, "Request that was dropped", second(w.Request(ctx, r.ID, browser, t0)), fault.NotFound)
	})
}

func newPushed(t *testing.T, st *store.Store, a id.App) *grant.Pushed {
	t.Helper()
	ticket := id.Chars(id.New[id.Request]())
	p := &grant.Pushed{ID: ticket, Digest: digest(ticket), Pepper: 1, App: a, Params: []byte(`{"scope":["a"]}`), ExpiresAt: t0.Add(grant.PushedLife)}
	must(t, st.PushRequest(ctx, p))
	return p
}

// A pushed request is fetched once and in time, and no text from outside upsets it.
func TestPushed(t *testing.T) {
	engines(t, func(t *testing.T, db database) {
		w := newWorld(t, db.open(t))
		p := newPushed(t, w.Store, w.ourApp)
		for _, ticket := range []string{"", "nothing", p.ID + "\x00", "\xff", p.ID[:15], p.ID + " "} {
			wantKind(t, "Pushed of another ticket", second(w.Pushed(ctx, ticket)), fault.NotFound)
			if took, err := w.TakePushed(ctx, ticket, t0); took || err != nil {
				t.Errorf("TakePushed(%q) = %t, %v, want false", ticket, took, err)
			}
		}
		wantKind(t, "PushRequest with an id that is taken", w.PushRequest(ctx, p), fault.Conflict)
		for _, c := range []struct {
			now  time.Time
			want bool
		}{{p.ExpiresAt, false}, {p.ExpiresAt.Add(-time.Microsecond), true}, {t0, false}} {
			if took, err := w.TakePushed(ctx, p.ID, c.now); took != c.want || err != nil {
				t.Errorf("TakePushed at %s = %t, %v, want %t", c.now, took, err, c.want)
			}
			got, err := w.Pushed(ctx, p.ID)
			if diff := cmp.Diff(p, got); err != nil || diff != "" {
				t.Errorf("Pushed: %v, -want +got:\n%s", err, diff)
			}
		}
	})
}
