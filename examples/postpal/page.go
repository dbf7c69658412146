package postpal

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"
)

//go:embed static
var files embed.FS

// view is what the page shows.
type view struct {
	Provider string
	Account  string // where the provider's people take badges back
	Problem  string // what went wrong on the way in
	Badge    *badge // nil: nobody is signed in
	Result   *result
}

// badge is the visitor badge as the page shows it; what changes by the second is what GET /badge answers too.
type badge struct {
	Alive bool   `json:"alive"`
	Text  string `json:"text"`
	Left  string `json:"left"` // 12:40
	Dash  string `json:"dash"` // of the ring: what is drawn and the gap

	Name, User  string   `json:"-"` // of the person; Name may be ""
	May, MayNot []string `json:"-"`
	Gone        string   `json:"-"` // stamped on it
	Stolen      string   `json:"-"` // what a thief would get
}

// badgeOf shows the badge of a session. What was asked for and not given stands there too: it is half of the truth.
func (a *app) badgeOf(s *session) *badge {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := min(max(s.expires.Sub(a.Now()), 0), s.lifetime)
	seconds := int(math.Ceil(left.Seconds()))
	b := &badge{
		Alive: s.gone == "", Gone: s.gone, Name: s.name, User: s.user,
		Left: fmt.Sprintf("%02d:%02d", seconds/60, seconds%60), Dash: fmt.Sprintf("%.1f 175.9", 175.9*left.Seconds()/s.lifetime.Seconds()),
	}
	for _, scope := range slices.Concat(a.Scopes, s.granted) {
		text, ok := texts[scope]
		if !ok {
			text = scope
		}
		switch given := slices.Contains(s.granted, scope); {
		case scope == "openid", slices.Contains(b.May, text), slices.Contains(b.MayNot, text):
		case given:
			b.May = append(b.May, text)
		default:
			b.MayNot = append(b.MayNot, text)
		}
	}
	who := s.name
	if who == "" {
		who = "You"
	}
	switch s.gone {
	case "":
		b.Text = "The badge works."
		b.Stolen = "works " + atMost(s.lifetime) + ", and not a second after you take it back."
	case takenBack:
		b.Text, b.Stolen = who+" took the badge back. Sign in again.", "worth nothing: it opens no door any more."
	default:
		b.Text, b.Stolen = "The badge ran out. Sign in again.", "worth nothing: its time is over."
	}
	return b
}

func atMost(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%.0f seconds at most", math.Ceil(d.Seconds()))
	}
	return fmt.Sprintf("%.0f minutes at most", math.Ceil(d.Minutes()))
}

// home is the page. It asks whether the badge still works, so that it tells the truth without any script too.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	s := a.sessions.of(r)
	if !s.signedIn() {
		a.show(w, http.StatusOK, view{})
		return
	}
	a.check(r.Context(), s)
	v := view{Badge: a.badgeOf(s)}
	s.mu.Lock()
	v.Result = s.result
	s.mu.Unlock()
	a.show(w, http.StatusOK, v)
}

// fail shows the page to somebody who did not get in.
func (a *app) fail(w http.ResponseWriter, status int, sentence string) {
	a.show(w, status, view{Problem: sentence})
}

func (a *app) show(w http.ResponseWriter, status int, v view) {
	v.Provider, v.Account = a.Provider, a.Issuer+"/account"
	var page bytes.Buffer
	if err := a.page.Execute(&page, v); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // whoever does not listen any more needs no answer
}

// badge tells the script on the page how the badge is.
func (a *app) badge(w http.ResponseWriter, r *http.Request) {
	b := &badge{Text: "Nobody is signed in."}
	if s := a.sessions.of(r); s.signedIn() {
		a.check(r.Context(), s)
		b = a.badgeOf(s)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(b) // whoever does not listen any more needs no answer
}
