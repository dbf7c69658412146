package advice

import (
	"strings"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

// Text teaches about one outcome.
type Text struct {
	Code     string
	Title    string
	Sentence string // what happened: one or two sentences
	Who      string // who can mend it, as a sentence
	How      string // what to do next
	Example  string // a line to copy; names variables and never a secret
	Also     string // what the code means in the JSON API when that differs from its meaning in a decision; else empty
}

// Case is what is known about one refused request. Everything may be empty; the more there is, the more exact the words.
type Case struct {
	Takes      policy.Takes // what the operation, or else the API, takes
	Presented  Kind         // what was sent; Key or a token beside another is told by DeniedBy
	DeniedBy   string       // policy.Verdict.DeniedBy, or the name of a limit
	API        string       // name of an API that takes nothing but tokens, such as "mail": what is read there is a person's
	Purpose    string       // what the API or operation does, in the third person: "reads one person's mail"
	ScopeTexts []string     // texts of the operation's scopes, from which a purpose is made when there is none
	Missing    []string     // names of the missing scopes
	Refused    []string     // their texts, in the same order; empty when not all are known
}

// Denial returns the text for a code, with Sentence and Title fitted to the case. A code nobody wrote a page for gets general words.
func Denial(code policy.Code, c Case) Text {
	text, ok := pages[string(code)]
	if !ok {
		return Text{
			Code: string(code), Title: "Refused", Sentence: general, Who: "Whoever runs this server can mend it.",
			How: "Send the request id to whoever runs this server.",
		}
	}
	text.Code, text.Sentence, text.Also = string(code), Sentence(code, c), ""
	if code == policy.KindNotAccepted {
		text.How, text.Example = kindHow(c)
	}
	return text
}

// Pages returns the page of every policy.Code and every fault.Kind by its code, as shown under /errors/<code>. The map is the caller's.
func Pages() map[string]Text {
	all := make(map[string]Text, len(pages))
	for code, text := range pages {
		text.Code = code
		all[code] = text
	}
	return all
}

const general = "The request was refused."

// Sentence is Denial's sentence alone, for answers on the hot path: it allocates only where it names scopes, a purpose or a limit.
func Sentence(code policy.Code, c Case) string {
	switch code {
	case policy.KindNotAccepted:
		return kindSentence(c)
	case policy.InsufficientScope:
		return scopeSentence(c)
	case policy.RateLimited:
		if c.DeniedBy != "" {
			return "Too many requests in a short time: the limit " + c.DeniedBy + " is used up for now."
		}
	case policy.QuotaExceeded:
		switch c.DeniedBy {
		case "key-quota":
			return "The quota of this key is used up until its next period."
		case "spend-limit":
			return "The spend limit of the team's plan is reached: this call would make the bill cost more."
		}
	default: // constant
	}
	if text, ok := pages[string(code)]; ok {
		return text.Sentence
	}
	return general
}

const (
	sentKey    = "You sent an API key (an ID card): it says which app is calling, not for whom."
	sentToken  = "You sent an access token (a visitor badge): it says for whom an app calls, and here only the app counts."
	needsToken = "This needs an access token (a visitor badge)."
	needsKey   = "This needs an API key (an ID card)."

	tokenForKey = needsToken + " " + sentKey
	keyForToken = needsKey + " " + sentToken
	keyForOwn   = needsKey + " You sent a personal access token: it says who you are, and here only the app counts."
	keyAlone    = "This needs an API key (an ID card) and an access token (a visitor badge) together. You sent the key alone."
	tokenAlone  = "This needs an API key (an ID card) and an access token (a visitor badge) together. You sent the token alone."
	otherKind   = "This kind of credential is not accepted here."
)

func kindSentence(c Case) string {
	switch c.DeniedBy {
	case "key_alone":
		return keyAlone
	case "token_alone":
		return tokenAlone
	}
	switch {
	case c.DeniedBy == "key" || c.DeniedBy == "" && c.Takes == policy.TakesToken:
		if purpose := c.purpose(); purpose != "" {
			return "This " + purpose + ", so it needs an access token (a visitor badge). " + sentKey
		}
		return tokenForKey
	case c.DeniedBy == "token" || c.DeniedBy == "" && c.Takes == policy.TakesKey:
		if c.Presented == Personal {
			return keyForOwn
		}
		return keyForToken
	}
	return otherKind
}

func (c Case) purpose() string {
	if c.Purpose != "" {
		return c.Purpose
	}
	for _, text := range c.ScopeTexts {
		made := purpose(text)
		if made == "" {
			continue
		}
		if reads(text) && isWord(c.API) {
			return "reads one person's " + c.API
		}
		return made
	}
	return ""
}

func kindHow(c Case) (how, example string) {
	switch {
	case c.DeniedBy == "key_alone" || c.DeniedBy == "token_alone":
		return "Send both: the token as bearer, the key of the same app beside it.",
			`printf '%s\n' "Authorization: Bearer $ACCESS_TOKEN" "X-API-Key: $API_KEY" | curl -H @- "$API_URL"`
	case c.DeniedBy == "token" || c.DeniedBy == "" && c.Takes == policy.TakesKey:
		return "Create a key for your app in the portal, and send that.", "lanyard keys create APP --name NAME --scope SCOPE --save API_KEY"
	case c.DeniedBy == "key" || c.DeniedBy == "" && c.Takes == policy.TakesToken:
		return "Let the person sign in and send the access token your app gets.", "lanyard token --app APP --scope SCOPE"
	}
	page := pages[string(policy.KindNotAccepted)]
	return page.How, page.Example
}

func scopeSentence(c Case) string {
	who := "your credential"
	switch {
	case strings.HasPrefix(c.DeniedBy, "key."):
		who = "your API key"
	case strings.HasPrefix(c.DeniedBy, "token."):
		who = "your token"
	case c.DeniedBy == "scopes":
		who = "your key or your token"
	}
	if strings.HasSuffix(c.DeniedBy, ".operations") {
		return "This is not among the operations " + who + " is limited to."
	}
	switch {
	case len(c.Missing) > 0 && c.DeniedBy == "token.owner":
		return outgrown(c.Missing)
	case len(c.Refused) > 0 && c.DeniedBy == "token.scopes" && c.Presented == AccessToken:
		return "The user did not allow this app to " + list(themselves(c.Refused), "and") + ": this needs " + scopes(c.Missing) + "."
	}
	switch len(c.Missing) {
	case 0:
		return pages[string(policy.InsufficientScope)].Sentence
	}
	return "This needs " + scopes(c.Missing) + ", which " + who + " does not have."
}

func scopes(names []string) string {
	if len(names) == 1 {
		return "the scope " + names[0]
	}
	return "the scopes " + list(names, "and")
}

// outgrown is about scopes that a token has while its user has lost the role that could grant them.
func outgrown(names []string) string {
	it := "it"
	if len(names) > 1 {
		it = "them"
	}
	return "This needs " + scopes(names) + ". The token has " + it + ", but its user may not use " + it + " any more."
}
