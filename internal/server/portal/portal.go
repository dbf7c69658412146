// Package portal serves the pages people open: the provider's front, which credential to take, what each refusal means, and the reference
// of the JSON API.
//
// How they look is package page's and the words about credentials are package advice's. It changes nothing: every page here is a GET
// that needs no session. Whoever is signed in is named at the top, and then the page is stored nowhere.
package portal

import (
	"context"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"sync"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Config is what the pages need. APIs must be set, and Page or Brand; both functions are asked for every page and should answer from
// memory.
type Config struct {
	Page      *page.Kit                                    // nil: made of the rest
	Brand     func(context.Context) (lanyard.Brand, error) // where it fails, a page that needs nothing else is shown without a name
	APIs      func(context.Context) ([]lanyard.API, error) // the declared ones without Lanyard's own, in the order to show them
	Document  func() ([]byte, error)                       // the OpenAPI document of the JSON API, as YAML; it is asked for once
	PublicURL string                                       // without a slash at its end
	Who       func(*http.Request) (*page.Person, error)    // who is signed in, or nil; it gives nobody a cookie. nil: nobody ever is
	Signup    bool                                         // accounts may be made here by oneself
	Log       *slog.Logger                                 // nil: nothing is logged
}

// Register adds every page and asset to mux. All are public.
func Register(mux *http.ServeMux, c Config) {
	if c.Page == nil {
		c.Page = page.New(page.Config{Web: &web.Kit{PublicURL: c.PublicURL, Log: c.Log}, Brand: c.Brand, Log: c.Log})
	}
	p := &portal{Config: c, pages: c.Page.Templates(templates, "templates/*.html")}
	p.described = sync.OnceValues(func() (described [2]template.HTML, err error) {
		text, err := c.Document()
		if err != nil {
			return described, err
		}
		return describe(text, c.PublicURL)
	})
	mux.HandleFunc("GET /{$}", c.Page.Handle(p.front))
	mux.HandleFunc("GET /which", c.Page.Handle(p.which))
	mux.HandleFunc("GET /reference", c.Page.Handle(p.reference("Reference", 0)))
	mux.HandleFunc("GET /reference/objects", c.Page.Handle(p.reference("Objects", 1)))
	mux.HandleFunc("GET /errors/{$}", c.Page.Handle(p.listErrors))
	mux.HandleFunc("GET /errors/{code}", c.Page.Handle(p.explainError))
	mux.HandleFunc("GET /assets/{name}", c.Page.Assets())
}

//go:embed templates/*.html templates/once/*.html
var templates embed.FS

type portal struct {
	Config
	pages     *page.Set
	described func() ([2]template.HTML, error) // the bodies of the reference and of its objects' page, once they are asked for
}

// frame begins a page. Whoever asks is named at its top; where that cannot be found out now, nobody is: the page that explains an
// outage must be there during it.
func (p *portal) frame(w http.ResponseWriter, r *http.Request, title, here string) page.Frame {
	made := p.Page.Frame(r, title, here)
	w.Header().Add("Vary", "Cookie")
	if p.Who == nil {
		return made
	}
	who, err := p.Who(r)
	if err != nil && r.Context().Err() == nil {
		p.Page.Log.WarnContext(r.Context(), "page shown without who asks", "pattern", r.Pattern, "error", err)
	}
	made.User = who
	return made
}
