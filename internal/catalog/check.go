package catalog

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// ManagementName is the name of Lanyard's own API. It cannot be declared.
const ManagementName = "lanyard"

const (
	maxTokenLifetime = 24 * time.Hour
	maxOperations    = 2000
	maxScopes        = 500
	maxPlans         = 50
	maxMeters        = 20
	maxLimits        = 8
	maxURI           = 500
)

var (
	namePattern  = regexp.MustCompile(`^[a-z][a-z0-9-]{1,62}$`)
	colorPattern = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)
)

// ValidName reports whether an API can have the name. Lanyard's own API is not among them.
func ValidName(name string) bool { return namePattern.MatchString(name) && name != ManagementName }

// Normalise checks one API's declaration and returns it with every default written out; a is not changed. The first fault
// is returned as a fault.Error whose field is the path below the API.
func Normalise(name string, a lanyard.API) (lanyard.API, error) {
	if !ValidName(name) {
		return a, fault.Field("", "API name %.80q must match [a-z][a-z0-9-]{1,62} and not be %q", name, ManagementName)
	}
	a.Name = name
	setDefault(&a.Takes, string(policy.TakesEither))
	setDefault(&a.Metering, "exact")
	if len(a.KeyIn) == 0 {
		a.KeyIn = []string{"header"}
	}
	token := lanyard.TokenRules{}
	if a.Token != nil {
		token = *a.Token
	}
	setDefault(&token.Format, "jwt")
	setDefault(&token.Lifetime, map[string]string{"jwt": "15m", "opaque": "1h"}[token.Format])
	a.Token = &token
	a.Scopes, a.Operations, a.Plans = maps.Clone(a.Scopes), maps.Clone(a.Operations), maps.Clone(a.Plans)
	for _, check := range []func(*lanyard.API) error{checkSizes, checkWords, checkPlaces, checkScopes, checkOperations, checkMeters, checkStripe, checkPlans, checkAPILimits} {
		if err := check(&a); err != nil {
			return a, err
		}
	}
	return a, nil
}

func setDefault(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

// checkSizes holds the bounds that the wire types' tags promise, for declarations that come another way.
func checkSizes(a *lanyard.API) error {
	type size struct {
		field   string
		n, most int
	}
	sizes := []size{
		{"identifier", len(a.Identifier), maxURI},
		{"upstream", len(a.Upstream), maxURI},
		{"routes", len(a.Routes), 50},
		{"scopes", len(a.Scopes), maxScopes},
		{"operations", len(a.Operations), maxOperations},
		{"meters", len(a.Meters), maxMeters},
		{"plans", len(a.Plans), maxPlans},
		{"limits", len(a.Limits), maxLimits},
		{"user_limits", len(a.UserLimits), maxLimits},
	}
	for i, r := range a.Routes {
		sizes = append(sizes, size{fmt.Sprintf("routes[%d].host", i), len(r.Host), 253}, size{fmt.Sprintf("routes[%d].prefix", i), len(r.Prefix), 200})
	}
	if a.CORS != nil {
		sizes = append(sizes, size{"cors.origins", len(a.CORS.Origins), 100})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Scopes)) {
		sizes = append(sizes, size{"scopes." + name + ".includes", len(a.Scopes[name].Includes), 50})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Operations)) {
		sizes = append(sizes, size{"operations." + name, len(name), 512}, size{"operations." + name + ".scopes", len(a.Operations[name].Scopes), 20})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Plans)) {
		sizes = append(sizes, size{"plans." + name + ".limits", len(a.Plans[name].Limits), maxLimits})
	}
	for _, s := range sizes {
		if s.n > s.most {
			return fault.Field(s.field, "is too large: at most %d", s.most)
		}
	}
	return nil
}

func checkWords(a *lanyard.API) error {
	if !policy.Takes(a.Takes).Valid() {
		return fault.Field("takes", "must be key, token, either or both, not %.40q", a.Takes)
	}
	if a.Metering != "exact" && a.Metering != "none" {
		return fault.Field("metering", "must be exact or none, not %.40q", a.Metering)
	}
	for i, in := range a.KeyIn {
		if in != "header" && in != "query" {
			return fault.Field(fmt.Sprintf("key_in[%d]", i), "must be header or query, not %.40q", in)
		}
	}
	if a.Title != "" {
		if err := fault.CheckName("title", a.Title, 100); err != nil {
			return err
		}
	}
	if alg := a.Token.Algorithm; alg != "" && alg != "ES256" && alg != "RS256" && alg != "PS256" && alg != "EdDSA" {
		return fault.Field("token.algorithm", "must be ES256, RS256, PS256 or EdDSA, not %.40q", alg)
	}
	if a.Token.Format != "jwt" && a.Token.Format != "opaque" {
		return fault.Field("token.format", "must be jwt or opaque, not %.40q", a.Token.Format)
	}
	life, err := time.ParseDuration(a.Token.Lifetime)
	if err != nil || life < time.Second || life > maxTokenLifetime {
		return fault.Field("token.lifetime", "must be between 1s and 24h, such as 15m, not %.40q", a.Token.Lifetime)
	}
	return nil
}

func checkPlaces(a *lanyard.API) error {
	if a.Identifier != "" && !absoluteURI(a.Identifier, "https", "http", "urn") {
		return fault.Field("identifier", "must be an absolute URI without fragment, such as https://api.example/weather (RFC 8707 section 2)")
	}
	if err := checkUpstreams(a); err != nil {
		return err
	}
	for i, r := range a.Routes {
		field := fmt.Sprintf("routes[%d].prefix", i)
		if _, err := policy.NormalPath(r.Prefix); err != nil || strings.ContainsRune(r.Prefix, '%') {
			return fault.Field(field, `must be a plain path such as "/weather"`)
		}
		if r.Host != "" && (r.Host != strings.ToLower(r.Host) || strings.ContainsAny(r.Host, "/:@ *") || strings.HasSuffix(r.Host, ".")) {
			return fault.Field(fmt.Sprintf("routes[%d].host", i), "must be a lower-case host name without port")
		}
	}
	if a.CORS != nil {
		cors := lanyard.CORS{Origins: make([]string, 0, len(a.CORS.Origins))}
		for i, o := range a.CORS.Origins {
			origin, err := policy.ParseOrigin(o)
			if err != nil {
				return fault.Field(fmt.Sprintf("cors.origins[%d]", i), "%s", err)
			}
			cors.Origins = append(cors.Origins, origin)
		}
		a.CORS = &cors
	}
	return nil
}

func absoluteURI(text string, schemes ...string) bool {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Fragment != "" || strings.Contains(text, "#") || u.User != nil {
		return false
	}
	return u.Host != "" || u.Opaque != ""
}

func checkScopes(a *lanyard.API) error {
	for _, name := range slices.Sorted(maps.Keys(a.Scopes)) {
		s := a.Scopes[name]
		field := "scopes." + name
		if strings.HasPrefix(name, ManagementName+".") || name == ManagementName {
			return fault.Field(field, `scopes that begin "lanyard." are the server's own`)
		}
		if err := fault.CheckName(field+".text", s.Text, 120); err != nil {
			return err
		}
		setDefault(&s.GrantableBy, string(policy.GrantableByEveryone))
		switch policy.Grantor(s.GrantableBy) {
		case policy.GrantableByEveryone, policy.GrantableByTeamOwner, policy.GrantableByAdmin:
		default:
			return fault.Field(field+".grantable_by", "must be everyone, team_owner or admin, not %.40q", s.GrantableBy)
		}
		a.Scopes[name] = s
	}
	if _, err := policy.NewScopes(policyScopes(a.Scopes)); err != nil {
		return fault.Field("scopes", "%s", err)
	}
	return nil
}

func checkOperations(a *lanyard.API) error {
	for _, name := range slices.Sorted(maps.Keys(a.Operations)) {
		op, field := a.Operations[name], "operations."+name
		if op.Takes != "" && !policy.Takes(op.Takes).Valid() {
			return fault.Field(field+".takes", "must be key, token, either or both, not %.40q", op.Takes)
		}
		for _, s := range op.Scopes {
			if _, declared := a.Scopes[s]; !declared {
				return fault.Field(field+".scopes", "%.80q is not declared under this API's scopes", s)
			}
		}
		if op.Cost == nil {
			op.Cost = new(int64(1))
		}
		if *op.Cost < 0 || *op.Cost > 1_000_000 {
			return fault.Field(field+".cost", "must be between 0 and 1000000")
		}
		if err := checkMaxAge(op, a.Takes); err != nil {
			return fault.Field(field+".max_age", "%s", err)
		}
		a.Operations[name] = op
	}
	if _, err := policy.NewOperations(policyOperations(a.Operations)); err != nil {
		return fault.Field("operations", "%s", err)
	}
	return nil
}

// maxSignIn is the longest that a max_age may be: sessions end before.
const maxSignIn = 30 * 24 * time.Hour

func checkMaxAge(op lanyard.Operation, takes string) error {
	if op.MaxAge == "" {
		return nil
	}
	age, err := time.ParseDuration(op.MaxAge)
	if err != nil || age < time.Second || age > maxSignIn || age%time.Second != 0 {
		return fmt.Errorf("must be whole seconds between 1s and %s, such as 5m, not %.40q", maxSignIn, op.MaxAge)
	}
	if op.Takes != "" {
		takes = op.Takes
	}
	if takes != string(policy.TakesToken) && takes != string(policy.TakesBoth) {
		return errors.New("asks that a user signed in, so the operation must take token or both: an API key has no user")
	}
	return nil
}

// CheckBrand checks the provider's face.
func CheckBrand(b lanyard.Brand) error {
	if b.Name != "" {
		if err := fault.CheckName("name", b.Name, 60); err != nil {
			return err
		}
	}
	if b.KeyPrefix != "" {
		if err := secret.ValidPrefix(b.KeyPrefix); err != nil {
			return fault.Field("key_prefix", "%s", err)
		}
	}
	if b.Color != "" && !colorPattern.MatchString(b.Color) {
		return fault.Field("color", `must read "#0a7" or "#00aa77"`)
	}
	for _, link := range []struct{ field, value string }{{"terms", b.Terms}, {"privacy", b.Privacy}} {
		if link.value != "" && (!absoluteURI(link.value, "https", "http") || len(link.value) > maxURI) {
			return fault.Field(link.field, "must be an http or https address of at most %d characters", maxURI)
		}
	}
	for _, text := range []struct {
		field, value string
		most         int
	}{{"logo", b.Logo, 500}, {"support", b.Support, 200}} {
		if text.value != "" {
			if err := fault.CheckName(text.field, text.value, text.most); err != nil {
				return err
			}
		}
	}
	return nil
}

// Validate checks what holds between APIs: a scope and a route belong to one API only.
func (s *State) Validate() error {
	scopes, routes, audiences := map[string]string{}, map[lanyard.Route]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.APIs)) {
		a := s.APIs[name]
		for _, scope := range slices.Sorted(maps.Keys(a.Scopes)) {
			if other, taken := scopes[scope]; taken {
				return fault.Field("apis."+name+".scopes."+scope, "API %q declares this scope already; a scope is unique on a server, so name it after the API, such as %s.%s", other, name, scope)
			}
			scopes[scope] = name
		}
		for i, r := range a.Routes {
			place := lanyard.Route{Host: r.Host, Prefix: strings.TrimSuffix(r.Prefix, "/")}
			if other, taken := routes[place]; taken {
				return fault.Field(fmt.Sprintf("apis.%s.routes[%d]", name, i), "API %q stands at this place already", other)
			}
			routes[place] = name
		}
		if a.Identifier != "" {
			if other, taken := audiences[a.Identifier]; taken {
				return fault.Field("apis."+name+".identifier", "API %q has this identifier already", other)
			}
			audiences[a.Identifier] = name
		}
	}
	return nil
}
