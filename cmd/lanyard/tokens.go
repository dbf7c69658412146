package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/id"
)

func (p *program) tokens() *cobra.Command {
	return parent(&cobra.Command{
		Use:   "tokens",
		Short: "Personal tokens: your own, for scripts",
		Long: `A personal token is your own visitor badge for scripts: it can do at most what you can, and always
ends. Commands need you to be logged in ("lanyard login"); a management key has no tokens of its own.`,
	}, p.tokensCreate(), p.tokensList(), p.tokensRevoke())
}

func (p *program) tokensCreate() *cobra.Command {
	var in lanyard.PersonalTokenInput
	var expires string
	var h handOver
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make a personal token and show its secret once",
		Example: "  lanyard tokens create backup-script --scope messages.read --expires 90d --save MAIL_TOKEN",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in.Name = args[0]
			if expires != "" {
				if in.ExpiresAt, err = moment("--expires", expires, p.now()); err != nil {
					return err
				}
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			if err := h.prepare(""); err != nil {
				return err
			}
			made, err := c.CreateToken(cmd.Context(), in)
			if err != nil {
				return err
			}
			public := made.PersonalToken
			public.ID = made.ID
			return p.give(cmd.Context(), &h, issued{
				title: "Created the personal token " + cell(made.Name) + " (" + made.ID + ").", id: made.ID, secret: lanyard.NewSecret(made.Secret),
				ifStolen: cell(made.IfStolen), notes: []string{"It ends " + when(made.ExpiresAt) + "."}, answer: made, public: public,
				lost: "`lanyard tokens revoke " + made.ID + "` takes it back; then make another.",
			})
		},
	}
	cmd.Flags().StringSliceVar(&in.Scopes, "scope", nil, "what it may do; may be repeated")
	cmd.Flags().StringVar(&expires, "expires", "", "when it ends, within 365 days: 2026-12-31, 90d, 12h or RFC 3339 (default: in 30 days)")
	cmd.Flags().StringSliceVar(&in.IPAllow, "ip", nil, "only from this address or CIDR block; may be repeated")
	cmd.Flags().StringVar(&in.Mode, "mode", "", "live (default) or test")
	h.flags(cmd)
	return cmd
}

func (p *program) tokensList() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List personal tokens, newest first",
		Example: "  lanyard tokens list\n  lanyard tokens list --user user_8fK2mQz7Lr0Xc41Z",
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			tokens, rows := []lanyard.PersonalToken{}, [][]string{}
			for t, err := range c.AllPersonalTokens(cmd.Context(), lanyard.TokenQuery{UserID: user, ListQuery: biggest()}) {
				if err != nil {
					return err
				}
				used := "never"
				if t.LastUsed != nil {
					used = when(t.LastUsed.At)
				}
				tokens, rows = append(tokens, t), append(rows, []string{t.ID, t.Name, t.UserID, t.Status, strings.Join(t.Scopes, " "), when(t.ExpiresAt), used})
			}
			if p.asJSON() {
				return p.json(tokens)
			}
			return p.table([]string{"ID", "NAME", "USER", "STATUS", "SCOPES", "EXPIRES", "LAST USED"}, rows)
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "of this user, by id (for admins)")
	return cmd
}

func (p *program) tokensRevoke() *cobra.Command {
	var reason string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:     "revoke NAME",
		Short:   "Take a personal token back, for good",
		Example: "  lanyard tokens revoke backup-script --wait 1s",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.client()
			if err != nil {
				return err
			}
			t, err := findToken(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			applied, err := c.RevokeToken(cmd.Context(), t.ID, reason, wait)
			if err != nil {
				return err
			}
			return p.ended("Revoked the personal token "+cell(t.Name)+" ("+t.ID+")", wait, applied)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept with the token and in the audit log")
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait up to this long, such as 1s, until every node refuses it")
	return cmd
}

// ended says how far a revocation has come: exit 1 when not every node had said so in time.
func (p *program) ended(what string, wait time.Duration, applied lanyard.Applied) error {
	var err error
	if p.asJSON() {
		err = p.json(applied)
	} else {
		p.out.linef("%s%s", what, reached(wait, applied))
	}
	if err == nil && wait > 0 && !applied.Applied {
		err = errNo
	}
	return err
}

// findToken returns the personal token of an id or unique name.
func findToken(ctx context.Context, c *lanyard.Client, name string) (lanyard.PersonalToken, error) {
	if _, err := id.Parse[id.Key](name); err == nil {
		return c.PersonalToken(ctx, name)
	}
	all := c.AllPersonalTokens(ctx, lanyard.TokenQuery{ListQuery: biggest()})
	return pick("personal token", name, all, all, func(t lanyard.PersonalToken) candidate {
		return candidate{t.ID, t.Name, "(" + t.Status + ", made " + when(t.CreatedAt) + ")"}
	})
}
