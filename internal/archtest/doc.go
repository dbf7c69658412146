// Package archtest holds the layout of the module: who may import whom, which packages may speak HTTP or SQL, how packages
// are named and how long a file may get. house_test.go is the table, in the words and order of the design's own;
// check_test.go holds the rules; everything is read from the source with go/parser, so nothing has to build first.
//
// A package that the table does not know fails the test: adding it there is where its place is decided.
package archtest
