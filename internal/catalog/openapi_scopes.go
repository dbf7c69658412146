package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// maxScopeText is how many characters the text of a scope has at most.
const maxScopeText = 120

// The scopes of OpenID Connect are the server's own here. Those of its protocol allow nothing on an API; those that name what a
// profile holds get a name of the API's own.
var (
	protocolScopes = []string{"openid", "offline_access"}
	profileScopes  = []string{"profile", "email", "address", "phone"}
)

// scope declares a scope of a flow. One that cannot be declared is noted, and refused where an operation asks for it.
func (im *openAPI) scope(name, description string) {
	if slices.Contains(protocolScopes, name) {
		im.note("scope %.80q: it belongs to the login of OpenID Connect and is no permission of an API; it is not declared", name)
		return
	}
	here, err := im.nameScope(name)
	if err != nil {
		im.note("scope %.80q is not declared: it %s", name, err)
		return
	}
	description = plainText(description)
	short := shorten(description, maxScopeText)
	if short != description {
		im.note("scope %.80q: its description is longer than %d characters; it is shortened", name, maxScopeText)
	}
	declared, known := im.scopes[here]
	switch {
	case known && (short == "" || short == declared.Text):
		return
	case known && declared.Text != here:
		im.note("scope %.80q: flows describe it in different words; the first ones stay", name)
		return
	case short == "":
		im.note(`scope %q: nothing says what it allows; write that into its text, such as "read your profile"`, here)
		short = here
	}
	im.scopes[here] = lanyard.Scope{Text: short}
}

// asked declares what an operation asks for, unless a flow did, and returns its name here; "" asks for nothing. Where the scheme
// is no OAuth scheme these are roles (3.1), which become scopes, because leaving them out would ask less.
func (im *openAPI) asked(name string, s scheme) (string, error) {
	if slices.Contains(protocolScopes, name) {
		im.note("scope %.80q: it belongs to the login of OpenID Connect and is no permission of an API; no operation asks for it here", name)
		return "", nil
	}
	here, err := im.nameScope(name)
	if err != nil {
		return "", err
	}
	if _, known := im.scopes[here]; !known {
		what := "no flow declares it"
		if !s.scoped {
			what = "it is a role of a scheme without scopes"
		}
		im.note("scope %q: %s, but operations ask for it; it is declared, so write into its text what it allows", here, what)
		im.scopes[here] = lanyard.Scope{Text: here}
	}
	return here, nil
}

// nameScope is how a scope is called here: lower case, with dots where URLs, colons and spaces were. No two of the document get
// the same name.
func (im *openAPI) nameScope(name string) (string, error) {
	here := strings.ToLower(strings.TrimSpace(name))
	for _, scheme := range []string{"https://", "http://", "urn:"} {
		here = strings.TrimPrefix(here, scheme)
	}
	here = strings.Join(strings.FieldsFunc(here, func(r rune) bool { return strings.ContainsRune(":/. ", r) }), ".")
	if slices.Contains(profileScopes, here) {
		here += ".read"
	}
	if name == "" {
		return "", errors.New("has no name")
	}
	if strings.HasPrefix(here, ManagementName+".") || here == ManagementName {
		return "", errors.New("has a name of the server's own scopes")
	}
	if policy.ValidScope(here) != nil {
		return "", errors.New("can have no such name here, where names are words of a-z, 0-9, - and _ joined by dots, up to 64 characters")
	}
	if other, taken := im.origins[here]; taken && other != name {
		return "", fmt.Errorf("would be called %q here, as %.80q is", here, other)
	}
	if im.origins[here] = name; here != name {
		im.note("scope %.80q is called %q here", name, here)
	}
	return here, nil
}

// markWrites marks scopes that allow changes, so that consent shows them so: of those that a change asks for, the ones that the
// fewest reads ask for.
func (im *openAPI) markWrites(ops map[string]lanyard.Operation) {
	read := map[string]int{} // how many operations that read ask for a scope
	for name, op := range ops {
		if !changes(name) {
			for _, scope := range op.Scopes {
				read[scope]++
			}
		}
	}
	for name, op := range ops {
		if !changes(name) || len(op.Scopes) == 0 {
			continue
		}
		fewest := slices.MinFunc(op.Scopes, func(a, b string) int { return read[a] - read[b] })
		for _, scope := range op.Scopes {
			if read[scope] == read[fewest] {
				s := im.scopes[scope]
				s.Writes = true
				im.scopes[scope] = s
			}
		}
	}
}
