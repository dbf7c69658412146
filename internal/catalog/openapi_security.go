package catalog

import (
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// scheme is a security scheme as far as it can be said here.
type scheme struct {
	takes  policy.Takes // key, token or either; "" cannot be said
	scoped bool         // its requirements list scopes
}

// readSchemes reads components.securitySchemes and declares the scopes of OAuth flows.
func (im *openAPI) readSchemes() {
	all := mapping(mapping(im.root["components"])["securitySchemes"])
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s, err := im.follow(all[name])
		if err != nil {
			im.note("security scheme %.60q: %s", name, err)
			continue
		}
		switch kind := text(s["type"]); kind {
		case "apiKey":
			im.schemes[name] = im.apiKey(name, s)
		case "http":
			im.schemes[name] = im.http(name, s)
		case "oauth2":
			im.schemes[name] = scheme{policy.TakesToken, true}
			flows := mapping(s["flows"])
			for _, flow := range slices.Sorted(maps.Keys(flows)) {
				scopes := mapping(mapping(flows[flow])["scopes"])
				for _, scope := range slices.Sorted(maps.Keys(scopes)) {
					im.scope(scope, text(scopes[scope]))
				}
			}
		case "openIdConnect":
			im.schemes[name] = scheme{policy.TakesToken, true}
		default:
			im.note("security scheme %.60q: type %.40q has no counterpart", name, kind)
			im.schemes[name] = scheme{}
		}
	}
}

func (im *openAPI) apiKey(name string, s object) scheme {
	switch in, header := text(s["in"]), text(s["name"]); {
	case in == "header" && !strings.EqualFold(header, "x-api-key") && !strings.EqualFold(header, "authorization"):
		im.note("security scheme %.60q: keys come in the header x-api-key or as Bearer here, not in %.60q", name, header)
	case in == "query":
		im.note(`security scheme %.60q: keys in the query get into logs; allow them with "key_in: [header, query]" if you must`, name)
	case in == "cookie":
		im.note("security scheme %.60q: keys do not come in cookies here", name)
	}
	return scheme{takes: policy.TakesKey}
}

func (im *openAPI) http(name string, s object) scheme {
	switch kind := strings.ToLower(text(s["scheme"])); {
	case kind == "basic":
		im.note("security scheme %.60q: with Basic, the API key is the user name", name)
		return scheme{takes: policy.TakesKey}
	case kind == "bearer" && strings.EqualFold(text(s["bearerFormat"]), "jwt"):
		return scheme{takes: policy.TakesToken}
	case kind == "bearer":
		im.note("security scheme %.60q: Bearer may be a key or a token, so its operations take either; say which with takes", name)
		return scheme{takes: policy.TakesEither}
	default:
		im.note("security scheme %.60q: http scheme %.40q has no counterpart", name, kind)
		return scheme{}
	}
}

// scope declares a scope and returns its name here; "" when it cannot have one.
func (im *openAPI) scope(name, description string) string {
	here := strings.NewReplacer(":", ".", "/", ".").Replace(strings.ToLower(name))
	if policy.ValidScope(here) != nil || strings.HasPrefix(here, ManagementName+".") || here == ManagementName {
		im.note("scope %.80q: its name is not possible here; operations that ask for it are left out", name)
		return ""
	}
	if here != name {
		im.note("scope %.80q is called %q here", name, here)
	}
	description = strings.TrimSpace(description)
	if fault.CheckName("text", description, 120) != nil {
		description = ""
	}
	declared, known := im.scopes[here]
	switch {
	case known && (declared.Text != here || description == ""):
		return here
	case description == "":
		im.note(`scope %q: say in its text what it allows, such as "read your profile"`, here)
		description = here
	}
	im.scopes[here] = lanyard.Scope{Text: description}
	return here
}

// demand is what one operation asks, put together from its alternatives.
type demand struct {
	key, token, both bool // an alternative that is satisfied by a key alone, by a token alone, by both together
	anonymous        bool
	scopes           []string
	unlike           bool // the alternatives ask different scopes
	usable           bool
}

// demand reads `security`: a list of alternatives, each a set of schemes that are all needed.
func (im *openAPI) demand(where string, security []any) demand {
	var d demand
	for _, item := range security {
		alternative := mapping(item)
		if len(alternative) == 0 {
			d.anonymous = true
			continue
		}
		key, token, scopes, ok := im.alternative(where, alternative)
		if !ok {
			continue
		}
		d.unlike = d.unlike || d.usable && !slices.Equal(scopes, d.scopes)
		d.usable = true
		switch {
		case key && token && len(alternative) > 1:
			d.both = true
		default:
			d.key, d.token = d.key || key, d.token || token
		}
		d.scopes = append(d.scopes, scopes...)
		slices.Sort(d.scopes)
		d.scopes = slices.Compact(d.scopes)
	}
	return d
}

// alternative says what one set of schemes wants. key and token together are both needed when the set has several schemes, and
// either will do when it has one.
func (im *openAPI) alternative(where string, set object) (key, token bool, scopes []string, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		s := im.schemes[name]
		switch s.takes {
		case policy.TakesKey:
			key = true
		case policy.TakesToken:
			token = true
		case policy.TakesEither:
			key, token = key || len(set) == 1, true // beside others it is the token
		default:
			im.note("%s: the security scheme %.60q cannot be used", where, name)
			return false, false, nil, false
		}
		if !s.scoped {
			continue
		}
		for _, wanted := range list(set[name]) {
			here := im.scope(text(wanted), "")
			if here == "" {
				return false, false, nil, false
			}
			scopes = append(scopes, here)
		}
	}
	slices.Sort(scopes)
	return key, token, slices.Compact(scopes), key || token
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
