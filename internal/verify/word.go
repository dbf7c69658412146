package verify

import (
	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// word gives the decision its sentence, and counts it.
func (v *Verifier) word(d *Decision, req *Request) {
	if n := v.decided[d.Code]; n != nil {
		n.Add(1)
	}
	if d.Code == policy.Valid {
		d.Message = "The request may pass."
		return
	}
	if d.Message != "" {
		return
	}
	c := advice.Case{DeniedBy: d.DeniedBy, Presented: d.presented(), Missing: d.MissingScopes}
	if api, ok := v.apis.peek(req.API); ok {
		c.Takes = api.Policy.Takes
		if c.Takes == policy.TakesToken {
			c.API = api.Policy.Name
		}
		if d.operation != nil && d.operation.Takes != "" {
			c.Takes = d.operation.Takes
		}
		c.ScopeTexts = scopeTexts(api.Policy.Scopes, req, d)
		if c.Refused = texts(api.Policy.Scopes, d.MissingScopes); len(c.Refused) != len(d.MissingScopes) {
			c.Refused = nil
		}
	}
	d.Message = advice.Sentence(d.Code, c)
}

// presented is how advice calls the credential that was decided on.
func (d *Decision) presented() advice.Kind {
	switch {
	case d.Token != "" && d.User != "":
		return advice.AccessToken
	case d.Token != "":
		return advice.ClientCredentials
	case d.Kind == secret.Personal:
		return advice.Personal
	case d.Kind == secret.Publishable:
		return advice.Publishable
	}
	return advice.Key
}

// scopeTexts are the texts of what was asked: of the operation's scopes, else the request's, else all that the API has.
func scopeTexts(scopes *policy.Scopes, req *Request, d *Decision) []string {
	asked := req.Scopes
	if d.operation != nil {
		asked = d.operation.Scopes
	}
	if len(asked) > 0 || d.operation != nil || d.Code != policy.KindNotAccepted {
		return texts(scopes, asked)
	}
	var all []string
	for _, s := range scopes.All() {
		all = append(all, s.Text)
	}
	return all
}

func texts(scopes *policy.Scopes, names []string) []string {
	var out []string
	for _, name := range names {
		if s := scopes.Get(name); s != nil && s.Text != "" {
			out = append(out, s.Text)
		}
	}
	return out
}
