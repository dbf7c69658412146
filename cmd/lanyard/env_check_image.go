package main

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// checkImages asks of each Dockerfile whether it takes .env into the image.
func (c *envChecker) checkImages() {
	for _, name := range c.glob("Dockerfile", "Dockerfile.*", "*.Dockerfile", "Containerfile", "Containerfile.*") {
		if strings.HasSuffix(name, ".dockerignore") {
			continue
		}
		ignored := c.ignoreFile(name+".dockerignore", ".dockerignore")
		for _, line := range c.instructions(name) {
			c.checkInstruction(name, line, ignored)
		}
	}
}

// instruction is one of a Dockerfile.
type instruction struct {
	line  int
	verb  string // COPY
	words []string
}

// instructions reads a Dockerfile as far as COPY, ADD and ARG need it.
func (c *envChecker) instructions(name string) []instruction {
	text, _ := c.carrier(name)
	var all []instruction
	var pending string
	begin := 0
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if pending == "" {
			begin = i + 1
		}
		if rest, more := strings.CutSuffix(line, `\`); more {
			pending += rest + " "
			continue
		}
		words := strings.FieldsFunc(pending+line, func(r rune) bool { return strings.ContainsRune(" \t[],\"'", r) })
		if pending = ""; len(words) > 1 {
			all = append(all, instruction{begin, strings.ToUpper(words[0]), words[1:]})
		}
	}
	return all
}

func (c *envChecker) checkInstruction(name string, in instruction, ignored ignoreList) {
	about := name + ":" + itoa(in.line)
	switch in.verb {
	case "ARG":
		for _, word := range in.words {
			variable, _, _ := strings.Cut(word, "=")
			if c.isSecretVariable(variable) {
				c.add(fail(about, variable+" as a build argument stays readable in the image: mount it, `RUN --mount=type=secret,id="+variable+",env="+variable+"` and `docker build --secret id="+variable+"`"))
			}
		}
	case "COPY", "ADD":
		sources := slices.DeleteFunc(slices.Clone(in.words), func(word string) bool { return strings.HasPrefix(word, "--") })
		if len(sources) < 2 || slices.ContainsFunc(in.words, func(word string) bool { return strings.HasPrefix(word, "--from=") }) {
			return
		}
		for _, source := range sources[:len(sources)-1] {
			for _, f := range c.files {
				if f.example || !takesFile(source, f.name) || ignored.matches(f.name) {
					continue
				}
				c.add(fail(about, in.verb+" "+cell(source)+" takes "+f.name+" into the image, where everybody can read it who gets the image: add "+filepath.ToSlash(f.name)+" to .dockerignore, and give secrets to the container when it starts"))
			}
		}
	}
}

// isSecretVariable says whether a file has a secret under a name.
func (c *envChecker) isSecretVariable(name string) bool {
	return slices.ContainsFunc(c.files, func(f envLook) bool {
		return !f.example && f.has(name) && hasSecretName(name)
	})
}

// takesFile says whether a source of COPY holds a file.
func takesFile(source, name string) bool {
	source, name = path.Clean("/" + source)[1:], filepath.ToSlash(name)
	if source == "" || source == name || strings.HasPrefix(name, source+"/") {
		return true
	}
	first, _, _ := strings.Cut(name, "/")
	whole, err := path.Match(source, name)
	part, _ := path.Match(source, first) // a folder that matches is taken with all that is in it
	return err == nil && (whole || part)
}

// ignoreList is a .dockerignore or .npmignore: the last pattern that matches counts.
type ignoreList []string

// ignoreFile reads the first of the files that is there.
func (c *envChecker) ignoreFile(names ...string) ignoreList {
	for _, name := range names {
		text, ok := c.carrier(name)
		if !ok {
			continue
		}
		list := ignoreList{}
		for line := range strings.SplitSeq(string(text), "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				list = append(list, line)
			}
		}
		return list
	}
	return nil
}

// matches says whether a file is left out. It leans to no: what it does not understand leaves nothing out.
func (l ignoreList) matches(name string) bool {
	name = filepath.ToSlash(name)
	out := false
	for _, pattern := range l {
		pattern, back := strings.CutPrefix(pattern, "!")
		if matchesIgnore(path.Clean("/" + pattern)[1:], name) {
			out = !back
		}
	}
	return out
}

func matchesIgnore(pattern, name string) bool {
	rest, anywhere := strings.CutPrefix(pattern, "**/")
	if pattern == "**" || pattern == "*" {
		return true
	}
	for at := name; ; {
		for whole := at; whole != "." && whole != ""; whole = path.Dir(whole) { // a folder is left out with all that is in it
			if ok, err := path.Match(rest, whole); ok && err == nil {
				return true
			}
		}
		_, after, more := strings.Cut(at, "/")
		if !anywhere || !more {
			return false
		}
		at = after
	}
}

// checkPackage asks whether npm would publish .env.
func (c *envChecker) checkPackage() {
	text, ok := c.carrier("package.json")
	if !ok {
		return
	}
	var manifest struct {
		Private bool     `json:"private"`
		Files   []string `json:"files"`
	}
	if json.Unmarshal(text, &manifest) != nil || manifest.Private {
		return
	}
	ignored := c.ignoreFile(".npmignore", ".gitignore").anywhere()
	for _, f := range c.files {
		name := filepath.ToSlash(f.name)
		in := !ignored.matches(f.name)
		if manifest.Files != nil {
			in = slices.ContainsFunc(manifest.Files, func(pattern string) bool { return takesFile(strings.TrimPrefix(pattern, "**/"), name) })
		}
		if in && !f.example {
			c.add(fail("package.json", "npm publishes "+f.name+" with the package: list what belongs into it under \"files\", or put "+name+" into .npmignore; `npm pack --dry-run` shows what goes out"))
		}
	}
}

// anywhere reads patterns as git does: one without a slash counts in every folder.
func (l ignoreList) anywhere() ignoreList {
	out := make(ignoreList, len(l))
	for i, pattern := range l {
		rest, back := strings.CutPrefix(pattern, "!")
		if !strings.Contains(strings.TrimSuffix(rest, "/"), "/") {
			rest = "**/" + rest
		}
		if out[i] = rest; back {
			out[i] = "!" + rest
		}
	}
	return out
}

// glob lists files here, each once.
func (c *envChecker) glob(patterns ...string) []string {
	var names []string
	for _, pattern := range patterns {
		found, _ := filepath.Glob(filepath.Join(escapeGlob(c.dir), filepath.FromSlash(pattern)))
		for _, name := range found {
			rel, err := filepath.Rel(c.dir, name)
			if info, wrong := os.Stat(name); err == nil && wrong == nil && info.Mode().IsRegular() && !slices.Contains(names, rel) {
				names = append(names, rel)
			}
		}
	}
	return names
}

func escapeGlob(dir string) string {
	if filepath.Separator != '/' {
		return dir // there \ is no escape
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}
