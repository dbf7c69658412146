package page

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

// send is the one script of our pages. It reaches past the form, one of whose fields may be named submit.
const send = template.JS("HTMLFormElement.prototype.submit.call(document.forms[0])")

// formPostPage takes an answer back to a client.
type formPostPage struct {
	Frame
	Action string
	Host   string
	Fields []Hidden
	Script template.JS
}

// Posts reports whether FormPost can take an answer to an address: one of the web, whose origin a policy can name.
func Posts(action string) bool { return source(action) != "" && WebLink("", action).URL != "" }

// FormPost writes a page that posts fields to action, a client's redirect URI on the web: at once by a script, or by a button where
// there is none (OAuth 2.0 Form Post Response Mode section 2). The page is stored nowhere, its form leads to the client and
// where that leads on, and no script but that one line runs.
func (k *Kit) FormPost(w http.ResponseWriter, r *http.Request, action string, fields url.Values) error {
	if !Posts(action) {
		return fmt.Errorf("post an answer to %q: it is no address that forms can be sent to", action)
	}
	u, err := url.Parse(action)
	if err != nil {
		return fmt.Errorf("post an answer: %w", err)
	}
	view := formPostPage{Frame: k.Frame(r, "Continue to "+u.Host, ""), Action: action, Host: u.Host, Script: send}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, value := range fields[name] {
			view.Fields = append(view.Fields, Hidden{name, value})
		}
	}
	sum := sha256.Sum256([]byte(send))
	only := policy{forms: []string{way(action)}, away: true, script: "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"}
	return render(w, r, http.StatusOK, answer{page: k.own.pages["form-post"](), data: view, private: true, policy: only})
}
