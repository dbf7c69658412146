package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) verify() *cobra.Command {
	var in lanyard.VerifyRequest
	var from entry
	var cost int64
	var strict bool
	cmd := &cobra.Command{
		Use:   "verify --api API",
		Short: "Ask the server whether a request may pass",
		Long: `Ask the server for a decision, as a door would, and print it. The credential comes on stdin,
at the prompt, with --from NAME or --file PATH. It is charged and counted like a call, unless
--dry-run. Exit 0 when allowed, 1 when denied.`,
		Example: `  lanyard verify --api weather --method GET --path /v1/forecast --from WEATHER_API_KEY
  lanyard verify --api weather --operation "GET /v1/forecast" --dry-run < key.txt`,
		Args: noArgument,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if in.API == "" {
				return usage("--api is missing: which API is the request for?")
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			credential, err := p.secret(from, "Credential to verify")
			if err != nil {
				return err
			}
			in.Credential, in.Cost = credential.Reveal(), given(cmd, "cost", cost)
			if strict {
				in.Consistency = "strict"
			}
			d, err := c.Verify(cmd.Context(), in)
			if err != nil {
				return err
			}
			return p.showDecision(d)
		},
	}
	f := cmd.Flags()
	f.StringVar(&in.API, "api", "", "the API the request is for (needed)")
	f.StringVar(&in.Method, "method", "", "the request's method, with --path")
	f.StringVar(&in.Path, "path", "", "the request's path")
	f.StringVar(&in.Operation, "operation", "", "a declared operation, instead of --method and --path")
	f.StringSliceVar(&in.Scopes, "scope", nil, "asked beyond what the operation asks; may be repeated")
	f.StringVar(&in.IP, "ip", "", "the caller's address")
	f.StringVar(&in.Origin, "origin", "", "the caller's web origin")
	f.StringVar(&in.Mode, "mode", "", "demand live or test")
	f.Int64Var(&cost, "cost", 1, "units to charge, instead of what the operation costs")
	f.StringVar(&in.IdempotencyKey, "idempotency-key", "", "charge once for all calls with this text within 10 minutes")
	f.BoolVar(&in.DryRun, "dry-run", false, "decide, but neither charge nor count")
	f.BoolVar(&strict, "strict", false, "ask the database first, instead of a cache that is under a second old")
	from.flags(cmd)
	return cmd
}

func (p *program) showDecision(d lanyard.Decision) error {
	if err := p.printDecision(d); err != nil {
		return err
	}
	if !d.Allowed {
		return errNo
	}
	return nil
}

func (p *program) printDecision(d lanyard.Decision) error {
	if p.asJSON() {
		return p.json(d)
	}
	if d.Allowed {
		p.out.linef("%s", p.paint(green, "allowed"))
	} else {
		p.out.linef("%s: %s", p.paint(red, "denied"), d.Code)
		p.out.linef("%s", cell(d.Message))
	}
	var pairs []string
	if c := d.Credential; c != nil {
		pairs = append(pairs, "credential", c.ID, "kind", c.Kind+", "+c.Mode, "expires", whenever(c.ExpiresAt))
	}
	if d.App != nil {
		pairs = append(pairs, "app", d.App.Name+" ("+d.App.ID+")")
	}
	pairs = append(pairs, "scopes", strings.Join(d.Scopes, " "), "missing", strings.Join(d.MissingScopes, " "), "denied by", d.DeniedBy)
	for _, l := range d.Limits {
		pairs = append(pairs, "limit "+cell(l.Name), thousands(l.Remaining)+" of "+thousands(l.Limit)+" left, full again "+when(l.ResetAt))
	}
	if q := d.Quota; q != nil {
		pairs = append(pairs, "quota", thousands(q.Remaining)+" of "+thousands(q.Limit)+" left until "+when(q.ResetsAt))
	}
	for _, w := range d.Warnings {
		pairs = append(pairs, "warning", w)
	}
	return p.fields(pairs...)
}
