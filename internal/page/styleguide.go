package page

import (
	"net/http"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// Styleguide serves every partial in every state it has, for people who build pages. The demo shows it under /styleguide.
func (k *Kit) Styleguide() http.HandlerFunc {
	return k.Handle(func(w http.ResponseWriter, r *http.Request) error {
		return k.own.Render(w, r, http.StatusOK, "styleguide", styleguide(k.Frame(r, "Styleguide", "")))
	})
}

// styleguidePage holds one of everything.
type styleguidePage struct {
	Frame
	Passes []Pass
	Fields []Field
	Boxes  []Box
	Tables []Table
	Charts []Chart
	Secret Secret
	Alerts []Alert

	Warnings []Warning
	Empty    []Empty
	Steps    []Steps
	Search   Search
	Pager    Pager
	Ask      Ask
	Figures  []Number
}

func styleguide(frame Frame) styleguidePage {
	return styleguidePage{
		Frame: frame, Passes: samplePasses(), Fields: sampleFields(), Boxes: sampleBoxes(), Tables: sampleTables(), Charts: sampleCharts(),
		Secret: Secret{ID: "secret", Label: "Your API key", Value: secret.Of("acme_key_live_thisIsNoKeyButLooksLikeOne"), Env: "WEATHER_API_KEY"},
		Alerts: []Alert{
			{Tone: "bad", Title: "That did not match.", Text: "The mail address or the password is wrong.", Link: Link{"Choose a new password", "#alerts"}},
			{Tone: "warn", Title: "Two secrets work now.", Text: "The old one ends in 24 hours."},
			{Tone: "good", Title: "The badge of PostPal is taken back.", Text: "It was dead everywhere in 38 milliseconds."},
		},
		Warnings: []Warning{
			{Of: "WeatherDashboard · production", State: Cell{Text: "ends soon", Pill: "bad"}, Text: "It ends in 2 days, on 3 December 2026. An end cannot be put off: make a new key and put it in place before that.", Act: Link{"See the key", "#warnings"}},
			{State: Cell{Text: "works anywhere", Pill: "plain"}, Text: "Whoever has it can use it from anywhere, without an end. Name the networks that it may be used from, or give it an end."},
		},
		Empty: []Empty{
			{Title: "No token yet", Text: "A personal token is your own badge for scripts.", Link: Link{"Make a token", "#empty"}},
			{Title: "No API is declared yet", Text: "The next command is:", Command: "lanyard apply -f lanyard.yaml", Note: "Add --dry-run to see first what it would change."},
		},
		Steps: []Steps{{Label: "To a key", Texts: []string{"API", "Name", "Key"}, Now: 1}, {Label: "All done", Texts: []string{"API", "Name", "Key"}, Now: 3}},
		Search: Search{
			URL: "/styleguide", Label: "Keys by name", Query: "prod",
			Selects: []Field{{ID: "state", Label: "State", Options: []Option{{Text: "Any state"}, {Value: "works", Text: "Works", Chosen: true}}}},
		},
		Pager: Pager{First: "/styleguide", Previous: "/styleguide?cursor=before", Next: "/styleguide?cursor=next"},
		Ask: Ask{
			ID: "revoke", Text: "Revoke", Warn: "Every call with this key is refused from then on, by every server, within a second. There is no way back.",
			Fields: []Field{{ID: "reason", Label: "Why", Optional: true, Max: 200}}, Act: Act{URL: "/styleguide", Text: "Revoke production", Danger: true},
		},
		Figures: []Number{{Text: Count(1000), What: "requests this month"}, {Text: "12", What: "refused", Tone: "warn", Link: Link{"refused", "#numbers"}}, {Text: "0", What: "keys end this week", Tone: "good"}},
	}
}

// samplePasses are a card and a badge as they work, and as each way to end leaves them.
func samplePasses() []Pass {
	card := Pass{
		Kind: "ID card · API key", Name: "WeatherDashboard", ID: "key_8fK2mQz7Lr0Xc41Z", Mode: "live",
		Facts: []Fact{{"Who is it?", "the app, for team Sunny"}, {"From", "anywhere"}, {"Life span", "until you rotate it · 212 days old"}, {"Last used", "2 minutes ago, 203.0.113.0/24"}},
		May:   []string{"read forecasts"}, Stolen: "works until you rotate it, from anywhere.", Bad: true, Mend: Link{"Limit it to your servers", "#passes"},
	}
	badge := Pass{
		Badge: true, Kind: "Visitor badge · access token", Name: "Ada, through PostPal", ID: "grant_3Vw9bNq4TzK1mPx8", Mode: "live",
		Facts: []Fact{{"Who is it?", "Ada, a user"}, {"Life span", "15 minutes, then refreshed"}},
		May:   []string{"read your profile"}, MayNot: []string{"read your messages", "post for you"},
		Stolen: "works 13 more minutes. May read Ada's profile. Can NOT post for her.", Ring: NewRing("12:40", "12 minutes 40 seconds left", 760.0/900),
		Act: &Act{URL: "/styleguide", Text: "Take the badge back", Danger: true},
	}
	test, rotated, leaked, expired, revoked := card, card, card, badge, badge
	test.Mode, test.Name, test.Bad, test.Stolen, test.Mend = "test", "nightly-report", false, "works until you rotate it, only from 127.0.0.0/8, in test mode only.", Link{}
	rotated.Gone, rotated.Stolen = "rotated", "worth nothing, it was rotated."
	leaked.Gone, leaked.Stolen, leaked.Name = "leaked", "worth nothing, it was revoked.", "found in a public repository"
	expired.Gone, expired.Stolen, expired.Act = "expired", "worth nothing, it has expired.", nil
	revoked.Gone, revoked.Stolen, revoked.Act = "revoked", "worth nothing, it was revoked.", nil
	badge.Ring.Text = "12:40"
	return []Pass{card, badge, test, rotated, leaked, expired, revoked}
}

func sampleFields() []Field {
	return []Field{
		{ID: "plain", Label: "Name", Value: "WeatherDashboard", Hint: "What it is for."},
		{ID: "mail", Label: "Mail address", Type: "email", Value: "ada@demo", Error: "A mail address has a dot after its @.", Hint: "A link is sent there.", Mode: "email"},
		{ID: "pass", Label: "New password", Type: "password", Value: "never shown", Min: 8},
		{ID: "days", Label: "Works for", Type: "select", Options: []Option{{Value: "7", Text: "7 days"}, {Value: "30", Text: "30 days", Chosen: true}}},
		{ID: "from", Label: "Only from these networks", Type: "textarea", Optional: true, Code: true, Value: "203.0.113.0/24", Hint: "One a line."},
		{ID: "code", Label: "Code", Value: "WDJB-MJHT", Code: true, Max: 20},
	}
}

func sampleBoxes() []Box {
	fixed, ticked, open := ScopeBox("profile.read", "read your profile"), ScopeBox("messages.read", "read your messages"), ScopeBox("posts.write", "post for you")
	fixed.Fixed, fixed.Note, ticked.Ticked, open.Note = true, "needed", true, "changes things for you"
	return []Box{fixed, ticked, open}
}

func sampleTables() []Table {
	return []Table{
		{
			Caption: "Refused calls", Heads: []Head{{Text: "Why"}, {Text: "Who can mend it"}, {Text: "Calls", Number: true}},
			Rows: []Row{
				{URL: "#tables", Cells: []Cell{{Text: "insufficient_scope", Code: true}, {Text: "the developer"}, {Text: Count(41)}}},
				{URL: "#tables", Cells: []Cell{{Text: "rate_limited", Code: true}, {Text: "wait, or a larger plan"}, {Text: Count(1012)}}, Changed: true},
			},
		},
		{
			Caption: "Keys", Heads: []Head{{Text: "Name", URL: "/styleguide?sort=name&order=desc", Sorted: "ascending"}, {Text: "Last used", URL: "/styleguide?sort=used&order=desc"}, {Text: "State"}},
			Rows: []Row{
				{Cells: []Cell{{Text: "production", Note: "key_8fK2mQz7Lr0Xc41Z"}, {Text: "2 minutes ago"}, {Text: "works", Pill: "good"}}, Act: &Act{URL: "/styleguide", Text: "Revoke", Danger: true}},
				{Cells: []Cell{{Text: "staging"}, {Text: "yesterday"}, {Text: "ends soon", Pill: "warn"}}, Act: &Act{URL: "/styleguide", Text: "Rotate"}},
				{Cells: []Cell{{Text: "old"}, {Text: "never"}, {Text: "revoked", Pill: "plain"}}},
				{Cells: []Cell{{Text: "lost"}, {Text: "3 days ago"}, {Text: "leaked", Pill: "bad"}}},
			},
		},
		{Caption: "Nothing", Empty: Empty{Title: "No call was refused", Text: "When one is, it stands here with who can mend it."}},
	}
}

func sampleCharts() []Chart {
	chart := Chart{ID: "chart", Caption: "Requests a day", What: "Day"}
	for i, n := range []int64{22, 31, 28, 44, 40, 35, 52, 48, 61, 58, 72, 96, 66, 70, 54, 49, 63, 71, 40, 0, 0, 0, 0} {
		chart.Bars = append(chart.Bars, Bar{Label: Count(int64(i+1)) + " Nov", Allowed: n, Refused: n / 9})
	}
	return []Chart{chart, {ID: "chart-empty", Caption: "Requests a day", What: "Day"}}
}
