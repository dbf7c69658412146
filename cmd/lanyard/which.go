package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/advice"
)

func (p *program) which() *cobra.Command {
	var a advice.Answers
	cmd := &cobra.Command{
		Use:   "which",
		Short: "Which credential do I need? Three questions, one answer",
		Long: `Shows the two credentials side by side and recommends one. Asks the three questions at a
terminal; elsewhere answer them with flags.

` + questionsText(),
		Example: "  lanyard which\n  lanyard which --whose person --where server --leak ends",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			answered := a != (advice.Answers{})
			if !p.asJSON() {
				p.out.text(advice.Table().Text() + "\n")
			}
			switch {
			case answered || p.asJSON():
				if a.Whose == "" || a.Where == "" || a.Leak == "" {
					return usage("--whose, --where and --leak go together; see `lanyard which --help` for the answers")
				}
			case isTerminal(p.stdin):
				if err := p.askWhich(&a); err != nil {
					return err
				}
			default:
				p.out.text(questionsText())
				return nil
			}
			return p.recommend(a)
		},
	}
	for _, q := range []struct {
		name string
		into *string
	}{{"whose", &a.Whose}, {"where", &a.Where}, {"leak", &a.Leak}} {
		cmd.Flags().StringVar(q.into, q.name, "", questionFlag(q.name))
	}
	return cmd
}

func questionFlag(name string) string {
	for _, q := range advice.Questions() {
		if q.ID == name {
			var values []string
			for _, o := range q.Options {
				values = append(values, o.Value)
			}
			return q.Text + " " + strings.Join(values, ", ")
		}
	}
	return ""
}

// questionsText lists the questions with the flags that answer them.
func questionsText() string {
	var b strings.Builder
	for _, q := range advice.Questions() {
		fmt.Fprintf(&b, "%s\n", q.Text)
		for _, o := range q.Options {
			fmt.Fprintf(&b, "  %-18s %s\n", "--"+q.ID+" "+o.Value, o.Text)
		}
	}
	return b.String()
}

func (p *program) recommend(a advice.Answers) error {
	r, err := advice.Which(a)
	if err != nil {
		return err
	}
	if p.asJSON() {
		return p.json(map[string]any{"take": r.Kind, "title": r.Title, "reason": r.Reason, "next": r.Next})
	}
	p.out.linef("%s %s", p.paint(green, r.Title), r.Reason)
	p.out.linef("Next: %s", r.Next)
	return nil
}

// askWhich asks what was not answered by flags.
func (p *program) askWhich(a *advice.Answers) error {
	in := bufio.NewReader(p.stdin)
	for i, into := range []*string{&a.Whose, &a.Where, &a.Leak} {
		q := advice.Questions()[i]
		p.notes.linef("%s", q.Text)
		for n, o := range q.Options {
			p.notes.linef("  %d  %s", n+1, o.Text)
		}
		for *into == "" {
			p.notes.text("Number: ")
			line, err := in.ReadString('\n')
			*into = option(q, strings.TrimSpace(line))
			if *into == "" && errors.Is(err, io.EOF) {
				return usage("the questions were not answered")
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("read the answer: %w", err)
			}
		}
		p.notes.linef("")
	}
	return nil
}

// option is the value that a number or word stands for, or "".
func option(q advice.Question, typed string) string {
	if n, err := strconv.Atoi(typed); err == nil && n >= 1 && n <= len(q.Options) {
		return q.Options[n-1].Value
	}
	if slices.ContainsFunc(q.Options, func(o advice.Option) bool { return o.Value == typed }) {
		return typed
	}
	return ""
}
