package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/dotenv"
	"github.com/lanyard-auth/lanyard/internal/scan"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

func (p *program) envCheck() *cobra.Command {
	var quiet bool
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Look for ways in which the secrets of .env could get out",
		Long: `Looks at .env and its like in a directory, and at what could carry their secrets away: git and its
history, file modes, Dockerfile and .dockerignore, npm packages, names that browsers get to see,
files of Compose, CI, editors and MCP that hold a credential or a value of .env. Each line is ok,
warn or fail, and says what to do. No value is printed, and no server is asked. Exit 1 when anything
failed.

It looks where such things lie; "lanyard scan" looks through everything.`,
		Example: "  lanyard env check\n  lanyard env check services/api -o json\n  lanyard env check --quiet || exit 1",
		Args:    takesUpTo(0, "DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if info, err := os.Stat(dir); err != nil || !info.IsDir() {
				return usage("%s is no directory", cell(dir))
			}
			check := envChecker{program: p, dir: dir, environ: p.getenv}
			found, err := check.all(cmd.Context())
			if err != nil {
				return err
			}
			if err := p.showFindings(found, quiet); err != nil {
				return err
			}
			return verdict(found)
		},
	}
	cmd.Flags().BoolVar(&quiet, "quiet", false, "print nothing but what is not ok")
	return cmd
}

// envChecker looks over one directory.
type envChecker struct {
	program *program
	dir     string
	environ func(string) string
	repo    *repository // nil outside of git
	files   []envLook
	values  map[string][]string // of secrets, with the names that have them
	finder  *scan.Finder
	found   []finding
}

// envLook is one file of variables.
type envLook struct {
	name    string // below the directory
	example bool   // it is there to be shown
	tracked bool
	text    string
	entries []dotenv.Entry
}

func (c *envChecker) add(f ...finding) { c.found = append(c.found, f...) }

func (c *envChecker) all(ctx context.Context) ([]finding, error) {
	var err error
	if c.repo, err = openRepository(ctx, c.dir); err != nil {
		return nil, err
	}
	if err := c.list(); err != nil {
		return nil, err
	}
	if err := c.makeFinder(); err != nil {
		return nil, err
	}
	if len(c.files) == 0 {
		c.add(fine(envFile, "there is none here; `lanyard env add NAME` makes one, and `lanyard keys create APP --save NAME` puts a new key into it"))
	}
	for _, f := range c.files {
		before := len(c.found)
		c.checkFile(f)
		if len(c.found) == before {
			text := "only you can read it"
			if f.example {
				text = "an example, without secrets"
			} else if c.repo != nil {
				text += ", and git ignores it"
			}
			c.add(fine(f.name, text))
		}
	}
	c.checkImages()
	c.checkPackage()
	c.checkCarriers()
	return c.found, nil
}

// list finds the files: those here, and below here those that git tracks.
func (c *envChecker) list() error {
	here, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, entry := range here {
		if isEnvName(entry.Name()) && !entry.IsDir() {
			names[entry.Name()] = false
		}
	}
	for _, name := range c.repo.tracked() {
		if isEnvName(filepath.Base(name)) {
			names[name] = true
		}
	}
	c.values = map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := c.open(envLook{name: name, example: isExample(name), tracked: names[name]}); err != nil {
			return err
		}
	}
	return nil
}

func (c *envChecker) open(f envLook) error {
	text, err := os.ReadFile(filepath.Join(c.dir, f.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // tracked, and removed from the work tree
	}
	if err != nil {
		c.add(fail(f.name, "cannot be read: "+cause(err)))
		return nil
	}
	f.text = string(text)
	file, err := dotenv.Parse(f.text)
	if err != nil {
		c.add(fail(f.name, sentence(err)+". Programs read the file in different ways or not at all"))
	} else {
		f.entries = file.Entries()
	}
	c.files = append(c.files, f)
	if f.example {
		return nil
	}
	for _, e := range f.entries {
		for _, value := range hidden(e) {
			if len(value) >= leastSearched && !slices.Contains(c.values[value], e.Name) {
				c.values[value] = append(c.values[value], e.Name)
			}
		}
	}
	return nil
}

// hidden are the parts of a variable that are not for others, as far as can be seen. References and placeholders are no secrets.
func hidden(e dotenv.Entry) []string {
	value := e.Value.Reveal()
	if strings.HasPrefix(value, referenceScheme) || isPlaceholder(value) || isPublishable(value) {
		return nil
	}
	return secretValues(e.Name, value)
}

// leastSearched is how long a value of .env is that is searched for elsewhere: shorter ones stand in many files by chance.
const leastSearched = 16

func isEnvName(name string) bool { return name == envFile || strings.HasPrefix(name, envFile+".") }

// isExample says whether a file of variables is meant to be committed.
func isExample(name string) bool {
	for _, end := range [...]string{"example", "sample", "template", "dist", "defaults"} {
		if strings.HasSuffix(name, "."+end) {
			return true
		}
	}
	return false
}

// isPublishable says whether a value may be seen by everybody.
func isPublishable(value string) bool {
	public, err := secret.Parse(value)
	return err == nil && public.Kind == secret.Publishable
}

// makeFinder makes one for our prefix, the default one, and those of the credentials at hand.
func (c *envChecker) makeFinder() (err error) {
	prefixes := []string{"lyd"}
	if own := c.environ("LANYARD_KEY_PREFIX"); own != "" && secret.ValidPrefix(own) == nil {
		prefixes = append(prefixes, own)
	}
	for _, f := range c.files {
		for _, e := range f.entries {
			if public, err := secret.Parse(e.Value.Reveal()); err == nil {
				prefixes = append(prefixes, public.Prefix)
			}
			if e.Name == "LANYARD_KEY_PREFIX" && secret.ValidPrefix(e.Value.Reveal()) == nil {
				prefixes = append(prefixes, e.Value.Reveal())
			}
		}
	}
	c.finder, err = scan.NewFinder(prefixes...)
	return err
}

// checkFile looks at one file, what is in it and who can read it.
func (c *envChecker) checkFile(f envLook) {
	if f.example {
		for _, h := range c.search([]byte(f.text)) {
			c.add(fail(f.name, h.text+" in line "+h.at()+", and this file is there to be shown: put a placeholder there and replace the credential"))
		}
		return
	}
	c.checkMode(f)
	c.checkGit(f)
	for _, e := range f.entries {
		c.checkEntry(f, e)
	}
}

func (c *envChecker) checkMode(f envLook) {
	path := filepath.Join(c.dir, f.name)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		c.add(fail(f.name, "cannot be looked at: "+cause(err)))
	case othersRead(info):
		c.add(fail(f.name, "other users of this machine can read it: run `chmod 600 "+cell(path)+"`"))
	}
	if owner := foreignOwner(info); err == nil && owner != "" {
		c.add(warn(f.name, "it belongs to the user "+owner+", not to you: who owns it can read and change it"))
	}
}

// checkEntry looks at one variable.
func (c *envChecker) checkEntry(f envLook, e dotenv.Entry) {
	about := f.name + ":" + itoa(e.Line)
	value := e.Value.Reveal()
	if e.Doubt != "" {
		c.add(warn(about, "programs read "+e.Name+" in different ways: "+e.Doubt+". `lanyard env add "+e.Name+" --force` writes it in a form that all read alike"))
	}
	if prefix := browserPrefix(e.Name); prefix != "" && isSecretCredential(value) {
		c.add(fail(about, e.Name+" begins with "+prefix+", so it is built into what browsers load, and its credential is secret: replace it, and take a publishable key (`lanyard keys create APP --pub`), or another name on the server's side"))
	}
	if hasSecretName(e.Name) && isPlaceholder(value) {
		c.add(warn(about, e.Name+" looks like a placeholder: `lanyard env add "+e.Name+" --force` asks for the value"))
	}
	if twin := e.Name + "_FILE"; value != "" && (f.has(twin) || c.environ(twin) != "") {
		c.add(fail(about, e.Name+" and "+twin+" are both set, and programs differ about which one counts: keep one"))
	}
}

func (f envLook) has(name string) bool {
	return slices.ContainsFunc(f.entries, func(e dotenv.Entry) bool { return e.Name == name && e.Value.Reveal() != "" })
}

// holdsSecrets says whether a file has values that are not for others.
func (f envLook) holdsSecrets() bool {
	return slices.ContainsFunc(f.entries, func(e dotenv.Entry) bool { return len(hidden(e)) > 0 })
}

// isPlaceholder says whether a value waits to be replaced.
func isPlaceholder(value string) bool {
	low := strings.ToLower(value)
	for _, word := range [...]string{"changeme", "change-me", "change_me", "replaceme", "replace-me", "replace_me", "placeholder", "your-", "your_", "yourkey", "insert-", "insert_", "todo", "fixme", "dummy"} {
		if strings.HasPrefix(low, word) {
			return true
		}
	}
	switch low {
	case "secret", "password", "example", "test", "key", "token", "xxx", "none", "null":
		return true
	}
	return strings.HasPrefix(value, "<") && strings.HasSuffix(value, ">") || len(value) >= 3 && strings.Trim(low, "x*.…") == ""
}
