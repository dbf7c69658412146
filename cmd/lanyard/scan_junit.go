package main

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// What of JUnit's XML is written, as Jenkins and GitLab read it.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string      `xml:"classname,attr"`
		Name    string      `xml:"name,attr"`
		File    string      `xml:"file,attr,omitempty"`
		Failure *junitFault `xml:"failure,omitempty"`
		Error   *junitFault `xml:"error,omitempty"`
		Skipped *junitFault `xml:"skipped,omitempty"`
	}
	junitFault struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(w io.Writer, r *scanResult) error {
	suite := junitSuite{Name: "lanyard scan", Time: fmt.Sprintf("%.3f", r.took.Seconds())}
	for i := range r.found {
		e := &r.found[i]
		place := fmt.Sprintf("%s:%d:%d", clean(e.path), e.line, e.column)
		one := junitCase{Class: e.rule, Name: clean(strings.TrimSpace(e.what + " " + e.hint + " in " + place)), File: clean(e.path)}
		about := &junitFault{Message: clean(e.inWords()), Text: strings.TrimSpace(place + " " + e.commit)}
		if e.open() {
			one.Failure = about
			suite.Failures++
		} else {
			about.Message = "passed over: " + cmp.Or(e.suppressed, "it may be seen")
			one.Skipped = about
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, one)
	}
	for _, u := range r.unread {
		suite.Cases = append(suite.Cases, junitCase{Class: "lanyard-unread", Name: clean(u.path), File: clean(u.path), Error: &junitFault{Message: clean(sentence(u.err))}})
		suite.Errors++
	}
	if len(suite.Cases) == 0 { // a report without a test is read as one that failed
		suite.Cases = append(suite.Cases, junitCase{Class: "lanyard-scan", Name: "no credential was found in " + count(int64(r.totals.Files), "file")})
	}
	suite.Tests = len(suite.Cases)
	all := junitSuites{Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Suites: []junitSuite{suite}}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// clean is a text that XML can hold.
func clean(text string) string { return strings.ToValidUTF8(cell(text), "\ufffd") }
