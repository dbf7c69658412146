package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// maxCarrier is more than such files have, in bytes.
const maxCarrier = 4 << 20

// carrier reads a file, if it is there and no larger than such files are.
func (c *envChecker) carrier(name string) (text []byte, ok bool) {
	file, err := os.Open(filepath.Join(c.dir, name)) // #nosec G304 -- in the directory that was asked about
	if err != nil {
		return nil, false
	}
	defer file.Close() //nolint:errcheck // nothing was written
	text, err = io.ReadAll(io.LimitReader(file, maxCarrier))
	return text, err == nil
}

// secretHit is a secret in a file, the first time.
type secretHit struct {
	text string // what it is, without showing it
	line int
}

func (h secretHit) at() string { return itoa(h.line) }

// search finds credentials in every encoding, those of other prefixes as they are, and the values of .env.
func (c *envChecker) search(text []byte) []secretHit {
	var hits []secretHit
	seen := map[string]bool{}
	add := func(value, what string, at int) {
		if !seen[value] {
			seen[value] = true
			hits = append(hits, secretHit{what, 1 + bytes.Count(text[:at], []byte("\n"))})
		}
	}
	for _, f := range c.finder.Find(text) {
		if f.Kind != secret.Publishable {
			add(f.Credential.Reveal(), "the credential "+f.Hint()+" stands", int(f.Offset))
		}
	}
	secret.Find(string(text), func(credential string, public secret.Credential) bool {
		if public.Kind != secret.Publishable {
			add(credential, "the credential "+secret.Hint(credential)+" stands", bytes.Index(text, []byte(credential)))
		}
		return true
	})
	for value, names := range c.values {
		if at := bytes.Index(text, []byte(value)); at >= 0 {
			add(value, "the value of "+names[0]+" stands", at)
		}
	}
	slices.SortFunc(hits, func(a, b secretHit) int { return a.line - b.line })
	return hits
}

// checkCarriers looks through the files in which secrets get out most often.
func (c *envChecker) checkCarriers() {
	for _, kind := range carrierKinds() {
		for _, name := range c.glob(kind.patterns...) {
			text, _ := c.carrier(name)
			for _, h := range c.search(text) {
				told := h.text + " in it: " + kind.instead + ", and replace the secret if anybody else could have read it"
				if c.repo != nil && c.repo.ignores(name) {
					c.add(warn(name+":"+h.at(), told))
				} else {
					c.add(fail(name+":"+h.at(), told))
				}
			}
		}
	}
}

type carrierKind struct {
	instead  string
	patterns []string
}

// carrierKinds are the files, by what is to stand there instead.
func carrierKinds() []carrierKind {
	return []carrierKind{
		{"give it to the container when it starts, with env_file, secrets: or `lanyard run`", []string{
			"Dockerfile", "Dockerfile.*", "*.Dockerfile", "Containerfile", "compose.yml", "compose.yaml", "compose.*.yml", "compose.*.yaml",
			"docker-compose.yml", "docker-compose.yaml", "docker-compose.*.yml", "docker-compose.*.yaml",
		}},
		{"keep it in the secrets of the CI, and name it there, such as ${{ secrets.NAME }}", []string{
			".github/workflows/*.yml", ".github/workflows/*.yaml", ".github/actions/*/action.yml", ".gitlab-ci.yml", ".gitlab-ci.yaml", ".gitlab/*.yml", ".circleci/*.yml", ".circleci/*.yaml",
			"Jenkinsfile", "bitbucket-pipelines.yml", "azure-pipelines.yml", ".travis.yml", ".drone.yml", ".woodpecker.yml", ".woodpecker/*.yml", "cloudbuild.yaml", "buildspec.yml",
		}},
		{"name a variable of the environment there, such as ${env:NAME} or ${NAME}, or start the tool with `lanyard run`", []string{
			".mcp.json", "mcp.json", ".cursor/*.json", ".vscode/*.json", ".idea/*.xml", ".idea/*/*.xml", ".idea/*.json", "claude_desktop_config.json", ".claude/*.json", ".gemini/*.json",
			".codex/*.toml", ".zed/*.json", ".windsurf/*.json", ".roo/*.json", ".kiro/settings/*.json", "opencode.json", "*.code-workspace", ".devcontainer/*.json", ".devcontainer.json",
			"*.http", ".envrc",
		}},
		{"keep it in the environment or in .env", []string{
			"package.json", ".npmrc", ".yarnrc.yml", "vercel.json", "netlify.toml", "fly.toml", "wrangler.toml", "render.yaml", "app.yaml", "serverless.yml", "Makefile", "Procfile", "Vagrantfile",
			"app.json", "eas.json", "*.tfvars",
		}},
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
