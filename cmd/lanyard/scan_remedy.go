package main

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// fromEnvironment is how programs read the variable $NAME, by the endings of their files.
var fromEnvironment = []struct {
	endings string
	reads   string
}{
	{".py .pyw .ipynb", `os.environ["$NAME"]`},
	{".js .mjs .cjs .jsx .ts .mts .cts .tsx .vue .svelte", `process.env.$NAME`},
	{".go", `os.Getenv("$NAME")`},
	{".rb .rake .gemspec", `ENV.fetch("$NAME")`},
	{".php", `getenv('$NAME')`},
	{".java .kt .kts .scala .groovy .gradle", `System.getenv("$NAME")`},
	{".clj .cljs", `(System/getenv "$NAME")`},
	{".cs", `Environment.GetEnvironmentVariable("$NAME")`},
	{".fs .vb", `Environment.GetEnvironmentVariable("$NAME")`},
	{".rs", `std::env::var("$NAME")`},
	{".ex .exs", `System.fetch_env!("$NAME")`},
	{".lua", `os.getenv("$NAME")`},
	{".pl .pm", `$ENV{$NAME}`},
	{".r .R", `Sys.getenv("$NAME")`},
	{".jl", `ENV["$NAME"]`},
	{".hs", `getEnv "$NAME"`},
	{".c .h .cc .cpp .hpp .cxx", `getenv("$NAME")`},
	{".sh .bash .zsh .fish .mk .curl", `"$$NAME"`},
	{".ps1 .psm1", `$env:$NAME`},
	{".tf .tfvars", `var.$NAME (set as TF_VAR_$NAME, and marked sensitive)`},
}

// onDevices are endings of programs that run where everybody can take them apart.
const onDevices = ".swift .dart .m .mm .html .htm .xhtml .plist"

// remedy is the line that belongs in the place of a credential, and where its value goes.
func (e *exposed) remedy() []string {
	if e.kind == "" {
		return nil // what gitleaks found is others' business
	}
	name := e.variableName()
	base := path.Base(e.path)
	if isEnvFile(base) {
		return []string{"this file stays out of git: git rm --cached " + shellWord(e.path) + ", and `lanyard env check`"}
	}
	if strings.Contains(e.path, "!") { // within an archive there is nothing to edit
		return nil
	}
	ending := path.Ext(base)
	if slices.Contains(strings.Fields(onDevices), ending) {
		return []string{"whoever has the program has the key: see docs/guides/never-hardcode.md, Mobile and browser"}
	}
	return []string{
		"in its place: " + readsVariable(e.path, ending, name),
		"its value:    lanyard env add " + name,
	}
}

// readsVariable is how the file at a path reads a variable.
func readsVariable(where, ending, name string) string {
	base := path.Base(where)
	reads := "the variable " + name + " of the environment"
	switch {
	case strings.Contains("/"+where, "/.github/workflows/"):
		reads = "${{ secrets." + name + " }}"
	case base == ".gitlab-ci.yml", base == "Makefile", base == "Jenkinsfile":
		reads = "$" + name
		if base == "Makefile" {
			reads = "$(" + name + ")"
		}
	case strings.HasPrefix(base, "docker-compose"), strings.HasPrefix(base, "compose."):
		reads = "${" + name + "}"
	case strings.HasPrefix(base, "Dockerfile"), strings.HasSuffix(base, ".Dockerfile"):
		reads = "RUN --mount=type=secret,id=" + name + ",env=" + name + " … while building, the environment while running"
	case base == "mcp.json" || base == ".mcp.json":
		reads = "${" + name + "}"
	default:
		for _, language := range fromEnvironment {
			if slices.Contains(strings.Fields(language.endings), ending) {
				reads = strings.ReplaceAll(strings.ReplaceAll(language.reads, "$$NAME", "$"+name), "$NAME", name)
			}
		}
	}
	return reads
}

func isEnvFile(base string) bool {
	return base == envFile || strings.HasPrefix(base, envFile+".") || strings.HasSuffix(base, ".env")
}

// usualNames are what a line calls a credential that are no names for one.
var usualNames = []string{"KEY", "AUTHORIZATION", "BEARER", "BASIC", "HEADER", "HEADERS", "STRING", "TEXT", "CONST", "LET", "VAR", "DEFAULT", "VALUE", "X_API_KEY", "DATA", "USE", "RETURN"}

// variableName is a name for the variable that a credential moves to: what it is assigned to, in capitals.
func (e *exposed) variableName() string {
	var name strings.Builder
	letters := []rune(e.variable)
	for i, r := range letters {
		switch {
		case r == '.' || r == '-':
			name.WriteByte('_')
			continue
		case i > 0 && unicode.IsUpper(r) && (unicode.IsLower(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1]) && letters[i-1] != '_'):
			name.WriteByte('_')
		}
		name.WriteRune(unicode.ToUpper(r))
	}
	made := strings.Trim(name.String(), "_")
	if variablePattern.MatchString(made) && len(made) > 2 && !slices.Contains(usualNames, made) {
		return made
	}
	switch e.kind {
	case secret.Client:
		return "CLIENT_SECRET"
	case secret.Personal:
		return "PERSONAL_TOKEN"
	case secret.Access, secret.Refresh, secret.Code:
		return "ACCESS_TOKEN"
	case secret.Key, secret.Publishable:
	}
	return "API_KEY"
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// shellWord writes a path so that a shell reads it as one word.
func shellWord(text string) string {
	if plainWord.MatchString(text) && !strings.HasPrefix(text, "-") {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
