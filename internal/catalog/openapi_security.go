package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

// scheme is a security scheme as far as it can be said here.
type scheme struct {
	takes  policy.Takes // key, token or either; "" cannot be said
	why    string       // why it cannot be said
	scoped bool         // what a requirement lists are scopes; else they are roles (3.1)
	query  bool         // its keys stand in the query, in the parameter that is read here
}

// readSchemes reads components.securitySchemes and declares the scopes of OAuth flows.
func (im *openAPI) readSchemes() {
	components := im.root["components"]
	declared := mapping(components)["securitySchemes"]
	if components != nil && mapping(components) == nil || declared != nil && mapping(declared) == nil {
		im.note("components.securitySchemes is no mapping; no scheme can be used")
		return
	}
	for _, name := range names(mapping(declared)) {
		where := fmt.Sprintf("security scheme %.60q", name)
		s, err := im.follow(mapping(declared)[name])
		if err != nil {
			im.note("%s: %s; what asks for it is left out", where, err)
			im.schemes[name] = scheme{why: "it cannot be read"}
			continue
		}
		im.unknown(where, s, "type", "description", "name", "in", "scheme", "bearerFormat", "flows", "openIdConnectUrl", "$ref")
		switch kind := text(s["type"]); kind {
		case "apiKey":
			im.schemes[name] = im.apiKey(where, s)
		case "http":
			im.schemes[name] = im.http(where, s)
		case "oauth2":
			im.schemes[name] = scheme{takes: policy.TakesToken, scoped: true}
			im.flows(where, s)
		case "openIdConnect":
			im.schemes[name] = scheme{takes: policy.TakesToken, scoped: true}
			im.note("%s: its tokens come from this server, not from its openIdConnectUrl", where)
		case "mutualTLS":
			im.schemes[name] = scheme{why: "client certificates are no credentials here"}
		default:
			im.schemes[name] = scheme{why: fmt.Sprintf("its type %.40q has no counterpart", kind)}
		}
		if why := im.schemes[name].why; why != "" {
			im.note("%s cannot be used: %s", where, why)
		}
	}
}

func (im *openAPI) apiKey(where string, s object) scheme {
	in, name := text(s["in"]), text(s["name"])
	switch in {
	case "header":
		switch {
		case strings.EqualFold(name, "authorization"):
			im.note("%s: in the Authorization header a key stands behind Bearer here, or in x-api-key", where)
		case !strings.EqualFold(name, "x-api-key"):
			im.note("%s: keys come in the header x-api-key or as Bearer here, not in %.60q", where, name)
		}
	case "query":
		if name == "api_key" {
			return scheme{takes: policy.TakesKey, query: true}
		}
		im.note("%s: keys come in the header x-api-key or as Bearer here, not in the parameter %.60q of the query, where they would get into logs", where, name)
	case "cookie":
		im.note("%s: keys come in the header x-api-key or as Bearer here, not in a cookie; if the cookie %.60q stands for a person who has logged in, let its operations take a token", where, name)
	default:
		return scheme{why: fmt.Sprintf("its keys stand in %.40q, which is no place of OpenAPI", in)}
	}
	return scheme{takes: policy.TakesKey}
}

func (im *openAPI) http(where string, s object) scheme {
	switch kind := strings.ToLower(text(s["scheme"])); {
	case kind == "basic":
		im.note("%s: with Basic, the API key is the user name and the password is empty; if user names stand for people, let its operations take a token", where)
		return scheme{takes: policy.TakesKey}
	case kind == "bearer" && strings.EqualFold(text(s["bearerFormat"]), "jwt"):
		return scheme{takes: policy.TakesToken}
	case kind == "bearer":
		im.note("%s: a Bearer may be a key or a token, and the document does not say which; its operations take either, so say which with takes", where)
		return scheme{takes: policy.TakesEither}
	default:
		return scheme{why: fmt.Sprintf("the HTTP scheme %.40q has no counterpart", kind)}
	}
}

// flows declares the scopes of an OAuth scheme. The flows themselves are this server's.
func (im *openAPI) flows(where string, s object) {
	flows := mapping(s["flows"])
	if len(flows) == 0 {
		im.note("%s: it has no flows, so that its scopes are not known before an operation asks for them", where)
		return
	}
	for _, name := range names(flows) {
		flow := mapping(flows[name])
		switch name {
		case "authorizationCode", "clientCredentials":
		case "implicit", "password":
			im.note("%s: the flow %s does not exist here (OAuth 2.1); apps take the authorization code with PKCE instead", where, name)
		default:
			if strings.HasPrefix(name, "x-") {
				im.extensions = append(im.extensions, name)
				continue
			}
			im.note("%s: OpenAPI has no flow %.40q; it is not read", where, name)
			continue
		}
		im.unknown(where+", flow "+name, flow, "authorizationUrl", "tokenUrl", "refreshUrl", "scopes")
		scopes := mapping(flow["scopes"])
		if flow["scopes"] != nil && scopes == nil {
			im.note("%s: the scopes of its flow %s are no mapping; they are not read", where, name)
		}
		for _, scope := range names(scopes) {
			im.scope(scope, scalar(scopes[scope]))
		}
	}
	im.note("%s: its tokens come from this server, not from the addresses in its flows", where)
}

// demand is what one operation asks, put together from its alternatives.
type demand struct {
	key, token, both bool // an alternative that is satisfied by a key alone, by a token alone, by both together
	anonymous        bool
	silent           bool // neither the operation nor the document says anything
	scopes           []string
	unlike           bool // the alternatives ask different scopes
	usable           bool
	query            bool // one of its keys may stand in the query
}

// asks reads what an operation asks, its own `security` or else the document's; nil when that cannot be said here.
func (im *openAPI) asks(where string, op object) *demand {
	declared, own := op["security"]
	if !own {
		if declared, own = im.root["security"]; !own {
			return &demand{silent: true} // noteSilent
		}
	}
	security, is := declared.([]any)
	if !is {
		im.note("%s is left out: its security is no list", where)
		return nil
	}
	d := im.demand(where, security)
	switch {
	case !d.usable && len(security) == 0, !d.usable && d.anonymous && onlyEmpty(security):
		im.note("%s asks for no credential; no operation is open here, so it takes any key or token and asks for no scope", where)
		return &d
	case !d.usable:
		im.note("%s is left out: nothing of what it asks can be asked here", where)
		return nil
	case d.anonymous:
		im.note("%s can be called without a credential; here it needs one", where)
	}
	if d.unlike {
		im.note("%s asks for different scopes in its alternatives; here every credential needs all of them: %.200s", where, strings.Join(d.scopes, ", "))
	}
	return &d
}

func onlyEmpty(security []any) bool {
	return !slices.ContainsFunc(security, func(v any) bool {
		alternative, is := v.(object)
		return !is || len(alternative) > 0
	})
}

// noteSilent reports operations about whose security nothing is said, in one sentence if that is all of them.
func (im *openAPI) noteSilent() {
	var silent []*candidate
	for _, c := range im.candidates {
		if c.asks != nil && c.asks.silent && !c.out {
			silent = append(silent, c)
		}
	}
	if len(silent) == len(im.candidates) && len(silent) > 0 {
		schemes := ""
		if len(im.schemes) > 0 {
			schemes = fmt.Sprintf(", though there are %d security schemes", len(im.schemes))
			if len(im.schemes) == 1 {
				schemes = ", though there is a security scheme"
			}
		}
		im.note("security: nothing in the document says what an operation asks%s; no operation is open here, so each takes any key or token and asks for no scope", schemes)
		return
	}
	for _, c := range silent {
		im.note("operation %.100q says nothing about security, and neither does the document; no operation is open here, so it takes any key or token and asks for no scope", c.place)
	}
}

// demand reads `security`: a list of alternatives, each a set of schemes that are all needed.
func (im *openAPI) demand(where string, security []any) demand {
	var d demand
	for _, item := range security {
		alternative, is := item.(object)
		switch {
		case !is:
			im.note("%s: an alternative of its security is no mapping; it is not offered", where)
			continue
		case len(alternative) == 0:
			d.anonymous = true
			continue
		}
		w, ok := im.way(where, alternative)
		if !ok {
			continue
		}
		d.unlike = d.unlike || d.usable && !slices.Equal(w.scopes, d.scopes)
		d.usable = true
		d.key = d.key || w.takes == policy.TakesKey || w.takes == policy.TakesEither
		d.token = d.token || w.takes == policy.TakesToken || w.takes == policy.TakesEither
		d.both = d.both || w.takes == policy.TakesBoth
		d.query = d.query || w.query
		d.scopes = append(d.scopes, w.scopes...)
		slices.Sort(d.scopes)
		d.scopes = slices.Compact(d.scopes)
	}
	return d
}

// way is one alternative: what satisfies it.
type way struct {
	takes  policy.Takes
	scopes []string
	query  bool
}

// way reads one alternative. ok is false if it cannot be offered.
func (im *openAPI) way(where string, set object) (w way, ok bool) {
	count := map[policy.Takes]int{}
	for _, name := range names(set) {
		s, known := im.schemes[name]
		switch {
		case !known:
			im.note("%s: there is no security scheme %.60q; the alternative that asks for it is not offered", where, name)
			return way{}, false
		case s.takes == "":
			im.note("%s: the security scheme %.60q cannot be used; the alternative that asks for it is not offered", where, name)
			return way{}, false
		}
		count[s.takes]++
		w.query = w.query || s.query
		wanted, is := set[name].([]any)
		if !is && set[name] != nil {
			im.note("%s: the scopes it asks of %.60q are no list; that alternative is not offered", where, name)
			return way{}, false
		}
		for _, scope := range wanted {
			here, err := im.asked(text(scope), s)
			if err != nil {
				im.note("%s: the scope %.80q %s; the alternative that asks for it is not offered", where, scalar(scope), err)
				return way{}, false
			}
			if here != "" {
				w.scopes = append(w.scopes, here)
			}
		}
	}
	slices.Sort(w.scopes)
	w.scopes = slices.Compact(w.scopes)
	keys, tokens, eithers := count[policy.TakesKey], count[policy.TakesToken], count[policy.TakesEither]
	switch {
	case keys > 0 && tokens+eithers > 0:
		w.takes = policy.TakesBoth // a Bearer beside a key is the token
	case tokens > 0:
		w.takes = policy.TakesToken
	case keys > 0:
		w.takes = policy.TakesKey
	default:
		w.takes = policy.TakesEither
	}
	if keys > 1 || tokens+eithers > 1 {
		im.note("%s asks for several keys or several tokens at once; here one of each kind is all it needs", where)
	}
	return w, true
}

// takes is the strictest kind that one of the alternatives names.
func (d demand) takes() policy.Takes {
	switch {
	case d.key && d.token:
		return policy.TakesEither
	case d.key:
		return policy.TakesKey
	case d.token:
		return policy.TakesToken
	case d.both:
		return policy.TakesBoth
	}
	return policy.TakesEither
}

// keyIn opens the query to keys when an operation that is declared says so, in the parameter that is read here.
func (im *openAPI) keyIn() []string {
	for _, c := range im.candidates {
		if !c.out && c.asks.query {
			return []string{"header", "query"}
		}
	}
	return nil
}
