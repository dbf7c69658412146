package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

// inspection is what a credential says about itself.
type inspection struct {
	Kind      string     `json:"kind,omitempty"`
	Mode      string     `json:"mode,omitempty"`
	ID        string     `json:"id,omitempty"`
	Hint      string     `json:"hint"`
	Checksum  string     `json:"checksum,omitempty"` // ok or wrong; access tokens have a signature instead
	Issuer    string     `json:"issuer,omitempty"`
	Subject   string     `json:"subject,omitempty"`
	Client    string     `json:"client_id,omitempty"`
	Audience  []string   `json:"audience,omitempty"`
	Scopes    []string   `json:"scopes,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Problem   string     `json:"problem,omitempty"`
	IfStolen  string     `json:"if_stolen,omitempty"`
}

func (p *program) inspect() *cobra.Command {
	var from entry
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Say what a credential is, without asking anybody",
		Long: `Say what a credential is from its text alone: kind, mode, id, whether it was mistyped, and for a
JWT who it is for, its scopes and its end. Nothing is sent anywhere, so whether it was revoked
is for "lanyard verify" to say. Exit 1 when it is no whole credential.

It comes on stdin, at the prompt, with --from NAME (environment or .env) or --file PATH.`,
		Example: "  lanyard inspect --from WEATHER_API_KEY\n  lanyard inspect < key.txt",
		Args:    noArgument,
		RunE: func(*cobra.Command, []string) error {
			given, err := p.secret(from, "Credential to inspect")
			if err != nil {
				return err
			}
			found := inspectText(given.Reveal(), p.now())
			if err := p.showInspection(found); err != nil {
				return err
			}
			if found.Problem != "" {
				return errNo
			}
			return nil
		},
	}
	from.flags(cmd)
	return cmd
}

// inspectText reads a credential offline.
func inspectText(text string, now time.Time) inspection {
	if found, ok := inspectJWT(text, now); ok {
		return found
	}
	found := inspection{Hint: secret.Hint(text)}
	read := secret.Parse
	if secret.KindOf(text) == secret.Access {
		read = func(text string) (secret.Credential, error) {
			c, _, err := secret.ParseToken(text, nil)
			return c, err
		}
	}
	c, err := read(text)
	if err != nil {
		found.Problem = err.Error()
		if err == secret.ErrChecksum { //nolint:errorlint // Parse documents its values
			found.Checksum = "wrong"
		}
		return found
	}
	found.Kind, found.Mode, found.ID, found.Checksum = string(c.Kind), string(c.Mode), publicID(c), "ok"
	found.IfStolen = advice.IfStolen(offlineCard(c, now)).Text
	return found
}

// publicID is the id of the thing that a credential stands for, where its kind tells the word.
func publicID(c secret.Credential) string {
	switch c.Kind {
	case secret.Key, secret.Publishable, secret.Client, secret.Personal:
		return "key_" + c.ID
	case secret.Refresh, secret.Code, secret.Access: // of nothing that a command takes
	}
	return c.ID
}

// offlineCard assumes the worst of what the text does not tell: no end and no restriction, unless the kind has one.
func offlineCard(c secret.Credential, now time.Time) advice.Card {
	card := advice.Card{Now: now, Test: c.Mode == secret.Test, Kind: advice.Key}
	switch c.Kind {
	case secret.Publishable:
		card.Kind = advice.Publishable
	case secret.Personal, secret.Refresh:
		card.Kind = advice.Personal
	case secret.Code: // DESIGN section 8, lifetimes
		card.Kind, card.Expires = advice.AccessToken, now.Add(time.Minute)
	case secret.Access:
		card.Kind = advice.AccessToken
	case secret.Key, secret.Client:
	}
	return card
}

func kindName(kind string) string {
	switch secret.Kind(kind) {
	case secret.Key:
		return "key: an API key, an app's ID card"
	case secret.Publishable:
		return "pub: a publishable API key, which may be seen"
	case secret.Client:
		return "cs: a client secret, for the token endpoint"
	case secret.Personal:
		return "pat: a personal access token"
	case secret.Refresh:
		return "rt: a refresh token"
	case secret.Code:
		return "ac: an authorization code, good for a minute"
	case secret.Access:
		return "at: an opaque access token, which only its server can read"
	}
	return kind
}

func (p *program) showInspection(i inspection) error {
	if p.asJSON() {
		return p.json(i)
	}
	if i.Problem != "" {
		p.out.linef("%s: %s", cell(i.Hint), i.Problem)
		return nil
	}
	err := p.fields(
		"credential", i.Hint, "kind", kindName(i.Kind), "mode", i.Mode, "id", i.ID, "checksum", i.Checksum, "issuer", i.Issuer, "for", i.Subject,
		"through", i.Client, "at", joined(i.Audience), "scopes", joined(i.Scopes), "expires", whenever(i.ExpiresAt),
	)
	if i.IfStolen != "" {
		p.out.linef("%s", cell(i.IfStolen))
	}
	return err
}
