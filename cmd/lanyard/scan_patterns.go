package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// pattern is how others find a kind of credential.
type pattern struct {
	Type        string `json:"type"` // acme_api_key
	Description string `json:"description"`
	Regex       string `json:"regex"`
	keyword     string // acme_key_
	reportable  bool   // the server acts on reports of it
}

func (p *program) scanPatterns() *cobra.Command {
	var format string
	var prefixes []string
	cmd := &cobra.Command{
		Use:   "patterns",
		Short: "Print what GitHub, GitLab, gitleaks and trufflehog need to find the credentials",
		Long: `Prints regular expressions for the credentials of this deployment in the form that others take:

  github      for the secret scanning partner programme, and for custom patterns of an organisation
  gitlab      .gitlab/secret-detection-ruleset.toml
  gitleaks    rules for .gitleaks.toml
  trufflehog  custom detectors, for trufflehog --config

They cannot check the checksum, as lanyard scan does.`,
		Example: `  lanyard scan patterns --format gitleaks --prefix acme >> .gitleaks.toml
  lanyard scan patterns --format github`,
		Args: takes(),
		RunE: func(*cobra.Command, []string) error {
			if err := checkPrefixes(prefixes); err != nil {
				return err
			}
			all, err := p.prefixes(prefixes)
			if err != nil {
				return err
			}
			if len(prefixes) == 0 {
				all = all[:1] // the one in use
			}
			return p.printPatterns(format, all)
		},
	}
	cmd.Flags().StringVar(&format, "format", "gitleaks", "github, gitlab, gitleaks or trufflehog")
	cmd.Flags().StringSliceVar(&prefixes, "prefix", nil, "what credentials begin with; may be repeated (default: LANYARD_KEY_PREFIX, else "+defaultPrefix+")")
	return cmd
}

func (p *program) printPatterns(format string, prefixes []string) error {
	var all []pattern
	for _, prefix := range prefixes {
		all = append(all, patternsOf(prefix)...)
	}
	write := map[string]func([]pattern) string{"github": githubPatterns, "gitlab": gitlabPatterns, "gitleaks": gitleaksPatterns, "trufflehog": trufflehogPatterns}[format]
	switch {
	case write == nil:
		return usage("--format must be github, gitlab, gitleaks or trufflehog, not %.20q", format)
	case p.asJSON():
		return p.json(all)
	}
	p.out.text(write(all))
	return nil
}

// tailPattern is what comes after the mode: id, secret and checksum.
const tailPattern = `[0-9A-Za-z]{54}`

func patternsOf(prefix string) []pattern {
	var all []pattern
	for _, kind := range append(secret.Kinds(), secret.Access) {
		what, _ := kindWords(kind)
		one := pattern{
			Type: secret.TypeName(prefix, kind), Description: what + " of Lanyard (" + prefix + ")",
			Regex: prefix + "_" + string(kind) + "_(?:live|test)_" + tailPattern, keyword: prefix + "_" + string(kind) + "_",
		}
		if kind == secret.Access {
			one.Regex = strings.Replace(one.Regex, "{54}", "{60,}", 1)
		}
		if one.reportable = one.Type != ""; !one.reportable {
			one.Type = prefix + "_" + strings.ReplaceAll(what, " ", "_")
		}
		all = append(all, one)
	}
	return all
}

func githubPatterns(all []pattern) string {
	var out strings.Builder
	out.WriteString("# For secret scanning. As a partner: these types and patterns, with <public URL>/v1/leaks/github as the address for alerts.\n" +
		"# As custom patterns: \"Secret format\" is the pattern, \"After secret\" the boundary.\n")
	for _, one := range all {
		if one.reportable {
			fmt.Fprintf(&out, "- type: %s\n  name: %s\n  pattern: '%s'\n  after_secret: '\\z|[^0-9A-Za-z]'\n", one.Type, sentenceCase(one.Description), one.Regex)
		}
	}
	return out.String()
}

func gitleaksPatterns(all []pattern) string {
	var out strings.Builder
	for _, one := range all {
		fmt.Fprintf(&out, "[[rules]]\nid = \"%s\"\ndescription = \"%s\"\nregex = '''\\b(%s)(?:[^0-9A-Za-z]|$)'''\nkeywords = [\"%s\"]\n\n",
			strings.ReplaceAll(one.Type, "_", "-"), sentenceCase(one.Description), one.Regex, one.keyword)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func gitlabPatterns(all []pattern) string {
	return "# .gitlab/secret-detection-ruleset.toml\n[secrets]\n[[secrets.passthrough]]\ntype = \"raw\"\ntarget = \"gitleaks.toml\"\nvalue = \"\"\"\n" +
		"title = \"Lanyard\"\n\n[extend]\nuseDefault = true\n\n" + strings.ReplaceAll(gitleaksPatterns(all), `\`, `\\`) + "\"\"\"\n"
}

func trufflehogPatterns(all []pattern) string {
	var out strings.Builder
	out.WriteString("detectors:\n")
	for _, one := range all {
		fmt.Fprintf(&out, "  - name: %s\n    keywords: [%s]\n    regex:\n      credential: '\\b(%s)(?:[^0-9A-Za-z]|$)'\n", one.Type, one.keyword, one.Regex)
	}
	return out.String()
}
