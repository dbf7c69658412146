package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// Finding is something that the author of an API may not have meant. It is no fault: the declaration stands.
type Finding struct {
	Rule  string `json:"rule"`
	About string `json:"about"` // the operation, scope or field
	Text  string `json:"text"`  // a sentence: what is there, what comes of it, what to do instead
}

// The rules of Lint.
const (
	RulePrivateByKey    = "private-by-key"
	RulePublicByLogin   = "public-by-login"
	RuleWriteNoScope    = "write-without-scope"
	RuleWildcard        = "wildcard"
	RuleReadWantsWrite  = "read-wants-write"
	RuleDefaultWrites   = "default-writes"
	RuleScopeNeverAsked = "scope-never-asked"
	RuleKeyInQuery      = "key-in-query"
	RuleOriginTooWide   = "origin-too-wide"
	RuleUpstreamNoTLS   = "upstream-without-tls"
)

// Rules are the rules of Lint in the order of their findings, each with what it finds.
func Rules() [][2]string {
	return [][2]string{
		{RulePrivateByKey, "a person's data that an API key opens"},
		{RulePublicByLogin, "data that is the same for everybody, behind a login"},
		{RuleWriteNoScope, "a change that asks for no scope, or for none that writes"},
		{RuleReadWantsWrite, "a read that asks for a scope that writes"},
		{RuleWildcard, "an operation for every method, or for paths that others guard better"},
		{RuleDefaultWrites, "a scope that writes and is given to who asks for nothing"},
		{RuleScopeNeverAsked, "a scope that no operation asks for"},
		{RuleKeyInQuery, "keys in addresses"},
		{RuleOriginTooWide, "a web origin that others can speak for"},
		{RuleUpstreamNoTLS, "an upstream that is reached without TLS"},
	}
}

// Lint says what the author of a normalised declaration may not have meant, operation by operation, then scope by scope, then of
// the whole. It would rather miss something than cry wolf: what it cannot tell from names and texts it keeps silent about.
func Lint(a lanyard.API) []Finding {
	l := &linter{API: a}
	ops := slices.Sorted(maps.Keys(a.Operations))
	for _, name := range ops {
		o := l.demandOf(name)
		l.private(o)
		l.public(o)
		l.write(o)
		l.read(o)
		l.wildcard(o, ops)
	}
	l.writesWithoutScopes(ops)
	l.defaults()
	l.neverAsked()
	l.places()
	return l.findings
}

type linter struct {
	lanyard.API
	findings []Finding
}

func (l *linter) say(rule, about, format string, args ...any) {
	l.findings = append(l.findings, Finding{rule, about, fmt.Sprintf(format, args...)})
}

// linted is an operation with what it asks in effect.
type linted struct {
	name, method, path string
	takes              policy.Takes
	scopes             []string
}

func (l *linter) demandOf(name string) linted {
	op := l.Operations[name]
	o := linted{name: name, takes: policy.Takes(cmp.Or(op.Takes, l.Takes, string(policy.TakesEither))), scopes: op.Scopes}
	o.method, o.path, _ = strings.Cut(name, " ")
	return o
}

// changes reports whether the method of an operation's name is one that changes things (RFC 9110 section 9.2.1). ANY is not
// among them: that is a finding of its own.
func changes(name string) bool {
	method, _, _ := strings.Cut(name, " ")
	return slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, method)
}

func reads(name string) bool {
	method, _, _ := strings.Cut(name, " ")
	return method == "GET" || method == "HEAD"
}

// private finds a person's data that a key opens.
func (l *linter) private(o linted) {
	sign := l.privateSign(o)
	switch {
	case sign == "":
	case o.takes == policy.TakesKey:
		l.say(RulePrivateByKey, o.name, "%s takes an API key, but %s: a key says which app is calling and never for whom, so that whoever holds one reaches everybody’s. Let it take a token.", o.name, sign)
	case o.takes == policy.TakesEither:
		l.say(RulePrivateByKey, o.name, "%s also takes an API key, but %s: with a key there is no person whose data it could be. Let it take a token alone, or both together.", o.name, sign)
	}
}

// public finds a login before what is the same for everybody.
func (l *linter) public(o linted) {
	if o.takes != policy.TakesToken && o.takes != policy.TakesBoth || !reads(o.name) || l.privateSign(o) != "" {
		return
	}
	if sign := publicSign(o); sign != "" {
		l.say(RulePublicByLogin, o.name, "%s wants a token, but %s: what is the same for everybody needs no person, and a login only keeps programs out. Let it take a key, or either.", o.name, sign)
		return
	}
	if len(o.scopes) == 0 {
		l.say(RulePublicByLogin, o.name, "%s wants a token and asks for no scope: whoever can log in gets it, with any app. If the answer is the same for everybody, let it take a key; if it is somebody’s own, ask for a scope that says so.", o.name)
	}
}

// write finds changes that whoever may read can make.
func (l *linter) write(o linted) {
	if !changes(o.name) {
		return
	}
	if len(o.scopes) == 0 {
		if len(l.Scopes) > 0 {
			l.say(RuleWriteNoScope, o.name, "%s changes things and asks for no scope: every credential that is good for this API may do it. Ask for a scope with writes: true.", o.name)
		}
		return
	}
	// Keys are handed out without a consent page, and a POST with a scope that reads is mostly a search.
	if o.takes == policy.TakesKey || o.method == "POST" || slices.ContainsFunc(o.scopes, l.writes) {
		return
	}
	l.say(RuleWriteNoScope, o.name, "%s changes things, but nothing that it asks for is marked as writing (%s): people who consent are told of no change. Say writes: true, or ask for a scope that has it.", o.name, strings.Join(o.scopes, ", "))
}

// writesWithoutScopes finds changes of an API that has no scopes at all, in one sentence.
func (l *linter) writesWithoutScopes(ops []string) {
	const most = 3
	if len(l.Scopes) > 0 {
		return
	}
	writes := slices.DeleteFunc(slices.Clone(ops), func(name string) bool { return !changes(name) })
	if len(writes) > 0 {
		l.say(RuleWriteNoScope, "scopes", "the API has operations that change things (%s) and no scopes: a credential that is meant to read cannot be kept from writing. Declare a scope with writes: true, and ask for it there.", some(writes, most))
	}
}

// read finds reads that make people give more than they need.
func (l *linter) read(o linted) {
	for _, scope := range o.scopes {
		if reads(o.name) && l.writes(scope) {
			l.say(RuleReadWantsWrite, o.name, "%s reads, but asks for %s, which writes: who only reads has to be given more than they need. Ask for a scope that reads.", o.name, scope)
		}
	}
}

// writes reports whether a scope allows changes, itself or by what it includes.
func (l *linter) writes(scope string) bool {
	return slices.ContainsFunc(l.closure(scope), func(name string) bool { return l.Scopes[name].Writes })
}

// closure is a scope with all that it includes.
func (l *linter) closure(scope string) []string {
	all := []string{scope}
	for i := 0; i < len(all); i++ {
		for _, name := range l.Scopes[all[i]].Includes {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// wildcard finds operations that reach further than their author may see: every method, or paths around what others guard.
func (l *linter) wildcard(o linted, ops []string) {
	const most = 3
	template, err := policy.ParseTemplate(o.name)
	if err != nil {
		return
	}
	var around []string
	if template.Rest() {
		for _, name := range ops {
			other, err := policy.ParseTemplate(name)
			if err == nil && template.Against(other) == policy.Wider && asksLess(o, l.demandOf(name)) {
				around = append(around, name)
			}
		}
	}
	every := o.method == policy.AnyMethod
	switch {
	case len(around) > 0:
		l.say(RuleWildcard, o.name, "%s asks less than %s and matches what lies around: paths below, names that are spelt otherwise, methods that nobody declared. Name the operations that are meant, or ask here as much as there.", o.name, some(around, most))
	case every && template.Rest():
		l.say(RuleWildcard, o.name, "%s matches every method and every path below it, also those that the API will only have tomorrow: reading and deleting ask for the same. Name its operations, or import its OpenAPI document.", o.name)
	case every:
		l.say(RuleWildcard, o.name, "%s matches every method: reading and deleting ask for the same. Name the methods.", o.name)
	}
}

// asksLess reports whether some credential that is good for o is not good for other.
func asksLess(o, other linted) bool {
	if o.takes != other.takes && o.takes != policy.TakesBoth && other.takes != policy.TakesEither {
		return true
	}
	return slices.ContainsFunc(other.scopes, func(scope string) bool { return !slices.Contains(o.scopes, scope) })
}

// defaults finds scopes that write and are given to who asks for nothing.
func (l *linter) defaults() {
	for _, name := range slices.Sorted(maps.Keys(l.Scopes)) {
		if l.Scopes[name].Default && l.writes(name) {
			l.say(RuleDefaultWrites, "scope "+name, "the scope %s writes and is a default: an app that asks for nothing in particular may change things. Let apps ask for it by name.", name)
		}
	}
}

// neverAsked finds scopes that open nothing, themselves or by what they include. Without operations nothing can be told.
func (l *linter) neverAsked() {
	if len(l.Operations) == 0 {
		return
	}
	asked := map[string]bool{}
	for _, op := range l.Operations {
		for _, scope := range op.Scopes {
			asked[scope] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Scopes)) {
		if !slices.ContainsFunc(l.closure(name), func(included string) bool { return asked[included] }) {
			l.say(RuleScopeNeverAsked, "scope "+name, "no operation asks for the scope %s: whoever grants it grants nothing, unless your API asks for it by itself. Name it where it belongs, or take it out.", name)
		}
	}
}

// places finds ways that others can listen on or speak from.
func (l *linter) places() {
	if slices.Contains(l.KeyIn, "query") {
		l.say(RuleKeyInQuery, "key_in", "keys may stand in the address (key_in), and addresses end up in logs, histories and Referer headers, from where keys leak. Let them stand in the header alone.")
	}
	upstream, err := url.Parse(l.Upstream)
	local := err == nil && loopback(upstream.Hostname())
	if l.CORS != nil {
		for _, text := range l.CORS.Origins {
			origin, err := url.Parse(text)
			switch {
			case err != nil:
			case loopback(origin.Hostname()) && l.Upstream != "" && !local:
				l.say(RuleOriginTooWide, "cors.origins", "%s may call from browsers (cors): whatever program runs on a person’s own machine can be that origin. Take it out where the API is in earnest.", text)
			case origin.Scheme == "http" && !loopback(origin.Hostname()):
				l.say(RuleOriginTooWide, "cors.origins", "%s may call from browsers (cors): without TLS, whoever is on the way can be that origin. Name it with https.", text)
			}
		}
	}
	if err == nil && upstream.Scheme == "http" && !local {
		l.say(RuleUpstreamNoTLS, "upstream", "the upstream %s is reached without TLS: whoever is on the way reads and changes what passes. Use https, or keep both on one machine.", l.Upstream)
	}
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && address.IsLoopback()
}

// some names the first of a list and counts the others.
func some(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d others", strings.Join(names[:most], ", "), len(names)-most)
}
