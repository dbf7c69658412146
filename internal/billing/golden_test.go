package billing_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
)

// external are the meters of APIs in these tests.
var external = map[string]lanyard.Meter{"storage_gb": {Text: "gigabytes stored", Event: "com.acme.storage"}}

func planOf(t testing.TB, text string) billing.PlanVersion {
	t.Helper()
	var p lanyard.Plan
	if err := yaml.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	v, err := billing.ParsePlan(p, external)
	if err != nil {
		t.Fatalf("ParsePlan(%s) = %v", text, err)
	}
	return v
}

func usageOf(t testing.TB, text string) (usage billing.Usage, share billing.Fraction) {
	t.Helper()
	text, part, prorated := strings.Cut(text, "share")
	if prorated {
		if _, err := fmt.Sscanf(part, "%d/%d", &share.Part, &share.Whole); err != nil {
			t.Fatalf("share %q: %v", part, err)
		}
	}
	usage = billing.Usage{}
	for word := range strings.FieldsSeq(text) {
		meter, count, _ := strings.Cut(word, "=")
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil {
			t.Fatalf("usage %q: %v", text, err)
		}
		usage[billing.Meter(meter)] = n
	}
	return usage, share
}

// TestGoldenTable computes every row of testdata/prices.txt, which was worked by hand.
func TestGoldenTable(t *testing.T) {
	text, err := os.ReadFile("testdata/prices.txt")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, group := range strings.Split(string(text), "\n== ")[1:] {
		name, rest, _ := strings.Cut(group, "\n")
		var plan strings.Builder
		var table []string
		for line := range strings.Lines(rest) {
			if strings.HasPrefix(line, "  ") {
				plan.WriteString(line)
			} else if line, _, _ = strings.Cut(line, "#"); strings.TrimSpace(line) != "" {
				table = append(table, line)
			}
		}
		t.Run(name, func(t *testing.T) {
			version := planOf(t, plan.String())
			for _, row := range table {
				rows++
				cells := strings.Split(row, "|")
				usage, share := usageOf(t, cells[0])
				s, err := billing.Bill(version, usage, share)
				if err != nil {
					t.Errorf("Bill(%s) = %v", cells[0], err)
					continue
				}
				rounding := billing.Micros(0)
				for _, l := range s.Lines {
					if l.Kind == billing.LineRounding {
						rounding = l.Amount
					}
				}
				if got, want := (s.Total - rounding).String(), strings.TrimSpace(cells[1]); got != want {
					t.Errorf("Bill(%s) = %s before rounding, want %s", cells[0], got, want)
				}
				if got, want := s.Total.String(), strings.TrimSpace(cells[2]); got != want {
					t.Errorf("Bill(%s) = %s, want %s", cells[0], got, want)
				}
			}
		})
	}
	if rows < 100 {
		t.Errorf("the table has %d rows, want all of them read", rows)
	}
}

// TestGuide computes the examples of docs/guides/prices.md: after each plan in YAML a table with usage, lines and total.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../docs/guides/prices.md")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/prices.txt")
	if err != nil {
		t.Fatal(err)
	}
	models, rows := map[billing.Model]bool{}, 0
	for _, example := range strings.Split(string(text), "\n```yaml\npro:\n")[1:] {
		plan, rest, _ := strings.Cut(example, "```")
		if !strings.Contains(string(golden), "\n"+plan) {
			t.Errorf("the golden table has no plan\n%s", plan)
		}
		version := planOf(t, plan)
		for _, p := range version.Prices {
			models[p.Model] = true
		}
		table, _, _ := strings.Cut(strings.TrimLeft(rest, "\n"), "\n\n")
		for _, row := range strings.Split(strings.TrimSpace(table), "\n")[2:] {
			rows++
			cells := strings.Split(strings.Trim(row, "| "), " | ")
			usage, share := usageOf(t, cells[0])
			s, err := billing.Bill(version, usage, share)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, l := range s.Lines {
				lines = append(lines, l.Text(s.Currency)+" = "+s.Currency.Format(l.Amount))
			}
			if got := strings.Join(lines, "<br>"); got != strings.TrimSpace(cells[1]) {
				t.Errorf("%s has the lines\n%s\nwant\n%s", cells[0], got, cells[1])
			}
			if got := s.Currency.Format(s.Total); got != strings.TrimSpace(cells[2]) {
				t.Errorf("%s = %s, want %s", cells[0], got, cells[2])
			}
		}
	}
	if len(models) != 4 || rows < 15 {
		t.Errorf("the guide shows the models %v in %d rows, want all four", models, rows)
	}
}
