package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/leak"
	"github.com/lanyard-auth/lanyard/internal/secret"
	"github.com/lanyard-auth/lanyard/internal/web"
)

// Finders are the services that look for credentials where they do not belong. They show who they are by a signature or a token of their
// own, not by a credential of this server; one that is not set is not heard.
type Finders struct {
	GitHub, GitLab *leak.Signers
	GitLabToken    secret.Secret // of a GitLab that somebody runs
}

// addFinders documents what their protocols lay down: GitHub's secret scanning partner programme, GitLab's partner API, and GitLab's token
// revocation API.
func (a *api) addFinders() {
	doc := a.huma.OpenAPI()
	list := func(of reflect.Type) *huma.Schema {
		return &huma.Schema{Type: huma.TypeArray, Items: doc.Components.Schemas.Schema(of, true, of.Name())}
	}
	found := &huma.RequestBody{Required: true, Content: content("application/json", list(reflect.TypeFor[lanyard.FoundCredential]()))}
	doc.Components.Schemas.Map()["FoundCredential"].AdditionalProperties = true // the services add some
	add := func(method, path, id, summary, description, status, says string, body *huma.RequestBody, answer *huma.Schema) {
		answered := &huma.Response{Description: says}
		if answer != nil {
			answered.Content = content("application/json", answer)
		}
		doc.AddOperation(&huma.Operation{
			OperationID: id, Method: method, Path: path, Tags: []string{"leaks"}, Security: []map[string][]string{{}}, Summary: summary, Description: description,
			RequestBody: body, Responses: map[string]*huma.Response{status: answered, "default": problemResponse()},
		})
	}
	bounds := " What is this server's among it ends, or its owners are told, as the policy for its kind says; that is done when the answer leaves. At most 4 MiB and 10,000 entries."
	add(http.MethodPost, "/v1/leaks/github", "report-leaks-github", "Report credentials that GitHub found",
		"For GitHub's secret scanning, which signs the body (`Github-Public-Key-Identifier`, `Github-Public-Key-Signature`)."+bounds+" 503: send it again.",
		"200", "Whether each is this server's", found, list(reflect.TypeFor[lanyard.FoundVerdict]()))
	add(http.MethodPost, "/v1/leaks/gitlab", "report-leaks-gitlab", "Report credentials that GitLab.com found",
		"For GitLab.com, which signs the body (`Gitlab-Public-Key-Identifier`, `Gitlab-Public-Key-Signature`). 404 where this server was not given the address of its keys."+bounds+" 503: send it again.",
		"204", "It was looked through", found, nil)
	add(http.MethodGet, "/v1/revocable_token_types", "revocable-token-types", "Say which types a GitLab may report",
		"For a GitLab that somebody runs, with the token of this server in `Authorization`. 404 where none is set.",
		"200", "The types", nil, doc.Components.Schemas.Schema(reflect.TypeFor[lanyard.RevocableTypes](), true, "RevocableTypes"))
	add(http.MethodPost, "/v1/revoke_tokens", "revoke-tokens", "Report credentials that a GitLab found",
		"For a GitLab that somebody runs, with the token of this server in `Authorization`. 404 where none is set."+bounds,
		"204", "It was looked through", found, nil)
}

// reportByGitHub is POST /v1/leaks/github.
func (a *api) reportByGitHub(w http.ResponseWriter, r *http.Request) error {
	found, err := a.readSigned(w, r, a.Finders.GitHub, "Github")
	if err != nil {
		return err
	}
	issued, err := a.Service.ReportFound(r.Context(), leak.GitHub, found)
	if err != nil {
		return err
	}
	verdicts := make([]lanyard.FoundVerdict, len(found))
	for i := range found {
		sum := sha256.Sum256([]byte(found[i].Token))
		verdicts[i] = lanyard.FoundVerdict{TokenHash: hex.EncodeToString(sum[:]), TokenType: secret.Redact(found[i].Type), Label: "false_positive"}
		if issued[i] {
			verdicts[i].Label = "true_positive"
		}
	}
	return answerJSON(w, verdicts)
}

// reportByGitLab is POST /v1/leaks/gitlab.
func (a *api) reportByGitLab(w http.ResponseWriter, r *http.Request) error {
	found, err := a.readSigned(w, r, a.Finders.GitLab, "Gitlab")
	if err != nil {
		return err
	}
	return a.take(w, r, leak.GitLab, found)
}

// revocableTypes is GET /v1/revocable_token_types.
func (a *api) revocableTypes(w http.ResponseWriter, r *http.Request) error {
	web.Guard(w.Header())
	if err := a.ofGitLab(r); err != nil {
		return err
	}
	return answerJSON(w, lanyard.RevocableTypes{Types: a.Service.LeakTypes(r.Context())})
}

// revokeTokens is POST /v1/revoke_tokens. What a token is stands in it: the type that is named makes no difference.
func (a *api) revokeTokens(w http.ResponseWriter, r *http.Request) error {
	web.Guard(w.Header())
	if err := a.ofGitLab(r); err != nil {
		return err
	}
	found, err := a.readFound(w, r)
	if err != nil {
		return err
	}
	return a.take(w, r, leak.SelfManaged, found)
}

func (a *api) take(w http.ResponseWriter, r *http.Request, from leak.Source, found []leak.Found) error {
	if _, err := a.Service.ReportFound(r.Context(), from, found); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readSigned reads what a service signed. Whose key it is said to be is looked at before anything is read.
func (a *api) readSigned(w http.ResponseWriter, r *http.Request, by *leak.Signers, header string) ([]leak.Found, error) {
	web.Guard(w.Header())
	if by == nil {
		return nil, fault.New(fault.NotFound, "this server takes no reports here")
	}
	identifier, signature := one(r, header+"-Public-Key-Identifier"), one(r, header+"-Public-Key-Signature")
	if identifier == "" || signature == "" {
		return nil, fault.New(fault.Unauthenticated, "a report of %s carries %s-Public-Key-Identifier and %s-Public-Key-Signature, once each; nothing was done", by.Service, header, header)
	}
	if err := by.Known(r.Context(), identifier); err != nil {
		return nil, err
	}
	body, err := a.Kit.ReadLongBody(w, r, leak.MaxReport)
	if err != nil {
		return nil, err
	}
	if err := by.Check(r.Context(), identifier, signature, body); err != nil {
		return nil, err
	}
	return leak.ParseFound(body)
}

func (a *api) readFound(w http.ResponseWriter, r *http.Request) ([]leak.Found, error) {
	body, err := a.Kit.ReadLongBody(w, r, leak.MaxReport)
	if err != nil {
		return nil, err
	}
	return leak.ParseFound(body)
}

// one is the value of a header that stands there once; else "".
func one(r *http.Request, name string) string {
	if values := r.Header.Values(name); len(values) == 1 {
		return values[0]
	}
	return ""
}

// ofGitLab says why a request does not show the token that was agreed with a GitLab, bare as that sends it or as Bearer; nil: it does.
func (a *api) ofGitLab(r *http.Request) error {
	if a.Finders.GitLabToken.IsZero() {
		return fault.New(fault.NotFound, "there is nothing here")
	}
	shown := strings.TrimPrefix(one(r, "Authorization"), "Bearer ")
	given, want := sha256.Sum256([]byte(shown)), sha256.Sum256([]byte(a.Finders.GitLabToken.Reveal()))
	if subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
		return fault.New(fault.Unauthenticated, "send the token that was agreed with this server, once, as Authorization; nothing was done")
	}
	return nil
}

func answerJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // who does not read it has gone
	return nil
}
