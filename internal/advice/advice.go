// Package advice owns the words Lanyard says to people about credentials: what an ID card and a visitor badge are (Table), which
// one to take (Which), what a stolen one is worth (IfStolen) and why a request was refused and who can mend that (Denial, Pages).
//
// It is pure: no I/O and no clock. It decides nothing about requests; that is package policy's and package verify's. How the words look is
// left to the surfaces: the portal, the command line, problem documents, the README.
package advice

// Kind is a credential as advice speaks of it. Where a credential has a kind on the wire the word is the same.
type Kind string

// The kinds.
const (
	Key               Kind = "key"                // an app's API key; secret
	Publishable       Kind = "pub"                // an app's API key that may be seen; always restricted
	AccessToken       Kind = "at"                 // issued by a login
	Personal          Kind = "pat"                // a user's own token for scripts
	ClientCredentials Kind = "client_credentials" // an access token an app gets for itself
)

// Name is what people call it, with its article: "an API key".
func (k Kind) Name() string {
	switch k {
	case Key:
		return "an API key"
	case Publishable:
		return "a publishable API key"
	case AccessToken:
		return "an access token"
	case Personal:
		return "a personal access token"
	case ClientCredentials:
		return "an access token by client credentials"
	}
	return "a credential"
}

// IsToken reports whether it is a badge rather than a card: short-lived or a user's.
func (k Kind) IsToken() bool { return k == AccessToken || k == Personal || k == ClientCredentials }
