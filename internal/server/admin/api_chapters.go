package admin

import (
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/page"
)

// chapters are the parts of an API, with what is stored.
func chapters(a lanyard.API) []chapter {
	all := []chapter{nameChapter(a), placeChapter(a), browserChapter(a), countChapter(a), tokenChapter(a), limitChapter(a)}
	for _, c := range all {
		for i := range c.parts {
			c.parts[i].show(c.parts[i].Value)
		}
	}
	return all
}

func nameChapter(a lanyard.API) chapter {
	return chapter{parts: []part{
		{page.Field{ID: "title", Label: "Title", Value: a.Title, Max: 100, Optional: true, Complete: "off", Hint: "How people call it."}, "title", word(func(a *lanyard.API) *string { return &a.Title })},
		{page.Field{ID: "identifier", Label: "Identifier", Value: a.Identifier, Max: 500, Optional: true, Complete: "off", Hint: "The audience of its tokens. Tokens for the old one are refused once it changes."}, "identifier", word(func(a *lanyard.API) *string { return &a.Identifier })},
		{valued(takesField("takes", "It takes", ""), a.Takes), "takes", word(func(a *lanyard.API) *string { return &a.Takes })},
	}}
}

func placeChapter(a lanyard.API) chapter {
	return chapter{"stands", "Where it stands", "What comes in at a route is decided here. The gateway then sends it on to an upstream; proxies that ask Lanyard do that themselves.", []part{
		{page.Field{ID: "routes", Label: "Routes", Type: "textarea", Value: routesText(a), Optional: true, Code: true, Hint: "One a line, like “/weather” or “api.example.com/weather strip_prefix”: a host if only that one is meant, the path, and strip_prefix if the upstream is asked without that path."}, "routes", setRoutes},
		{page.Field{ID: "upstreams", Label: "Upstreams", Type: "textarea", Value: strings.Join(upstreams(a), "\n"), Optional: true, Code: true, Hint: "Where it really is, like http://10.0.0.1:9001. Several, one a line, are asked in turn. Nobody but you and other admins sees them."}, "upstreams", setUpstreams},
		{page.Field{ID: "health_path", Label: "Health check", Value: healthOf(a).Path, Max: 200, Optional: true, Complete: "off", Hint: "A path like /healthz that every upstream answers with a status below 400 while it is well. Empty: none is checked."}, "health.path", ofHealth(func(h *lanyard.HealthCheck, text string) { h.Path = text })},
		{page.Field{ID: "health_every", Label: "Checked every", Value: healthOf(a).Every, Max: 20, Optional: true, Complete: "off", Hint: "Like 10s. Empty: 5s, if there is a check."}, "health.every", ofHealth(func(h *lanyard.HealthCheck, text string) { h.Every = text })},
		{page.Field{ID: "timeout", Label: "Begins its answer within", Value: a.Timeout, Max: 20, Optional: true, Complete: "off", Hint: "Like 30s. Empty: 60s. Who waits longer is told 504."}, "timeout", word(func(a *lanyard.API) *string { return &a.Timeout })},
	}}
}

func browserChapter(a lanyard.API) chapter {
	return chapter{"browsers", "Browsers", "Which sites’ scripts may call it. Browsers ask first, and the answer is given here: it reaches no upstream and counts for nothing.", []part{
		{page.Field{ID: "origins", Label: "Web origins", Type: "textarea", Value: strings.Join(originsOf(a), "\n"), Optional: true, Code: true, Hint: "One a line, like https://app.example. Empty: none."}, "cors.origins", setOrigins},
	}}
}

func countChapter(a lanyard.API) chapter {
	unsaid := "" // both mean the same; what is stored stays
	if a.Charge == "allow" {
		unsaid = a.Charge
	}
	return chapter{"counting", "Counting", "What is not counted can be neither limited by quota nor billed. Calls that are refused use up nothing.", []part{
		{valued(choice("metering", "Metering", "", "", "exact", "Count every call", "none", "Count nothing"), a.Metering), "metering", word(func(a *lanyard.API) *string { return &a.Metering })},
		{valued(choice("charge", "The gateway counts a call", "", "Proxies that ask Lanyard never tell the answer: there a call counts once it is allowed.", unsaid, "Once it goes to an upstream", "success", "If its answer has a status below 400"), a.Charge), "charge", word(func(a *lanyard.API) *string { return &a.Charge })},
		{page.Field{ID: "meters", Label: "Meters", Type: "textarea", Value: metersText(a), Optional: true, Code: true, Hint: "What events count beside calls, one a line: name, type of the events, and what it is in words. Like “storage_gb com.acme.storage gigabytes stored”."}, "meters", setMeters},
		{page.Field{ID: "stripe", Label: "Told to Stripe", Type: "textarea", Value: stripeText(a), Optional: true, Code: true, Hint: "A meter and its event name at Stripe, one a line. Like “requests weather_calls”."}, "stripe", setStripe},
	}}
}

func tokenChapter(a lanyard.API) chapter {
	token := tokenOf(a)
	return chapter{"tokens", "Tokens", "Whoever does not ask here can check a JWT by its signature alone, and there it works until it ends. An opaque one nobody else can read.", []part{
		{valued(choice("format", "Its tokens are", "", "", "jwt", "JWTs", "opaque", "Opaque"), token.Format), "token.format", ofToken(func(t *lanyard.TokenRules, text string) { t.Format = text })},
		{page.Field{ID: "lifetime", Label: "Each is worth", Value: token.Lifetime, Max: 20, Optional: true, Complete: "off", Hint: "Like 15m or 1h; at most 24h."}, "token.lifetime", ofToken(func(t *lanyard.TokenRules, text string) { t.Lifetime = text })},
		{valued(choice("algorithm", "JWTs are signed with", "", "", "", "ES256, as most are", "ES256", "ES256", "RS256", "RS256", "PS256", "PS256", "EdDSA", "EdDSA"), token.Algorithm), "token.algorithm", ofToken(func(t *lanyard.TokenRules, text string) { t.Algorithm = text })},
	}}
}

func limitChapter(a lanyard.API) chapter {
	return chapter{"bounds", "Limits", "They hold beside those of plans. What goes beyond is refused.", []part{
		{page.Field{ID: "limits", Label: "Limits on all callers together", Type: "textarea", Value: strings.Join(a.Limits, "\n"), Optional: true, Code: true, Hint: "One a line, like 1000/second. Beyond them everybody is refused, whoever called."}, "limits", list(func(a *lanyard.API) *[]string { return &a.Limits })},
		{page.Field{ID: "user_limits", Label: "Limits on each person", Type: "textarea", Value: strings.Join(a.UserLimits, "\n"), Optional: true, Code: true, Hint: "On calls on one person’s behalf, through whatever app: one a line, like 60/minute."}, "user_limits", list(func(a *lanyard.API) *[]string { return &a.UserLimits })},
	}}
}

// valued is a field with what it reads.
func valued(f page.Field, text string) page.Field {
	f.Value = text
	return f
}
