package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const longValue = "hunter2hunter2hunter2"

// project makes files in a new directory, which is the working directory from then on.
func project(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range files {
		write(t, filepath.FromSlash(name), text)
		if isEnvName(filepath.Base(name)) {
			if err := os.Chmod(name, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// check returns what `env check` finds, each as "state about: text".
func check(t *testing.T, env map[string]string) (found []string, code int) {
	t.Helper()
	got := command(t, env, "", "-o", "json", "env", "check")
	var all []finding
	if err := json.Unmarshal([]byte(got.stdout), &all); err != nil {
		t.Fatalf("env check = %+v: %v", got, err)
	}
	for _, f := range all {
		found = append(found, f.State+" "+f.About+": "+f.Text)
	}
	if strings.Contains(got.stdout+got.stderr, longValue) || strings.Contains(got.stdout+got.stderr, credential) {
		t.Errorf("env check shows a secret: %+v", got)
	}
	return found, got.code
}

func TestEnvCheckFails(t *testing.T) {
	const env = "API_KEY=" + longValue + "\n"
	for name, test := range map[string]struct {
		files map[string]string
		want  string // one finding begins so
	}{
		"unreadable":             {map[string]string{".env": "nonsense\n"}, "fail .env: line 1: no = follows"},
		"doubt":                  {map[string]string{".env": "A=x y\n"}, "warn .env:1: programs read A in different ways"},
		"placeholder":            {map[string]string{".env": "A=1\nAPI_KEY=changeme\n"}, "warn .env:2: API_KEY looks like a placeholder"},
		"in brackets":            {map[string]string{".env": "API_KEY='<your key>'\n"}, "warn .env:1: API_KEY looks like a placeholder"},
		"twice":                  {map[string]string{".env": "A=1\nA_FILE=a\n"}, "fail .env:1: A and A_FILE are both set"},
		"browser":                {map[string]string{".env.local": "VITE_KEY=" + credential + "\n"}, "fail .env.local:1: VITE_KEY begins with VITE_"},
		"example":                {map[string]string{".env.example": "KEY=" + credential + "\n"}, "fail .env.example: the credential lyd_key_live_AAAAAAAAAAAAAAAA… stands in line 1"},
		"COPY .":                 {map[string]string{".env": env, "Dockerfile": "FROM x\nCOPY . /app\n"}, "fail Dockerfile:2: COPY . takes .env into the image"},
		"ADD ./":                 {map[string]string{".env": env, "Dockerfile": "FROM x\nADD --chown=1 \\\n  ./ /app/\n"}, "fail Dockerfile:2: ADD ./ takes"},
		"COPY of a list":         {map[string]string{".env": env, "web.Dockerfile": "COPY [\".env\", \"/app/\"]\n"}, "fail web.Dockerfile:1: COPY .env takes"},
		"COPY .e*":               {map[string]string{".env": env, "Containerfile": "copy .e* /app/\n"}, "fail Containerfile:1: COPY .e* takes"},
		"back again":             {map[string]string{".env": env, "Dockerfile": "COPY . .\n", ".dockerignore": ".env*\n!.env\n"}, "fail Dockerfile:1: COPY . takes .env"},
		"its own dockerignore":   {map[string]string{".env": env, "Dockerfile": "COPY . .\n", ".dockerignore": ".env\n", "Dockerfile.dockerignore": "bin\n"}, "fail Dockerfile:1: COPY . takes .env"},
		"ARG":                    {map[string]string{".env": env, "Dockerfile": "ARG API_KEY\n"}, "fail Dockerfile:1: API_KEY as a build argument"},
		"ENV":                    {map[string]string{".env": env, "Dockerfile": "FROM x\nENV K=" + longValue + "\n"}, "fail Dockerfile:2: the value of API_KEY stands in it"},
		"Compose":                {map[string]string{"compose.yaml": "a: {environment: {K: " + credential + "}}\n"}, "fail compose.yaml:1: the credential lyd_key_live_AAAAAAAAAAAAAAAA… stands in it: give it to the container"},
		"GitHub":                 {map[string]string{".env": env, ".github/workflows/ci.yml": "on: push\nenv:\n  K: " + longValue + "\n"}, "fail .github/workflows/ci.yml:3: the value of API_KEY stands in it: keep it in the secrets of the CI"},
		"GitLab":                 {map[string]string{".gitlab-ci.yml": "k: " + credential}, "fail .gitlab-ci.yml:1: the credential"},
		"Jenkins, base64":        {map[string]string{"Jenkinsfile": "k: " + base64.StdEncoding.EncodeToString([]byte("me:"+credential))}, "fail Jenkinsfile:1: the credential"},
		"MCP":                    {map[string]string{".mcp.json": `{"k":"` + credential + `"}`}, "fail .mcp.json:1: the credential lyd_key_live_AAAAAAAAAAAAAAAA… stands in it: name a variable"},
		"Cursor":                 {map[string]string{".env": env, ".cursor/mcp.json": `{"k":"` + longValue + `"}`}, "fail .cursor/mcp.json:1: the value of API_KEY"},
		"IDEA":                   {map[string]string{".idea/runConfigurations/a.xml": `<a k="` + credential + `"/>`}, "fail .idea/runConfigurations/a.xml:1: the credential"},
		"npm, all":               {map[string]string{".env": env, "package.json": `{"name": "a"}`}, "fail package.json: npm publishes .env"},
		"npm, another npmignore": {map[string]string{".env": env, "package.json": `{}`, ".gitignore": ".env", ".npmignore": "src"}, "fail package.json: npm publishes .env"},
		"npm, files":             {map[string]string{".env": env, "package.json": `{"files": ["dist", "."]}`, ".gitignore": ".env"}, "fail package.json: npm publishes .env"},
	} {
		t.Run(name, func(t *testing.T) {
			project(t, test.files)
			found, code := check(t, nil)
			hit := false
			for _, f := range found {
				hit = hit || strings.HasPrefix(f, test.want)
			}
			if !hit || (code == exitNo) != strings.HasPrefix(test.want, "fail") {
				t.Errorf("env check = %d, %q, want %q", code, found, test.want)
			}
		})
	}
}

// What is as it should be is said to be.
func TestEnvCheckPasses(t *testing.T) {
	const env = "API_KEY=" + longValue + "\n"
	for name, files := range map[string]map[string]string{
		"nothing there": {},
		"kept out":      {".env": env, "Dockerfile": "FROM x\nCOPY . .\n", ".dockerignore": "# c\n**/.env*\n"},
		"all kept out":  {".env": env, "Dockerfile": "COPY . .\n", ".dockerignore": "*\n!src\n"},
		"other sources": {".env": env, "Dockerfile": "COPY src/ go.mod /app/\nCOPY --from=build . /app\nRUN cp . /x\nARG VERSION\n"},
		"an example":    {".env.example": "API_KEY=changeme\n", "Dockerfile": "COPY . .\n"},
		"npm, files":    {".env": env, "package.json": `{"files": ["dist", "*.js"]}`},
		"npm, private":  {".env": env, "package.json": `{"private": true}`},
		"npm, ignored":  {".env": env, "package.json": `{}`, ".gitignore": ".env\n"},
		"references":    {".env": "API_KEY='lanyard://keys/A?scope=b'\n", "compose.yaml": "k: lanyard://keys/A?scope=b\n"},
		"for browsers":  {".env": "VITE_TITLE=Weather\n"},
		"CI by name":    {".env": env, ".github/workflows/ci.yml": "k: ${{ secrets.API_KEY }}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			project(t, files)
			found, code := check(t, nil)
			if code != exitDone || len(found) == 0 {
				t.Errorf("env check = %d, %q, want it to pass", code, found)
			}
			for _, f := range found {
				if !strings.HasPrefix(f, "ok ") {
					t.Errorf("env check finds %q", f)
				}
			}
		})
	}
}

func TestEnvCheckModes(t *testing.T) {
	project(t, map[string]string{".env": "A=1\n"})
	if err := os.Chmod(".env", 0o640); err != nil {
		t.Fatal(err)
	}
	if found, code := check(t, nil); code != exitNo || !strings.Contains(strings.Join(found, "\n"), "chmod 600 .env") {
		t.Errorf("env check of a file that a group can read = %d, %q", code, found)
	}
	if found, code := check(t, map[string]string{"A_FILE": "x"}); code != exitNo || !strings.Contains(strings.Join(found, "\n"), "A and A_FILE are both set") {
		t.Errorf("env check with A_FILE in the environment = %d, %q", code, found)
	}
}

func TestEnvCheckGit(t *testing.T) {
	const env = "API_KEY=" + longValue + "\n"
	project(t, map[string]string{".env": env, "web/.env.production": "SECRET_TOKEN=" + longValue + "more\n", "shared/.env": "API_KEY='lanyard://keys/A'\n"})
	git(t, ".", "init", "-q")
	wants := func(step, want string, code int) {
		t.Helper()
		found, got := check(t, nil)
		if all := strings.Join(found, "\n"); got != code || !strings.Contains(all, want) {
			t.Errorf("%s: env check = %d, %q, want %d with %q", step, got, found, code, want)
		}
	}
	wants("new", "fail .env: git does not ignore it", exitNo)
	git(t, ".", "add", ".")
	wants("added", "fail .env: git tracks it", exitNo)
	wants("added", "fail web/.env.production: git tracks it", exitNo)
	wants("added", "ok shared/.env: git tracks it, and it holds nothing that looks secret", exitNo)
	git(t, ".", "commit", "-qm", "one")
	git(t, ".", "rm", "-q", "--cached", ".env", "web/.env.production")
	write(t, ".gitignore", ".env\nCompose.yml\n.mcp.json\n")
	git(t, ".", "add", ".gitignore")
	git(t, ".", "commit", "-qm", "two")
	wants("removed", "fail .env: git's history has the present value of API_KEY", exitNo)
	write(t, ".env", "API_KEY=anotheranotheranother\n")
	wants("replaced", "warn .env: it was committed once", exitDone)
	write(t, ".mcp.json", credential)
	wants("ignored", "warn .mcp.json:1: the credential", exitDone)

	// Below the root of the repository everything is as at its root.
	t.Chdir("web")
	if err := os.Chmod(".env.production", 0o600); err != nil {
		t.Fatal(err)
	}
	wants("below", "fail .env.production: git's history has the present value of SECRET_TOKEN", exitNo)
}

func TestEnvCheckWrongUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	if got := command(t, nil, "", "env", "check", "nothing"); got.code != exitUsage || !strings.Contains(got.stderr, "nothing is no directory") {
		t.Errorf("env check of what is not there = %+v", got)
	}
}

func TestIgnoreLists(t *testing.T) {
	for _, test := range []struct {
		list, name string
		want       bool
	}{
		{".env", ".env", true},
		{"/.env", ".env", true},
		{"./.env", ".env", true},
		{".env/", ".env", true},
		{".env", "a/.env", false},
		{"**/.env", "a/b/.env", true},
		{"**/.env", ".env", true},
		{"a", "a/.env", true},
		{"a/*", "a/.env", true},
		{"*", "a/.env", true},
		{".*", ".env", true},
		{"**", ".env", true},
		{"*.env", ".env", true},
		{"[", ".env", false},
		{"* !.env", ".env", false},
		{"!.env", ".env", false},
		{".env !.env .env", ".env", true},
		{"**/a", "b/a/.env", true},
	} {
		if got := ignoreList(strings.Fields(test.list)).matches(test.name); got != test.want {
			t.Errorf("%s leaves out %s = %v, want %v", test.list, test.name, got, test.want)
		}
	}
}
