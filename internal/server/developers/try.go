package developers

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/audit"
	"github.com/lanyard-auth/lanyard/internal/catalog"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// tryPage is GET and POST /developers/{team}/try: fields api, operation, path, query, body, credential, button try.
type tryPage struct {
	page.Room
	APIs    []page.Tab
	Name    string // of the API, as people call it; empty: none is declared
	API     string
	Action  string
	Answers bool // calls of it are answered here; else there is only the decision
	Fields  []page.Field
	Result  *tried
}

// NoAPIs stands where no API is declared.
func (tryPage) NoAPIs() page.Empty {
	return page.Empty{Title: "No API is declared yet", Text: "Whoever runs this server declares what there is to call. Come back when they have."}
}

// tried is what came of a try.
type tried struct {
	Line     string // "GET /v1/forecast?city=Lagos"
	With     string // the id of the credential; empty: it is nobody's
	Decision page.Alert
	Code     string
	Missing  []string
	Limits   page.Table
	NotSent  string // why nothing was sent; empty: it was
	Answer   *answered
}

// attempt is a try as it was asked for.
type attempt struct {
	operation, path, query, body string
	credential                   secret.Secret
}

// tryAPI is the API that is tried, and the page that tries it. nil: none is declared.
func (p *rooms) tryAPI(r *http.Request, d *desk, named string) (*catalog.Compiled, tryPage, error) {
	made := tryPage{Room: p.room(r, d, "try", "Try it"), Action: d.path("try")}
	if !d.May(audit.RoleDeveloper) {
		return nil, made, fault.New(fault.InsufficientScope, "only developers and owners of the team try calls for it")
	}
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return nil, made, err
	}
	var chosen *catalog.Compiled
	for _, api := range view.All() {
		if api.Policy != view.Management() && (named == "" && chosen == nil || api.Policy.Name == named) {
			chosen = api
		}
	}
	if chosen == nil && named != "" {
		return nil, made, fault.Missing("API", named)
	}
	for _, api := range view.All() {
		if api.Policy != view.Management() {
			made.APIs = append(made.APIs, page.Tab{Text: titleOf(api), URL: d.path("try") + "?" + url.Values{"api": {api.Policy.Name}}.Encode(), Here: api == chosen})
		}
	}
	if chosen != nil {
		made.Name, made.API, made.Answers = titleOf(chosen), chosen.Policy.Name, p.answersHere(chosen)
	}
	return chosen, made, nil
}

// showTry is GET /developers/{team}/try.
func (p *rooms) showTry(w http.ResponseWriter, r *http.Request, d *desk) error {
	api, made, err := p.tryAPI(r, d, r.URL.Query().Get("api"))
	if err != nil {
		return err
	}
	if api != nil {
		made.Fields = tryFields(api, attempt{operation: r.URL.Query().Get("operation")}, nil)
	}
	return p.set.Render(w, r, http.StatusOK, "try", made)
}

// tryFields ask for what is sent. The credential is never written back.
func tryFields(api *catalog.Compiled, at attempt, wrong page.Errs) []page.Field {
	choose := page.Field{ID: "operation", Label: "Operation", Type: "select", Error: wrong["operation"]}
	for _, name := range slices.Sorted(maps.Keys(api.Spec.Operations)) {
		if len(choose.Options) < maxChoices || name == at.operation {
			choose.Options = append(choose.Options, page.Option{Value: name, Text: name, Chosen: name == at.operation})
		}
	}
	return []page.Field{
		choose,
		{ID: "credential", Label: "Credential", Type: "password", Complete: "off", Max: 4000, Error: wrong["credential"], Hint: "A key or a token of your team. It is used for this one call: not kept, not logged, not shown again."},
		{ID: "path", Label: "Path", Value: at.path, Max: 1000, Optional: true, Complete: "off", Error: wrong["path"], Hint: "Empty: the operation’s, with 1 for each part in braces."},
		{ID: "query", Label: "Query", Value: at.query, Max: 1000, Optional: true, Complete: "off", Error: wrong["query"], Hint: "Like city=Lagos."},
		{ID: "body", Label: "Body", Type: "textarea", Value: at.body, Max: maxTryBody, Optional: true, Code: true, Error: wrong["body"], Hint: "JSON, for operations that take one."},
	}
}

// maxTryBody is how much of a body is sent, in characters.
const maxTryBody = 20_000

// try is POST /developers/{team}/try.
func (p *rooms) try(w http.ResponseWriter, r *http.Request, d *desk) error {
	form := r.PostForm
	api, made, err := p.tryAPI(r, d, form.Get("api"))
	if err != nil {
		return err
	}
	if api == nil {
		return page.Redirect(w, r, d.path("try"))
	}
	at := attempt{form.Get("operation"), strings.TrimSpace(form.Get("path")), strings.TrimPrefix(strings.TrimSpace(form.Get("query")), "?"), form.Get("body"), secret.Of(strings.TrimSpace(form.Get("credential")))}
	call, err := callOf(api, at)
	if err != nil {
		wrong, err := page.Beside(err, map[string]string{"operation": "operation", "path": "path", "query": "query", "body": "body", "credential": "credential"})
		if err != nil {
			return err
		}
		made.Fields = tryFields(api, at.withoutCredential(), wrong)
		return p.set.Render(w, r, http.StatusBadRequest, "try", made)
	}
	if made.Result, err = p.send(r, d, api, call, at.credential); err != nil {
		return err
	}
	made.Fields = tryFields(api, at, nil)
	return p.set.Render(w, r, http.StatusOK, "try", made)
}

// withoutCredential is the attempt as it may be written back: what holds the credential is left out.
func (at attempt) withoutCredential() attempt {
	for _, field := range []*string{&at.operation, &at.path, &at.query, &at.body} {
		if !at.credential.IsZero() && strings.Contains(*field, at.credential.Reveal()) {
			*field = ""
		}
	}
	return at
}

// call is a request of an operation that an API declares.
type call struct{ method, path, query, body string }

// callOf makes the request of an attempt, and refuses what would reach anything but the operation.
func callOf(api *catalog.Compiled, at attempt) (call, error) {
	if _, declared := api.Spec.Operations[at.operation]; !declared {
		return call{}, fault.Field("operation", "choose an operation of this API")
	}
	method, template, _ := strings.Cut(at.operation, " ")
	if method == policy.AnyMethod {
		method = http.MethodGet
	}
	path, err := policy.NormalPath(cmp.Or(at.path, example(template)))
	if err != nil {
		return call{}, fault.Field("path", "%s", err)
	}
	if found := api.Policy.Operations.Match(method, path); found == nil || found.Name != at.operation {
		return call{}, fault.Field("path", "belongs to another operation than %s, or to none", at.operation)
	}
	if _, err := url.ParseQuery(at.query); err != nil || strings.ContainsAny(at.query, "#\r\n ") {
		return call{}, fault.Field("query", "is no query: write name=value, several with & between them, and %%20 for a blank")
	}
	if at.credential.IsZero() {
		return call{}, fault.Field("credential", "paste a key or a token of your team")
	}
	if text := at.credential.Reveal(); strings.Contains(at.query, text) || strings.Contains(at.body, text) || strings.Contains(at.path, text) {
		return call{}, fault.Field("credential", "stands in the path, the query or the body too: send it here alone, where it is not written back")
	}
	if len(at.body) > maxTryBody {
		return call{}, fault.Field("body", "must have at most %d characters", maxTryBody)
	}
	return call{method, path, at.query, at.body}, nil
}

// send asks for the decision without counting anything, and sends the call where it is answered here. The credential must be the
// team's, or the asker's own: a page is no place to try what somebody found.
func (p *rooms) send(r *http.Request, d *desk, api *catalog.Compiled, c call, credential secret.Secret) (*tried, error) {
	var said verify.Decision
	err := p.Verifier.Verify(r.Context(), &verify.Request{
		Credential: credential.Reveal(), API: api.Policy.Name, Method: c.method, Path: c.path, IP: p.Client(r), Cost: verify.DefaultCost, DryRun: true, Source: d.Actor.Label,
	}, &said)
	if err != nil {
		return nil, err
	}
	made := &tried{Line: c.method + " " + c.path}
	if c.query != "" {
		made.Line += "?" + c.query
	}
	if said.Identified && said.Team != id.Team(d.Team.ID) && (said.Team != "" || said.User != d.User.ID) {
		made.Code = string(policy.NotFound)
		made.Decision = page.Alert{Tone: "bad", Title: "That credential is not of " + d.Team.Name + ".", Text: "Paste one of this team’s, or a personal token of your own."}
		made.NotSent = "Nothing was sent."
		return made, nil
	}
	made.decided(&said)
	switch {
	case !said.Identified:
		made.NotSent = "Nothing was sent: nobody has such a credential."
	case !p.answersHere(api):
		made.NotSent = "Nothing was sent, and nothing was counted: no gateway of this server stands before " + titleOf(api) + ". This is what whoever guards it would be told."
	default:
		made.Answer, err = p.ask(r, api, c, credential)
	}
	return made, err
}

// decided tells of a decision.
func (t *tried) decided(said *verify.Decision) {
	text := advice.Denial(said.Code, advice.Case{})
	t.Code, t.Missing, t.With = string(said.Code), said.MissingScopes, said.Credential()
	t.Decision = page.Alert{Tone: "bad", Title: text.Title + ".", Text: said.Message, Link: page.Link{Text: "How to mend it", URL: "/errors/" + text.Code}}
	if said.Allowed() {
		t.Decision = page.Alert{Tone: "good", Title: "It may pass.", Text: "The credential opens this operation."}
	}
	t.Limits = page.Table{Caption: "Limits before the call", Heads: []page.Head{{Text: "Limit"}, {Text: "Left", Number: true}, {Text: "Of", Number: true}}}
	for i := range said.Limits {
		l := &said.Limits[i]
		t.Limits.Rows = append(t.Limits.Rows, page.Row{Cells: []page.Cell{{Text: l.Limit.Name}, {Text: strconv.FormatInt(l.Remaining, 10)}, {Text: strconv.FormatInt(l.Limit.N, 10)}}})
	}
}
