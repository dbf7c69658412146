package stripe

import (
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func TestJudge(t *testing.T) {
	before := t0.Add(-time.Hour)
	for _, test := range []struct {
		name    string
		unknown time.Time // before the try
		tries   int
		answer  Answer
		state   State
		after   time.Time // unknown since
		wait    time.Duration
		pause   time.Duration
	}{
		{name: "accepted", answer: Answer{Status: 200, Accepted: true}, state: Sent},
		{name: "accepted after a lost answer", unknown: before, answer: Answer{Status: 200, Accepted: true}, state: Sent},
		{name: "known, after a lost answer", unknown: before, answer: Answer{Status: 400, Duplicate: true, Refusal: true}, state: Sent},
		{name: "known, though nothing of ours arrived", answer: Answer{Status: 400, Duplicate: true, Refusal: true}, state: Unsure},
		{name: "refused", answer: Answer{Status: 400, Refusal: true}, state: Failed},
		{name: "refused after a lost answer", unknown: before, answer: Answer{Status: 400, Refusal: true}, state: Unsure, after: before},
		{name: "refused, to be tried again", answer: Answer{Status: 400, Refusal: true, Retry: true}, state: Waiting, wait: 30 * time.Second, pause: 30 * time.Second},
		{name: "throttled", answer: Answer{Status: 429}, state: Waiting, wait: 30 * time.Second, pause: 30 * time.Second},
		{name: "throttled for long", answer: Answer{Status: 429, RetryAfter: time.Hour}, state: Waiting, wait: time.Hour, pause: time.Hour},
		{name: "throttled after a lost answer", unknown: before, answer: Answer{Status: 429}, state: Waiting, after: before, wait: 30 * time.Second, pause: 30 * time.Second},
		{name: "broken", answer: Answer{Status: 500}, state: Waiting, after: t0, wait: 30 * time.Second, pause: 30 * time.Second},
		{name: "broken again", unknown: before, tries: 4, answer: Answer{Status: 503}, state: Waiting, after: before, wait: 5 * time.Minute, pause: 5 * time.Minute},
		{name: "broken for hours", unknown: before, tries: 40, answer: Answer{Status: 503}, state: Waiting, after: before, wait: time.Hour, pause: 5 * time.Minute},
		{name: "no answer", answer: Answer{}, state: Waiting, after: t0, wait: 30 * time.Second, pause: 30 * time.Second},
		{name: "not sent", answer: Answer{NotSent: true}, state: Waiting, wait: 30 * time.Second, pause: 30 * time.Second},
		{name: "not sent after a lost answer", unknown: before, answer: Answer{NotSent: true}, state: Waiting, after: before, wait: 30 * time.Second, pause: 30 * time.Second},
		{name: "the key is refused", tries: 9, answer: Answer{Status: 401}, state: Waiting, wait: 5 * time.Minute, pause: 5 * time.Minute},
		{name: "somebody else answers", answer: Answer{Status: 200}, state: Waiting, after: t0, wait: 30 * time.Second, pause: 30 * time.Second},
	} {
		e := Event{Identifier: "lanyard-0", UnknownAt: test.unknown, Tries: max(test.tries, 1)}
		end := t0.Add(time.Second)
		got := Judge(e, test.answer, t0, end)
		if got.State != test.state || !got.UnknownAt.Equal(test.after) || got.Pause != test.pause {
			t.Errorf("%s: Judge = %+v, want %s, unknown since %s, a pause of %s", test.name, got, test.state, test.after, test.pause)
		}
		wait := time.Duration(0)
		if !got.NextAt.IsZero() {
			wait = got.NextAt.Sub(end)
		}
		if wait < test.wait || wait > test.wait+test.wait/10 {
			t.Errorf("%s: Judge waits for %s, want %s and up to a tenth more", test.name, wait, test.wait)
		}
	}
}

func TestIdentifier(t *testing.T) {
	e := Event{Team: "team_a", API: "weather", Meter: "requests", Start: t0}
	seen := map[string]string{}
	note := func(what, deployment string, e Event) {
		got := Identifier("team_"+"x", &e)
		if deployment != "" {
			got = Identifier("team_y", &e)
		}
		if other, twice := seen[got]; twice || len(got) > 100 || CheckIdentifier(got) != nil {
			t.Errorf("%s: Identifier = %q, want another than that of %s, of 100 characters at most", what, got, other)
		}
		seen[got] = what
	}
	note("the event", "", e)
	note("another server's", "other", e)
	for what, alter := range map[string]func(*Event){
		"another team's":   func(e *Event) { e.Team = "team_b" },
		"another API's":    func(e *Event) { e.API = "mail" },
		"another meter's":  func(e *Event) { e.Meter = "units" },
		"another hour's":   func(e *Event) { e.Start = t0.Add(time.Hour) },
		"the next":         func(e *Event) { e.Sequence = 1 },
		"shifted by parts": func(e *Event) { e.API, e.Meter = "weatherrequests", "" },
	} {
		other := e
		alter(&other)
		note(what, "", other)
	}
	if again := Identifier("team_x", &e); seen[again] != "the event" {
		t.Errorf("Identifier again = %q, want the same", again)
	}
}

func TestFrom(t *testing.T) {
	for _, test := range []struct{ now, want string }{
		{"12:00:00", "13:00"}, {"12:00:01", "13:00"}, {"12:59:00", "13:00"}, {"12:59:01", "14:00"}, {"12:58:59", "13:00"}, {"23:59:30", "01:00"},
	} {
		now, err := time.Parse(time.DateTime, "2026-11-02 "+test.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := From(now); got.Format("15:04") != test.want || got.Sub(now) < time.Minute {
			t.Errorf("From(%s) = %s, want %s", test.now, got, test.want)
		}
	}
}
