package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed templates
var templates embed.FS

// shared is the file of a surface whose templates all its pages have.
const shared = "parts"

// Set is the templates of one surface, by page.
type Set struct {
	pages   map[string]func() *template.Template
	private bool
}

// Private makes every page of the set one that is stored nowhere, whatever its Frame says, and returns the set.
func (s *Set) Private() *Set {
	s.private = true
	return s
}

// Templates parses the files that match glob, each a page named by its file without the ending: over the layout and the partials it
// defines "content". A file parts.html is no page; what it defines all pages of the set have, and there a surface may redefine what
// stands at the right of the top ("top") and the attributes of the main part ("main"). A page is parsed when it is first shown, which
// makes starting quick. A file that does not parse panics: it is ours.
func (k *Kit) Templates(files fs.FS, glob string) *Set {
	names, err := fs.Glob(files, glob)
	if err != nil || len(names) == 0 {
		panic(fmt.Sprintf("page: %d files match %s: %v", len(names), glob, err)) // the pattern is ours
	}
	base := template.Must(template.New("").Funcs(funcs()).ParseFS(templates, "templates/*.html"))
	pages := map[string]string{}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == shared {
			template.Must(base.ParseFS(files, file))
			continue
		}
		pages[name] = file
	}
	set := &Set{pages: make(map[string]func() *template.Template, len(pages))}
	for name, file := range pages {
		set.pages[name] = sync.OnceValue(func() *template.Template { return template.Must(template.Must(base.Clone()).ParseFS(files, file)) })
	}
	return set
}

// Names lists the set's pages in no order.
func (s *Set) Names() []string {
	names := make([]string, 0, len(s.pages))
	for name := range s.pages {
		names = append(names, name)
	}
	return names
}

// funcs are what templates may call.
func funcs() template.FuncMap {
	return template.FuncMap{
		// A command is wrapped between its words only: never inside --scope.
		"words":   func(command string) []string { return strings.Split(command, " ") },
		"weblink": WebLink,
		"local":   local,
		"initial": initial,
	}
}

// framed is every page struct: it embeds a Frame.
type framed interface{ frame() Frame }

// Render writes the page of that name. data embeds a Frame, whose Private, FormAction and Frames become headers. The page is made as a
// whole first, so that one that breaks is answered with an error and not with its half.
func (s *Set) Render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	page, ok := s.pages[name]
	holds, isFramed := data.(framed)
	if !ok || !isFramed {
		return fmt.Errorf("render the page %s for %s: no such page, or %T embeds no page.Frame", name, r.Pattern, data)
	}
	frame := holds.frame()
	private := s.private || frame.Private || frame.User != nil
	return render(w, r, status, answer{page(), data, private, frame.Open || !private, frame.policy()})
}

// answer is a page with what its headers say.
type answer struct {
	page    *template.Template
	data    any
	private bool
	open    bool // holds no secret: what is compressed beside a stranger's text tells of itself by its length
	policy  policy
}

func render(w http.ResponseWriter, r *http.Request, status int, a answer) error {
	var b bytes.Buffer
	if err := a.page.ExecuteTemplate(&b, "layout", a.data); err != nil {
		return fmt.Errorf("render the page of %T: %w", a.data, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", a.policy.text())
	h.Set("Cache-Control", "no-cache")
	if a.private {
		h.Set("Cache-Control", "no-store")
	}
	if a.open {
		writeOpen(w, r, status, b.Bytes())
		return nil
	}
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // who does not read it has gone
	return nil
}
