package login

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lanyard-auth/lanyard/internal/app"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/outbound"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Bounds of logos. A page of ours loads nothing from elsewhere: an app's logo is fetched by the server, which keeps a copy.
const (
	maxLogo      = 256 << 10 // bytes of one
	maxLogos     = 128       // kept at a time
	logoLife     = 24 * time.Hour
	noLogoLife   = 5 * time.Minute        // how long one that could not be had is not asked for again
	logoPatience = 300 * time.Millisecond // how long a page waits for one
)

// Fetcher gets a file of a stranger (outbound.Client).
type Fetcher interface {
	Get(ctx context.Context, address string, o outbound.GetOptions) (*outbound.Response, error)
}

// picture is a copy of a logo; one without bytes is known not to be had.
type picture struct {
	bytes []byte
	kind  string // its media type, which we saw ourselves
	until time.Time
}

// logos keeps copies of apps' logos, by their address.
type logos struct {
	fetch  Fetcher
	now    func() time.Time
	flight singleflight.Group
	mu     sync.Mutex
	kept   map[string]picture
}

func newLogos(fetch Fetcher, now func() time.Time) *logos {
	return &logos{fetch: fetch, now: now, kept: map[string]picture{}}
}

// of returns the copy of the logo at an address. When there is none that is young enough it is fetched, for as long as ctx
// allows: who does not wait for it has an empty picture, and the fetch goes on for whoever asks next.
func (l *logos) of(ctx context.Context, address string) picture {
	l.mu.Lock()
	found, ok := l.kept[address]
	l.mu.Unlock()
	if ok && l.now().Before(found.until) {
		return found
	}
	fetched := l.flight.DoChan(address, func() (any, error) {
		made := l.get(context.WithoutCancel(ctx), address)
		l.keep(address, made)
		return made, nil
	})
	select {
	case r := <-fetched:
		return r.Val.(picture)
	case <-ctx.Done():
		return picture{}
	}
}

func (l *logos) get(ctx context.Context, address string) picture {
	missing := picture{until: l.now().Add(noLogoLife)}
	r, err := l.fetch.Get(ctx, address, outbound.GetOptions{Accept: "image/png, image/jpeg, image/webp, image/gif", MaxBytes: maxLogo})
	if err != nil || r.Status != http.StatusOK {
		return missing
	}
	// What the host calls it does not count. A drawing (SVG) can hold a script and is not among these.
	switch kind := http.DetectContentType(r.Body); kind {
	case "image/png", "image/jpeg", "image/webp", "image/gif":
		return picture{bytes: r.Body, kind: kind, until: l.now().Add(logoLife)}
	}
	return missing
}

// keep makes room by dropping the copy that ends first.
func (l *logos) keep(address string, p picture) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.kept[address]; !there && len(l.kept) >= maxLogos {
		first := ""
		for a, k := range l.kept {
			if first == "" || k.until.Before(l.kept[first].until) {
				first = a
			}
		}
		delete(l.kept, first)
	}
	l.kept[address] = p
}

// logo is GET /logo/{app}: an app's logo, for the pages that show it.
func (p *rooms) logo(w http.ResponseWriter, r *http.Request) error {
	missing := fault.New(fault.NotFound, "this app has no logo that could be had")
	appID, err := id.Parse[id.App](r.PathValue("app"))
	if err != nil {
		return missing
	}
	a, err := p.Verifier.Client(r.Context(), string(appID))
	if err != nil {
		return err
	}
	if a == nil || a.OAuth.LogoURI == "" {
		return missing
	}
	found := p.logos.of(r.Context(), a.OAuth.LogoURI)
	if found.bytes == nil {
		return missing
	}
	h := w.Header()
	web.Guard(h)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("Content-Type", found.kind)
	h.Set("Content-Length", strconv.Itoa(len(found.bytes)))
	_, _ = w.Write(found.bytes) // #nosec G705 -- a picture by its bytes, nosniff, sandboxed; who does not read it has gone
	return nil
}

// logoPath is where the copy of an app's logo is, or "": it names none, or it could not be had in the time that a person
// does not notice. Then its initial stands there.
func (p *rooms) logoPath(ctx context.Context, a *app.App) string {
	if a.OAuth.LogoURI == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, logoPatience)
	defer cancel()
	if p.logos.of(ctx, a.OAuth.LogoURI).bytes == nil {
		return ""
	}
	return "/logo/" + string(a.ID)
}
