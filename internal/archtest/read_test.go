package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// read returns every Go file of the module at root. Folders that the go command leaves out are left out: testdata, those
// beginning with a dot or an underscore, and other modules.
func read(root string) ([]source, error) {
	var files []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			return skip(name, rel, entry.Name())
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		file, err := parse(name, rel)
		if err != nil {
			return err
		}
		files = append(files, file)
		return nil
	})
	return files, err
}

// skip returns fs.SkipDir for a folder that is no part of the module.
func skip(name, rel, last string) error {
	if rel == "." {
		return nil
	}
	if last == "testdata" || last == "node_modules" || strings.HasPrefix(last, ".") || strings.HasPrefix(last, "_") {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// parse reads one file. It does not ask the go command: go test would answer from its cache without seeing a new import.
func parse(name, rel string) (source, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return source{}, err
	}
	tree, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return source{}, fmt.Errorf("parse %s: %w", rel, err)
	}
	file := source{
		path:      rel,
		folder:    path.Dir(rel),
		lines:     strings.Count(string(text), "\n"),
		generated: ast.IsGenerated(tree),
	}
	if strings.HasSuffix(rel, "_test.go") {
		return file, nil
	}
	file.name = tree.Name.Name
	for _, spec := range tree.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, fmt.Errorf("import of %s: %w", rel, err)
		}
		i := imported{path: target}
		if spec.Name != nil {
			i.alias = spec.Name.Name
		}
		file.imports = append(file.imports, i)
	}
	return file, nil
}
