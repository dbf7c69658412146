package main

import (
	"cmp"
	"context"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// referenceScheme begins a value that says where a secret is and holds none.
const referenceScheme = "lanyard://"

// reference is one, taken apart.
type reference struct {
	kind, rest string // keys, WeatherDashboard
	query      url.Values
}

// parseReference refuses what is not understood whole: a scope that is lost by a typing error is a key that may do too much.
func parseReference(text string) (reference, error) {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Fragment != "" || u.Port() != "" {
		return reference{}, usage("the reference cannot be read; `lanyard run --help` shows those there are")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return reference{}, usage("what follows the ? cannot be read; write name=value, with & between")
	}
	r := reference{u.Host, strings.TrimPrefix(u.Path, "/"), query}
	known, ok := map[string][]string{
		"keys": {"scope", "mode", "expires", "ip"}, "token": {"app", "scope", "from", "resource"}, "login": nil, "file": nil, "credential": nil,
	}[r.kind]
	if !ok {
		return reference{}, usage("there is no reference lanyard://%.40s; there are keys, token, login, file and credential", secret.Redact(r.kind))
	}
	for name, values := range query {
		switch {
		case !slices.Contains(known, name):
			return reference{}, usage("lanyard://%s has no %.40q", r.kind, secret.Redact(name))
		case len(values) > 1 && name != "scope" && name != "ip":
			return reference{}, usage("%s is given twice", name)
		case slices.Contains(values, ""):
			return reference{}, usage("%s is empty", name)
		}
	}
	if wantsRest := r.kind == "keys" || r.kind == "file" || r.kind == "credential"; wantsRest == (r.rest == "") {
		return reference{}, usage("it does not read as a reference of that kind does: lanyard://keys/APP, lanyard://token?…, lanyard://login, lanyard://file/PATH or lanyard://credential/NAME")
	}
	return r, nil
}

// secretOf is the name of the variable whose client secret a reference uses, or "".
func secretOf(value string) string {
	if !strings.HasPrefix(value, referenceScheme+"token") {
		return ""
	}
	ref, err := parseReference(value)
	if err != nil {
		return "" // said when it is resolved
	}
	return ref.query.Get("from")
}

// resolver gets what references stand for, and takes back what it made.
type resolver struct {
	program *program
	file    map[string]string // its variables, passed on or not
	command string
	made    []lanyard.Key
	client  *lanyard.Client // by which they were made
}

// all puts secrets into the place of references in env, and returns them. The same reference stands for the same secret.
func (r *resolver) all(ctx context.Context, env map[string]string) ([]string, error) {
	known := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		text := env[name]
		if !strings.HasPrefix(text, referenceScheme) {
			continue
		}
		value, ok := known[text]
		if !ok {
			got, err := r.one(ctx, text)
			if err != nil {
				return nil, ofVariable(name, err)
			}
			value = got.Reveal()
			known[text] = value
		}
		env[name] = value
	}
	return slices.Collect(maps.Values(known)), nil
}

// ofVariable says which variable an error is about.
func ofVariable(name string, err error) error {
	if exitOf(err) == exitUsage {
		return usage("%s: %s", name, sentence(err))
	}
	return fault.New(cmp.Or(fault.KindOf(err), fault.Unavailable), "%s: %s", name, sentence(err))
}

func (r *resolver) one(ctx context.Context, text string) (secret.Secret, error) {
	ref, err := parseReference(text)
	if err != nil {
		return secret.Secret{}, err
	}
	switch ref.kind {
	case "keys":
		return r.key(ctx, ref)
	case "token":
		return r.token(ctx, ref)
	case "login":
		return r.program.loginToken(ctx)
	case "file":
		return fileSecret(ref.rest)
	}
	found, err := config.Secret(r.lookup, ref.rest)
	if err == nil && found.IsZero() {
		return found, usage("there is neither $CREDENTIALS_DIRECTORY/%.60s nor %[1]s_FILE", ref.rest)
	}
	return found, err
}

// lookup finds a variable in the environment, in the file, and in .env, unless it is a reference.
func (r *resolver) lookup(name string) string {
	value := cmp.Or(r.program.getenv(name), r.file[name])
	if value == "" {
		if getenv, err := r.program.environ(); err == nil { // a .env that cannot be read was said to be by then
			value = getenv(name)
		}
	}
	if strings.HasPrefix(value, referenceScheme) {
		return ""
	}
	return value
}

// runLasts is how long a key lasts that nobody could revoke.
const runLasts = "8h"

func (r *resolver) key(ctx context.Context, ref reference) (secret.Secret, error) {
	in := lanyard.KeyInput{Name: r.keyName(), Scopes: ref.query["scope"], Mode: ref.query.Get("mode"), IPAllow: ref.query["ip"]}
	var err error
	if in.ExpiresAt, err = moment("expires", cmp.Or(ref.query.Get("expires"), runLasts), r.program.now()); err != nil {
		return secret.Secret{}, err
	}
	if r.client == nil {
		if r.client, err = r.program.client(); err != nil {
			return secret.Secret{}, err
		}
	}
	app, err := findApp(ctx, r.client, ref.rest)
	if err != nil {
		return secret.Secret{}, err
	}
	// Interrupted now, it would not be known whether there is a key to revoke.
	making, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	made, err := r.client.CreateKey(making, app.ID, in)
	if err != nil {
		return secret.Secret{}, err
	}
	r.made = append(r.made, withoutSecret(made))
	return secret.Of(made.Secret), nil
}

// keyName says in the list of keys what it is for: the program alone, since arguments may say more than is for others.
func (r *resolver) keyName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	name := "run of " + cell(filepath.Base(r.command)) + " on " + cell(host)
	for len(name) > 100 {
		name = strings.ToValidUTF8(name[:100], "")
	}
	return name
}

func (r *resolver) token(ctx context.Context, ref reference) (secret.Secret, error) {
	from := ref.query.Get("from")
	w := tokenAsk{app: ref.query.Get("app"), scopes: ref.query["scope"], resource: ref.query.Get("resource"), own: true}
	if w.app == "" || len(w.scopes) == 0 || from == "" {
		return secret.Secret{}, usage("write lanyard://token?app=APP&scope=SCOPE&from=NAME, where the variable NAME holds the app's client secret")
	}
	clientSecret, err := config.Secret(r.lookup, from)
	if err == nil && clientSecret.IsZero() {
		err = usage("%.60s is not set, neither in the environment nor in .env: from wants the name of the variable that holds the app's client secret", secret.Redact(from))
	}
	if err != nil {
		return secret.Secret{}, err
	}
	clientID, server, err := r.program.clientOf(ctx, w.app)
	if err != nil {
		return secret.Secret{}, err
	}
	got, err := r.program.forItself(ctx, oauthConfig(server, clientID, clientSecret.Reveal(), w.scopes), w.resource)
	if err != nil {
		return secret.Secret{}, tokenFailure(server, err)
	}
	return secret.Of(got.AccessToken), nil
}

// loginToken is the access token of `lanyard login` at the server that commands talk to.
func (p *program) loginToken(ctx context.Context) (secret.Secret, error) {
	file, err := p.loginFile()
	if err != nil {
		return secret.Secret{}, err
	}
	kept, err := file.read()
	if err != nil {
		return secret.Secret{}, err
	}
	server, err := p.serverURL(kept.Current)
	if err != nil {
		return secret.Secret{}, err
	}
	if _, there := kept.Servers[server]; !there {
		return secret.Secret{}, notSignedIn(server)
	}
	entry, err := p.refreshed(ctx, file, server)
	return secret.Of(entry.AccessToken), err
}

// fileSecret reads a file. As in URLs of files the path is absolute, unless it begins with a dot.
func fileSecret(path string) (secret.Secret, error) {
	if !strings.HasPrefix(path, "./") && !strings.HasPrefix(path, "../") {
		path = "/" + path
	}
	file, err := os.Open(filepath.FromSlash(path))
	if err != nil {
		return secret.Secret{}, usage("%s cannot be read: %s", cell(path), cause(err))
	}
	defer file.Close() //nolint:errcheck // nothing was written
	return readSecret(file)
}

// revoking is how long the end of a run is put off for the revocation of its keys.
const revoking = 10 * time.Second

// revoke takes back the keys of a run. What fails is said: they end by themselves, later.
func (r *resolver) revoke(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, revoking)
	defer cancel()
	for _, k := range r.made {
		if _, err := r.client.RevokeKey(ctx, k.ID, lanyard.RevokeInput{Reason: "the run it was made for has ended"}, 0); err != nil {
			r.program.notes.linef("The key %s of this run could not be revoked and ends %s: %s. `lanyard keys revoke %[1]s` takes it back.", k.ID, whenever(k.ExpiresAt), sentence(err))
		}
	}
	r.made = nil
}
