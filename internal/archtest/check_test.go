package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// module is what internal import paths begin with.
const module = "github.com/lanyard-auth/lanyard"

// source is one file as far as the rules look at it. Test files have no imports here: the rules leave them free.
type source struct {
	path      string // below the module root, with slashes
	folder    string // of path; "." is the root
	name      string // from its package clause; "" in test files
	imports   []imported
	lines     int
	generated bool
}

type imported struct {
	alias string // "" when there is none
	path  string
}

// local returns the folder of an import of this module.
func (i imported) local() (folder string, ok bool) {
	if i.path == module {
		return ".", true
	}
	return strings.CutPrefix(i.path, module+"/")
}

// place is where a package stands in the house.
type place struct {
	line, column int
	order        order
}

// places reads the house into one entry a folder.
func places() map[string]place {
	all := map[string]place{}
	for number, line := range house {
		for column, name := range strings.Fields(line.packages) {
			all[line.prefix+name] = place{number, column, line.order}
		}
	}
	return all
}

// check returns every breach of the house in files, one sentence each, with the file at its head.
func check(files []source) []string {
	var found []string
	for _, file := range files {
		if file.lines > maxLines && !file.generated {
			found = append(found, fmt.Sprintf("%s: has %d lines, more than %d: divide it by what its parts are about", file.path, file.lines, maxLines))
		}
		if file.name == "" {
			continue
		}
		for _, i := range file.imports {
			found = append(found, checkImport(file, i)...)
		}
	}
	return append(found, checkPackages(files)...)
}

// checkImport looks at one import of a file that is no test.
func checkImport(file source, i imported) []string {
	var found []string
	breach := func(format string, args ...any) {
		found = append(found, file.path+": "+fmt.Sprintf(format, args...))
	}
	target, local := i.local()
	if !local {
		target = i.path
	}
	for _, guard := range guarded {
		if matches(guard.what, target) && !matches(guard.who, file.folder) {
			breach("imports %s, which only these may: %s", target, orNobody(guard.who))
		}
	}
	if !local {
		return found
	}
	if i.alias != "" {
		breach("imports %s as %q: names are unique, so none needs another", target, i.alias)
	}
	if allowed, ok := narrow[file.folder]; ok && !matches(allowed, target) {
		breach("imports %s, but %s may import only: %s", target, file.folder, allowed)
	}
	all := places()
	from, known := all[file.folder]
	to, exists := all[target]
	switch {
	case !known || !exists: // checkPackages says so once for the whole package
	case to.line > from.line:
		breach("imports %s, which stands below %s in the house", target, file.folder)
	case to.line == from.line && from.order == strangers:
		breach("imports %s, which stands beside %s in the house: what they share belongs above both", target, file.folder)
	case to.line == from.line && to.column >= from.column:
		breach("imports %s, which stands right of %s in the house", target, file.folder)
	}
	return found
}

// checkPackages looks at names and places, once for each package.
func checkPackages(files []source) []string {
	var found []string
	all := places()
	strange, named, owners := map[string]bool{}, map[string]bool{}, map[string]string{}
	for _, file := range files {
		if _, known := all[file.folder]; !known && !strange[file.folder] {
			strange[file.folder] = true
			found = append(found, file.folder+": is not in the house: add it to the table in internal/archtest/house_test.go and to the design, on the line it belongs to")
		}
		if file.name == "" || named[file.folder] {
			continue
		}
		named[file.folder] = true
		if slices.Contains(vague, file.name) {
			found = append(found, fmt.Sprintf("%s: package name %q says nothing about what it owns", file.folder, file.name))
		}
		if owner, taken := owners[file.name]; taken && file.name != "main" {
			found = append(found, fmt.Sprintf("%s: package name %q is taken by %s", file.folder, file.name, owner))
		}
		owners[file.name] = file.folder
	}
	return found
}

// matches reports whether one of the patterns, separated by blanks, stands for path.
func matches(patterns, path string) bool {
	return slices.ContainsFunc(strings.Fields(patterns), func(pattern string) bool {
		if parent, ok := strings.CutSuffix(pattern, "/..."); ok {
			return path == parent || strings.HasPrefix(path, parent+"/")
		}
		return path == pattern
	})
}

func orNobody(patterns string) string {
	if patterns == "" {
		return "nobody but tests"
	}
	return patterns
}
