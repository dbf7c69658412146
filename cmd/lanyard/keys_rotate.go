package main

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
)

func (p *program) keysRotate() *cobra.Command {
	var app, overlap string
	var undo bool
	var h handOver
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Give a key a new secret under the same id",
		Long: `Give a key a new secret. The old one keeps working through the overlap (24h unless you say
otherwise), under the same id: limits, quota and usage are shared. The key's own end stays
where it is. While the overlap lasts, --undo takes the new secret back.`,
		Example: `  lanyard keys rotate production --save WEATHER_API_KEY
  lanyard keys rotate production --overlap 1h
  lanyard keys rotate production --undo`,
		Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if undo && (overlap != "" || h.save != "" || h.force) {
				return usage("--undo makes no new secret; leave --overlap, --save and --force out")
			}
			in := lanyard.RotateInput{}
			if overlap != "" {
				seconds, err := overlapSeconds(overlap)
				if err != nil {
					return err
				}
				in.OverlapSeconds = &seconds
			}
			c, err := p.client()
			if err != nil {
				return err
			}
			k, err := findKey(cmd.Context(), c, args[0], app)
			if err != nil {
				return err
			}
			if undo {
				return p.undoRotation(cmd, c, k)
			}
			return p.rotateKey(cmd, c, k, in, &h)
		},
	}
	cmd.Flags().StringVar(&overlap, "overlap", "", "how long the old secret keeps working: 24h (default), 7d, 0s")
	cmd.Flags().BoolVar(&undo, "undo", false, "take the newest secret back; the one before it goes on")
	h.flags(cmd)
	appFlag(cmd, &app)
	return cmd
}

func overlapSeconds(text string) (int64, error) {
	if d, err := time.ParseDuration(text); err == nil && d == 0 {
		return 0, nil
	}
	d, err := span("--overlap", text)
	return int64(d / time.Second), err
}

func (p *program) rotateKey(cmd *cobra.Command, c *lanyard.Client, k lanyard.Key, in lanyard.RotateInput, h *handOver) error {
	if err := h.prepare(k.ID); err != nil {
		return err
	}
	rotated, err := c.RotateKey(cmd.Context(), k.ID, in)
	if err != nil {
		return err
	}
	note := "The old secret has stopped working."
	if rotated.OverlapUntil != nil {
		note = "The old secret works until " + when(*rotated.OverlapUntil) + "."
	}
	public := map[string]any{"id": rotated.ID, "version": rotated.Version, "overlap_until": rotated.OverlapUntil}
	return p.give(cmd.Context(), h, issued{
		title: "Rotated the key " + cell(k.Name) + " (" + k.ID + ") to version " + strconv.Itoa(rotated.Version) + ".", id: k.ID,
		secret: lanyard.NewSecret(rotated.Secret), ifStolen: cell(k.IfStolen), notes: []string{note}, answer: rotated, public: public,
	})
}

func (p *program) undoRotation(cmd *cobra.Command, c *lanyard.Client, k lanyard.Key) error {
	back, err := c.UndoRotation(cmd.Context(), k.ID)
	if err != nil {
		return err
	}
	if p.asJSON() {
		return p.json(back)
	}
	p.out.linef("Took version %d of the key %s (%s) back; version %d goes on. Put its secret back where the new one was.", k.Version, cell(k.Name), k.ID, back.Version)
	return nil
}
