package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// handOver is where a new secret goes: shown once, or into .env.
type handOver struct {
	save  string
	force bool
	ready *saving
}

func (h *handOver) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&h.save, "save", "", "put the secret into .env under this name instead of showing it")
	cmd.Flags().BoolVar(&h.force, "force", false, "with --save: replace a value that stands there")
}

// prepare makes sure that the secret can be put away, before it is made. A value of the credential keyID may be replaced: it
// is what a rotation replaces.
func (h *handOver) prepare(keyID string) error {
	if h.save == "" {
		if h.force {
			return usage("--force belongs to --save")
		}
		return nil
	}
	var err error
	h.ready, err = prepareSaving(envFile, h.save, func(present string) bool {
		held, wrong := secret.Parse(present)
		return h.force || present == "" || wrong == nil && keyID == "key_"+held.ID
	})
	return err
}

// issued is a credential that was just made.
type issued struct {
	title    string // "Created the key production (key_…)."
	id       string
	secret   secret.Secret
	ifStolen string
	notes    []string // what else is to be known
	answer   any      // for -o json, with the secret
	public   any      // for -o json when the secret was saved
	lost     string   // what helps when the secret could not be saved; "" is a rotation
}

// give hands the secret over: into .env, as JSON, alone on stdout for a program, or with words for a person.
func (p *program) give(ctx context.Context, h *handOver, made issued) error {
	if h.ready != nil {
		if err := h.ready.write(ctx, made.secret); err != nil {
			help := cmp.Or(made.lost, "`lanyard keys rotate "+made.id+" --overlap 0s` gives it a new one.")
			p.notes.linef("%s Its secret could not be saved and is lost: %s", made.title, help)
			return err
		}
		if p.asJSON() {
			return p.json(made.public)
		}
		p.out.linef("%s", made.title)
		p.out.linef("Its secret is %s in .env, which only you can read and git ignores.", h.save)
		p.lines(p.out, made)
		return nil
	}
	switch {
	case p.asJSON():
		p.notes.linef("%s", made.ifStolen)
		return p.json(made.answer)
	case !p.shown:
		p.notes.linef("%s", made.title)
		p.lines(p.notes, made)
		p.out.linef("%s", made.secret.Reveal())
	default:
		p.out.linef("%s This is the only time its secret is shown:\n\n    %s\n", made.title, made.secret.Reveal())
		p.lines(p.out, made)
		p.out.linef("Keep it in .env or a secret manager, not in code.")
	}
	return nil
}

func (p *program) lines(to *printer, made issued) {
	for _, note := range made.notes {
		to.linef("%s", note)
	}
	if made.ifStolen != "" {
		to.linef("%s", made.ifStolen)
	}
}

// withoutSecret is what may be shown of a new key.
func withoutSecret(made lanyard.NewKey) lanyard.Key {
	k := made.Key
	k.ID = made.ID // which hides the key's own
	return k
}
