package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

// newKey is what the flags of `keys create` say.
type newKey struct {
	in               lanyard.KeyInput
	pub              bool
	expires, notYet  string
	limits           []string
	quota            string
	handOver         handOver
	rotateEveryInput string
}

func (p *program) keysCreate() *cobra.Command {
	var k newKey
	cmd := &cobra.Command{
		Use:   "create APP",
		Short: "Make a key and show its secret once",
		Long: `Make an API key for an app. Its secret is shown once and stored nowhere: with --save it goes
into .env (readable by you alone, ignored by git) and is not shown at all.

Where stdout is no terminal the secret is printed alone, for a program to read.`,
		Example: `  lanyard keys create WeatherDashboard --name production --scope forecast.read --save WEATHER_API_KEY
  lanyard keys create nightly-report --name cron --scope forecast.read --ip 10.0.0.0/8 --expires 90d
  lanyard keys create WeatherDashboard --name website --pub --origin https://app.example --scope forecast.read`,
		Args: takes("APP"),
		RunE: func(cmd *cobra.Command, args []string) error { return p.createKey(cmd, args[0], &k) },
	}
	f := cmd.Flags()
	f.StringVar(&k.in.Name, "name", "", "what you call it (needed)")
	f.StringSliceVar(&k.in.Scopes, "scope", nil, "what it may do; may be repeated")
	f.BoolVar(&k.pub, "pub", false, "a key that may be seen in a browser; needs --origin or --ip")
	f.StringVar(&k.in.Mode, "mode", "", "live (default) or test")
	f.StringSliceVar(&k.in.IPAllow, "ip", nil, "only from this address or CIDR block; may be repeated")
	f.StringSliceVar(&k.in.Origins, "origin", nil, "only from pages of this web origin; may be repeated")
	f.StringArrayVar(&k.in.Operations, "operation", nil, `only this operation, such as "GET /v1/forecast"; may be repeated`)
	f.StringSliceVar(&k.in.APIs, "api", nil, "with the scope lanyard.verify: only for this API; may be repeated")
	f.StringVar(&k.expires, "expires", "", "when it ends: 2026-12-31, 90d, 12h or RFC 3339 (default: never)")
	f.StringVar(&k.notYet, "not-before", "", "when it begins, in the same forms")
	f.StringSliceVar(&k.limits, "limit", nil, "a limit such as 60/minute; may be repeated")
	f.StringVar(&k.quota, "quota", "", "how much it may use, such as 1000/month or 100/day (default: what its team's plan allows)")
	f.StringVar(&k.rotateEveryInput, "rotate-every", "", "ask for a rotation this often, such as 90d")
	f.StringToStringVar((*map[string]string)(&k.in.Metadata), "metadata", nil, "NAME=VALUE that verify returns")
	k.handOver.flags(cmd)
	return cmd
}

// read turns the flags that are text into what is sent.
func (k *newKey) read(p *program) error {
	var err error
	if k.in.Name == "" {
		return usage("--name is missing: what do you call the key?")
	}
	if k.pub {
		k.in.Kind = "pub"
	}
	if k.expires != "" {
		if k.in.ExpiresAt, err = moment("--expires", k.expires, p.now()); err != nil {
			return err
		}
	}
	if k.notYet != "" {
		if k.in.NotBefore, err = moment("--not-before", k.notYet, p.now()); err != nil {
			return err
		}
	}
	if k.rotateEveryInput != "" {
		if k.in.RotateEveryDays, err = wholeDays("--rotate-every", k.rotateEveryInput); err != nil {
			return err
		}
	}
	if k.quota != "" {
		if k.in.Quota, err = quota(k.quota); err != nil {
			return err
		}
	}
	k.in.Limits, err = limits(k.limits, nil)
	return err
}

func (p *program) createKey(cmd *cobra.Command, appName string, k *newKey) error {
	if err := k.read(p); err != nil {
		return err
	}
	c, err := p.client()
	if err != nil {
		return err
	}
	app, err := findApp(cmd.Context(), c, appName)
	if err != nil {
		return err
	}
	if err := k.handOver.prepare(""); err != nil {
		return err
	}
	made, err := c.CreateKey(cmd.Context(), app.ID, k.in)
	if err != nil {
		return err
	}
	var notes []string
	if len(made.Scopes) == 0 {
		notes = append(notes, "It has no scopes, so it can call only operations that ask for none.")
	}
	return p.give(cmd.Context(), &k.handOver, issued{
		title: "Created the key " + cell(made.Name) + " (" + made.ID + ") of " + cell(app.Name) + ".", id: made.ID, secret: lanyard.NewSecret(made.Secret),
		ifStolen: cell(made.IfStolen), notes: notes, answer: made, public: withoutSecret(made),
	})
}

// quota reads a quota such as 1000/month; none takes it away.
func quota(text string) (*lanyard.Quota, error) {
	if text == "none" {
		return &lanyard.Quota{}, nil
	}
	number, period, _ := strings.Cut(text, "/")
	units, err := strconv.ParseInt(number, 10, 64)
	if err != nil || units < 1 || period != "day" && period != "month" {
		return nil, usage("--quota %.40q is no quota: write units per day or month, such as 1000/month", text)
	}
	return &lanyard.Quota{Units: units, Period: period}, nil
}

// wholeDays reads a length of time that is at least a day.
func wholeDays(flag, text string) (int, error) {
	d, err := span(flag, text)
	if err == nil && (d < 24*60*60*1e9 || d%(24*60*60*1e9) != 0) {
		err = usage("%s %.40q must be whole days, such as 90d", flag, text)
	}
	return int(d.Hours() / 24), err
}
