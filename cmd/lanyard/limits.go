package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/manage"
)

// limitsHelp is what a command's help says of limits.
const limitsHelp = `A limit is calls in a window: 5/second, 60/minute, 1000/hour, 9000/day or 100/90s. With
several windows all of them hold. What --limit names replaces every limit that was there;
--no-limits (or --limit "") takes them all away.`

// limitFlags are --limit and --no-limits of a command that changes something.
type limitFlags struct {
	texts []string
	none  bool
}

// flags adds them; whose says whose limits they are.
func (l *limitFlags) flags(cmd *cobra.Command, whose string) {
	cmd.Flags().StringSliceVar(&l.texts, "limit", nil, "limit "+whose+", such as 60/minute; may be repeated")
	cmd.Flags().BoolVar(&l.none, "no-limits", false, "take its limits away")
}

// check says what is wrong with them by themselves, before anybody is asked.
func (l *limitFlags) check() error {
	if l.none && len(l.texts) > 0 {
		return usage("--limit and --no-limits contradict each other; keep one of them")
	}
	for _, text := range l.texts {
		if _, err := limits([]string{text}, nil); err != nil {
			return err
		}
	}
	return nil
}

// given reports whether there is anything to change.
func (l *limitFlags) given(cmd *cobra.Command) bool { return l.none || cmd.Flags().Changed("limit") }

// patch is what takes the place of the limits that were there before; nil: they stay.
func (l *limitFlags) patch(cmd *cobra.Command, before []lanyard.Limit) (*[]lanyard.Limit, error) {
	if !l.given(cmd) {
		return nil, nil //nolint:nilnil // nil is how a patch leaves things alone
	}
	read, err := limits(l.texts, before)
	return &read, err
}

// limits reads limits such as 60/minute, which take the place of others.
func limits(texts []string, before []lanyard.Limit) ([]lanyard.Limit, error) {
	read, err := manage.EditLimits(before, texts)
	var f *fault.Error
	if errors.As(err, &f) {
		return nil, usage("--limit: %s", f.Detail)
	}
	return read, err
}

func limitsText(limits []lanyard.Limit) string {
	if len(limits) == 0 {
		return ""
	}
	return manage.LimitsText(limits)
}
