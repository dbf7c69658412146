package browser

import (
	"net/http"
	"net/url"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/user"
)

// Person is how the top of a page names a user.
func Person(u *user.User) page.Person {
	return page.Person{Name: u.Name, Email: u.Email, Admin: u.Admin}
}

// Recognise says who is signed in in the browser that asks, or nil. Unlike Visit it leaves everything as it was: a page that is
// everybody's gives nobody a cookie, and looking at it keeps no session alive.
func (k *Kit) Recognise(r *http.Request) (*page.Person, error) {
	value := k.cookie(r)
	ticket, ok := secret.TicketID(value)
	if !ok {
		return nil, nil //nolint:nilnil // nobody
	}
	s, u, err := k.session(r.Context(), id.Of[id.Session](ticket), value)
	if err != nil || s == nil {
		return nil, err
	}
	who := Person(u)
	return &who, nil
}

// Enter is the way into every page for people who are signed in: it refuses a form that another site sent, finds out who asks, and
// reads what a form holds into r.PostForm. Whoever is not signed in is sent to do that and comes back to the page, or to home where it
// was a form; then Enter has answered and returns no visit.
func (k *Kit) Enter(w http.ResponseWriter, r *http.Request, home string) (*Visit, error) {
	return k.enter(w, r, home, k.Web.ReadForm)
}

// EnterUpload is Enter for a form with a file, which stands in r.PostForm like any field.
func (k *Kit) EnterUpload(w http.ResponseWriter, r *http.Request, home string) (*Visit, error) {
	return k.enter(w, r, home, k.Web.ReadUpload)
}

func (k *Kit) enter(w http.ResponseWriter, r *http.Request, home string, read func(http.ResponseWriter, *http.Request) (url.Values, error)) (*Visit, error) {
	if err := CheckOrigin(r); err != nil {
		return nil, err
	}
	visit, err := k.Visit(w, r)
	if err != nil {
		return nil, err
	}
	if !visit.SignedIn() {
		return nil, page.Redirect(w, r, "/login?next="+url.QueryEscape(wayBack(r, home)))
	}
	if r.Method == http.MethodPost {
		if r.PostForm, err = read(w, r); err != nil {
			return nil, err
		}
	}
	return visit, nil
}

// wayBack is the page that was asked for, without telling again what an act before it did.
func wayBack(r *http.Request, home string) string {
	if r.Method != http.MethodGet {
		return home
	}
	if r.URL.Query().Has("done") {
		return Local(r.URL.Path, home)
	}
	return Local(r.URL.RequestURI(), home)
}
