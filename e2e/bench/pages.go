package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/server/admin"
	"github.com/lanyard-auth/lanyard/internal/server/developers"
)

// What issue 4 wants of a page.
const (
	aimTime  = 50 * time.Millisecond
	aimBytes = 100_000
)

const pageAsked = 20 // times that each page is asked for

// measurePages measures how long the pages of the administration and of a large team take, one after the other over one connection.
func measurePages(ctx context.Context, c crowd, dir string, out, progress io.Writer) (err error) {
	dir = filepath.Join(dir, "pages")
	o, err := seedOffice(ctx, settings(dir), c, progress)
	if err != nil {
		return fmt.Errorf("fill the server: %w", err)
	}
	running, stop, err := child(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	v, err := visit(ctx, running)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d apps with %d keys each, %d teams (the one shown has %d apps), %d people, about %d rows of usage over %d days\n",
		c.apps, keysEach, c.teams, c.large, c.people, c.usage, usageDays)
	fmt.Fprintf(out, "\n| page | median | slowest | server CPU | bytes |\n|---|---:|---:|---:|---:|\n")
	above := 0
	for _, path := range o.pages() {
		seen, err := v.look(ctx, path)
		if err != nil {
			return err
		}
		for _, one := range seen {
			if one.median > aimTime || one.bytes > aimBytes {
				above++
			}
			fmt.Fprintf(out, "| %s | %s | %s | %.1fms | %d |\n", o.named(one.path), inMillis(one.median), inMillis(one.slowest), one.cpu.Seconds()*1000, one.bytes)
		}
	}
	fmt.Fprintf(out, "\nAims: a median of %s and %d bytes. Above one of them: %d.\n", aimTime, aimBytes, above)
	return nil
}

func inMillis(d time.Duration) string { return fmt.Sprintf("%.1fms", d.Seconds()*1000) }

// ids are what addresses name, in turns with what stands for it in a pattern.
func (o *office) ids() []string {
	return []string{
		"{team}", string(o.firms[0]), "{app}", string(o.all[0]), "{key}", string(o.key), "{user}", string(o.users[0]), "{grant}", string(o.grant), "{hook}", o.hook, "{invoice}", string(o.bill), "{name}", apiNames()[0],
	}
}

// pages are the addresses of every page, and of some as a reader asks for them who wants something else than the beginning.
func (o *office) pages() []string {
	fill := strings.NewReplacer(o.ids()...)
	var paths []string
	for _, pattern := range slices.Concat(admin.Patterns(), developers.Patterns()) {
		path, read := strings.CutPrefix(pattern, "GET ")
		if !read || path == "/admin/audit/export" || path != "/admin" && !strings.HasPrefix(path, "/admin/") && !strings.HasPrefix(path, "/developers/{team}") {
			continue
		}
		paths = append(paths, fill.Replace(path))
		for _, query := range narrower()[path] {
			paths = append(paths, fill.Replace(path+"?"+query))
		}
	}
	return paths
}

// narrower are queries of pages, by pattern. That a list is searched, sorted and leafed through stands in look.
func narrower() map[string][]string {
	return map[string][]string{
		"/admin/audit":                 {"action=app.create", "target={app}", "actor=bench&action=key.create"},
		"/admin/apps":                  {"state=disabled"},
		"/admin/people":                {"sort=mail"},
		"/admin/apis/{name}/operation": {"name=GET+/v1/{name}-1"},
		"/admin/apis/{name}/scope":     {"name={name}.read"},
		"/admin/apis/{name}/plan":      {"name=free"},
		"/developers/{team}/activity":  {"action=app.create"},
		"/developers/{team}/keys":      {"app={app}", "state=ends"},
		"/developers/{team}/keys/new":  {"api={name}"},
		"/developers/{team}/usage":     {"span=hour", "span=day", "by=key", "by=operation", "by=outcome", "span=year", "span=year&by=key"},
	}
}

// named is an address with the names of ids instead of them.
func (o *office) named(path string) string {
	ids := o.ids()
	ids = ids[:len(ids)-2] // an API's name is a word
	slices.Reverse(ids)
	return strings.NewReplacer(ids...).Replace(path)
}

// visitor is an admin who is signed in.
type visitor struct {
	client *http.Client
	server process
}

// visit signs in, over the one connection on which everything else is asked.
func visit(ctx context.Context, server process) (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visitor{server: server, client: &http.Client{
		Jar: jar, Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	form := url.Values{"login": {adminMail}, "password": {password}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.address("/login"), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err = v.send(request, http.StatusSeeOther)
	return v, err
}

func (v *visitor) address(path string) string { return "http://" + v.server.address + path }

func (v *visitor) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.address(path), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "text/html")
	request.Header.Set("Accept-Encoding", "gzip")
	return v.send(request, http.StatusOK)
}

// send returns the body as it was sent.
func (v *visitor) send(request *http.Request, want int) ([]byte, error) {
	answer, err := v.client.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	if answer.StatusCode != want {
		return nil, fmt.Errorf("%s %s = %d, want %d", request.Method, request.URL.RequestURI(), answer.StatusCode, want)
	}
	return body, nil
}

// sight is what one page took.
type sight struct {
	path                 string
	median, slowest, cpu time.Duration
	bytes                int
}

var (
	nextPage  = regexp.MustCompile(`<a class="btn" href="([^"]*)" rel="next">`)
	sortLink  = regexp.MustCompile(`<th[^>]*><a href="([^"]*[?;]sort=[^"]*)"`)
	searchBox = regexp.MustCompile(`<input id="q" name="q"`)
)

// look asks for a page, and where that is a list also for some and for none of it, in another order, and for its second page.
func (v *visitor) look(ctx context.Context, path string) ([]sight, error) {
	body, err := v.get(ctx, path)
	if err != nil {
		return nil, err
	}
	paths, names := []string{path}, []string{path}
	add := func(path, name string) { paths, names = append(paths, path), append(names, name) }
	if !strings.Contains(path, "?") {
		if searchBox.Match(body) {
			add(path+"?q=99", path+"?q=99")
			add(path+"?q=zebra", path+"?q=zebra")
		}
		if links := sortLink.FindAllSubmatch(body, -1); links != nil {
			to := html.UnescapeString(string(links[0][1]))
			add(to, to)
		}
		if link := nextPage.FindSubmatch(body); link != nil {
			add(html.UnescapeString(string(link[1])), path+", second page")
		}
	}
	var seen []sight
	for i, path := range paths {
		one, err := v.ask(ctx, path)
		if err != nil {
			return nil, err
		}
		one.path = names[i]
		seen = append(seen, one)
	}
	return seen, nil
}

// ask asks for a page again and again.
func (v *visitor) ask(ctx context.Context, path string) (sight, error) {
	var s sight
	busy, err := processorTime(v.server.pid)
	if err != nil {
		return s, err
	}
	took := make([]time.Duration, pageAsked)
	for i := range took {
		began := time.Now()
		body, err := v.get(ctx, path)
		if err != nil {
			return s, err
		}
		took[i] = time.Since(began)
		s.bytes = max(s.bytes, len(body))
	}
	after, err := processorTime(v.server.pid)
	if err != nil {
		return s, err
	}
	slices.Sort(took)
	s.median, s.slowest, s.cpu = took[len(took)/2], took[len(took)-1], (after-busy)/pageAsked
	return s, nil
}
