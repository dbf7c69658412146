package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/config"
)

const (
	doctorPatience = 5 * time.Second
	clockTolerance = 2 * time.Second // the Date header counts whole seconds
)

// checkServer asks the server that runs whether it is well, what time it has, and whether our token works.
func (p *program) checkServer(ctx context.Context, s config.Settings) []finding {
	getenv, err := p.environ()
	if err != nil {
		return []finding{fail("server", sentence(err))}
	}
	address := strings.TrimSuffix(cmp.Or(p.url, getenv("LANYARD_URL"), s.PublicURL), "/")
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	asked := p.now()
	said, err := get(ctx, address+"/readyz")
	if err != nil {
		return []finding{warn("server", "none answers at "+address+"; start it with `lanyard serve`, or set LANYARD_URL to where it is")}
	}
	found := []finding{p.checkClock(asked, said.date)}
	if said.status != http.StatusOK {
		return append(found, fail("server", fmt.Sprintf("the one at %s is not ready (%d): %s", address, said.status, firstLine(said.text))))
	}
	found = append(found, fine("server", "ready at "+address), p.checkToken(ctx))
	return append(found, p.checkKeys(ctx)...)
}

// answer is what the doctor looks at of one.
type answer struct {
	status     int
	date, text string
}

func get(ctx context.Context, address string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, err
	}
	res, err := http.DefaultClient.Do(req) // #nosec G704 -- the operator's own setting
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	return answer{res.StatusCode, res.Header.Get("Date"), string(text)}, err
}

// checkClock compares this machine's time with the server's.
func (p *program) checkClock(asked time.Time, date string) finding {
	theirs, err := http.ParseTime(date)
	if err != nil {
		return warn("clock", "the server does not say what time it has")
	}
	// The answer was made between asking and now, and its second may have just begun or be just over.
	early, late := asked.Sub(theirs)-time.Second, theirs.Sub(p.now())
	if off := max(early, late); off > clockTolerance {
		return warn("clock", "this machine and the server differ by "+off.Round(time.Second).String()+": let both follow NTP")
	}
	return fine("clock", "agrees with the server's")
}

// checkToken says whether LANYARD_TOKEN works, if there is one.
func (p *program) checkToken(ctx context.Context) finding {
	c, err := p.client()
	if err != nil {
		var missing *usageError
		if errors.As(err, &missing) {
			return warn("token", "LANYARD_TOKEN is not set; commands that ask the server need it")
		}
		return fail("token", sentence(err))
	}
	_, err = c.APIs(ctx, lanyard.ListQuery{Limit: 1})
	var problem *lanyard.ProblemError
	switch {
	case err == nil:
		return fine("token", "LANYARD_TOKEN works")
	case errors.As(err, &problem) && problem.Status == http.StatusForbidden:
		return fine("token", "LANYARD_TOKEN works, for other things than reading the catalog")
	}
	return fail("token", sentence(err))
}

// firstLine is the start of a text from elsewhere.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line[:min(len(line), 300)]
}
