package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/lanyard-auth/lanyard"
)

const (
	mostChecked  = 200 // ids in one question to the server
	mostReported = 100 // credentials that the server looks at in one report
	mostReports  = 40  // of the 60 an hour that a network has
)

// settle asks the server which of the findings work, and ends them, as the flags say.
func (j *scanJob) settle(ctx context.Context) error {
	open := slices.DeleteFunc(j.result.open(), func(e *exposed) bool { return e.id == "" && e.credential.IsZero() })
	if len(open) == 0 {
		return nil
	}
	if (j.flags.revoke || j.flags.checkLive) && !j.p.namedServer() {
		return usage("the server's address stands in the .env here alone, which may be somebody else's: say it with --url or LANYARD_URL")
	}
	if j.flags.revoke {
		if err := j.endAll(ctx, open); err != nil {
			return err
		}
	}
	if j.flags.checkLive {
		return j.checkLive(ctx, open)
	}
	return nil
}

// namedServer says whether the person, and not the tree that is looked through, says which server is meant.
func (p *program) namedServer() bool {
	getenv, err := p.environ()
	return p.url != "" || p.getenv("LANYARD_URL") != "" || err == nil && getenv("LANYARD_URL") == ""
}

// checkLive asks by public ids alone.
func (j *scanJob) checkLive(ctx context.Context, open []*exposed) error {
	c, err := j.p.client()
	if err != nil {
		return err
	}
	var ids []string
	for _, e := range open {
		if e.id != "" && !slices.Contains(ids, e.id) {
			ids = append(ids, e.id)
		}
	}
	states := map[string]string{}
	for some := range slices.Chunk(ids, mostChecked) {
		said, err := c.CheckLeaks(ctx, some)
		if err != nil {
			return err
		}
		for _, one := range said {
			states[one.ID] = one.State
		}
	}
	for _, e := range open {
		e.state = cmp.Or(states[e.id], "unknown")
	}
	return nil
}

// endAll reports credentials to the server.
func (j *scanJob) endAll(ctx context.Context, open []*exposed) error {
	getenv, err := j.p.environ()
	if err != nil {
		return err
	}
	c := &lanyard.Client{URL: cmp.Or(j.p.url, getenv("LANYARD_URL"), defaultURL), UserAgent: "lanyard-cli", HTTP: j.p.plainClient()}
	distinct := map[string]bool{}
	for _, e := range open {
		distinct[e.credential.Reveal()] = true
	}
	if !j.flags.agreed {
		j.notice.clear()
		if err := j.p.confirm(fmt.Sprintf("This reports %s to %s, which ends those that are its own. That cannot be taken back.", count(int64(len(distinct)), "credential"), c.URL)); err != nil {
			if errors.Is(err, errNo) {
				return nil // the findings are reported all the same
			}
			return err
		}
	}
	for _, group := range groups(open) {
		report := lanyard.LeakReport{Place: group.place}
		for _, e := range group.members {
			report.Credentials = append(report.Credentials, e.credential.Reveal())
		}
		if err := c.ReportLeak(ctx, report); err != nil {
			return err
		}
		for _, e := range group.members {
			e.reported = true
		}
	}
	return nil
}

// reportGroup is what goes into one report.
type reportGroup struct {
	place   string
	members []*exposed
}

// groups puts findings into reports: one a place, or, where that were too many, as few as there can be.
func groups(open []*exposed) []reportGroup {
	var all []reportGroup
	for _, e := range open {
		if n := len(all); n > 0 && all[n-1].place == placeOf(e) && len(all[n-1].members) < mostReported {
			all[n-1].members = append(all[n-1].members, e)
			continue
		}
		all = append(all, reportGroup{placeOf(e), []*exposed{e}})
	}
	if len(all) <= mostReports {
		return all
	}
	all = nil
	for some := range slices.Chunk(open, mostReported) {
		all = append(all, reportGroup{placeOf(some[0]) + " and elsewhere", some})
	}
	return all
}

// placeOf is where a credential was found, for its owners to read.
func placeOf(e *exposed) string {
	if e.commit != "" {
		return fmt.Sprintf("%s in commit %.12s", e.path, e.commit)
	}
	return e.path
}

// plainClient is a client for calls that need no credential.
func (p *program) plainClient() *http.Client { return &http.Client{Transport: p.transport} }
