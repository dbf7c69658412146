package admin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
)

// What of an API is a list stands in a text area, one entry a line. Only the shape of a line is judged here; what it says is judged by the
// catalog. A line that stood there before means what it meant: lanyard.yaml can say things, such as a path with spaces, that no line can.

const stripWord = "strip_prefix" // as in lanyard.yaml

func routesText(a lanyard.API) string {
	var out []string
	for _, r := range a.Routes {
		out = append(out, routeLine(r))
	}
	return strings.Join(out, "\n")
}

// routeLine is a route as a line: api.example.com/weather strip_prefix.
func routeLine(r lanyard.Route) string {
	if r.StripPrefix {
		return r.Host + r.Prefix + " " + stripWord
	}
	return r.Host + r.Prefix
}

func setRoutes(a *lanyard.API, text string) error {
	before := map[string]lanyard.Route{}
	for _, r := range a.Routes {
		before[strings.TrimSpace(routeLine(r))] = r
	}
	a.Routes = nil
	for i, line := range lines(text) {
		r, stood := before[line]
		if !stood {
			words := strings.Fields(line)
			if len(words) > 2 || len(words) == 2 && words[1] != stripWord {
				return fault.Field(fmt.Sprintf("routes[%d]", i), "must be host and path in one word, and after it nothing or %s", stripWord)
			}
			place := words[0]
			slash := strings.IndexByte(place, '/')
			if slash < 0 {
				slash = len(place)
			}
			r = lanyard.Route{Host: place[:slash], Prefix: place[slash:], StripPrefix: len(words) == 2}
		}
		a.Routes = append(a.Routes, r)
	}
	return nil
}

// upstreams are the servers that calls go on to.
func upstreams(a lanyard.API) []string {
	if a.Upstream != "" {
		return []string{a.Upstream}
	}
	return a.Upstreams
}

func setUpstreams(a *lanyard.API, text string) error {
	a.Upstream, a.Upstreams = "", lines(text)
	if len(a.Upstreams) == 1 {
		a.Upstream, a.Upstreams = a.Upstreams[0], nil
	}
	return nil
}

func originsOf(a lanyard.API) []string {
	if a.CORS == nil {
		return nil
	}
	return a.CORS.Origins
}

func setOrigins(a *lanyard.API, text string) error {
	if a.CORS = nil; len(lines(text)) > 0 {
		a.CORS = &lanyard.CORS{Origins: lines(text)}
	}
	return nil
}

func metersText(a lanyard.API) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(a.Meters)) {
		out = append(out, meterLine(name, a.Meters[name]))
	}
	return strings.Join(out, "\n")
}

func meterLine(name string, m lanyard.Meter) string { return name + " " + m.Event + " " + m.Text }

func setMeters(a *lanyard.API, text string) error {
	before := a.Meters
	a.Meters = map[string]lanyard.Meter{}
	for i, line := range lines(text) {
		name, rest := cutWord(line)
		if _, twice := a.Meters[name]; twice {
			return fault.Field(fmt.Sprintf("meters[%d]", i), "there is a meter %.40q already", name)
		}
		m, stood := before[name]
		if !stood || meterLine(name, m) != line {
			m.Event, m.Text = cutWord(rest)
		}
		a.Meters[name] = m
	}
	return nil
}

func stripeText(a lanyard.API) string {
	var out []string
	for _, meter := range slices.Sorted(maps.Keys(a.Stripe)) {
		out = append(out, meter+" "+a.Stripe[meter])
	}
	return strings.Join(out, "\n")
}

func setStripe(a *lanyard.API, text string) error {
	a.Stripe = map[string]string{}
	for i, line := range lines(text) {
		meter, event := cutWord(line)
		if _, twice := a.Stripe[meter]; twice {
			return fault.Field(fmt.Sprintf("stripe[%d]", i), "the meter %.40q stands there already", meter)
		}
		a.Stripe[meter] = event
	}
	return nil
}

// cutWord divides a line after its first word.
func cutWord(line string) (word, rest string) {
	word, rest, _ = strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	return word, strings.TrimSpace(rest)
}
