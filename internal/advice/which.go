package advice

import (
	"slices"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Question is one of the three that lead to a recommendation.
type Question struct {
	ID      string // the field of Answers and of the form: "whose", "where", "leak"
	Text    string
	Options []Option
}

// Option is one answer.
type Option struct{ Value, Text string }

// Answers hold an Option's Value for each question.
type Answers struct{ Whose, Where, Leak string }

// The values of Answers.
const (
	WhosePublic = "public" // the same for everybody
	WhoseOwn    = "own"    // the app's or its company's
	WhosePerson = "person" // private user data

	WhereServer = "server"
	WhereDevice = "device" // a browser or a phone: cannot keep a secret
	WhereScript = "script" // one person's own program

	LeakRotate = "rotate" // somebody notices and takes it back
	LeakEnds   = "ends"   // it must end by itself
)

// Questions returns the three questions with their options, in the order to ask them.
func Questions() []Question {
	return []Question{
		{"whose", "Whose data is it?", []Option{
			{WhosePublic, "Everybody's: forecasts, prices, maps"},
			{WhoseOwn, "Your own: your app's or your company's"},
			{WhosePerson, "A person's: mail, profile, files"},
		}},
		{"where", "Where does it run?", []Option{
			{WhereServer, "On a server you control, also a nightly job or CI"},
			{WhereDevice, "In a browser or on a phone, where anyone can look inside"},
			{WhereScript, "On one person's own machine, as a script they run for themselves"},
		}},
		{"leak", "What saves you if it leaks?", []Option{
			{LeakRotate, "We notice, and rotate or revoke it"},
			{LeakEnds, "It ends by itself, also if nobody notices"},
		}},
	}
}

// Recommendation is what to take, why, and how to get it.
type Recommendation struct {
	Kind   Kind
	Title  string // "Take an API key."
	Reason string // one sentence
	Next   string // a command line that gets one
}

// Which recommends a credential. An answer that is none of a question's options is an invalid_request naming the question.
func Which(a Answers) (Recommendation, error) {
	for i, value := range []string{a.Whose, a.Where, a.Leak} {
		question := Questions()[i]
		if !slices.ContainsFunc(question.Options, func(o Option) bool { return o.Value == value }) {
			return Recommendation{}, fault.Field(question.ID, "%.40q is no answer to %q", value, question.Text)
		}
	}
	kind, reason := recommend(a)
	return Recommendation{Kind: kind, Title: "Take " + kind.Name() + ".", Reason: reason, Next: next(kind)}, nil
}

func recommend(a Answers) (Kind, string) {
	ends := a.Leak == LeakEnds
	switch a.Whose {
	case WhosePublic:
		return forPublicData(a.Where, ends)
	case WhoseOwn:
		return forOwnData(a.Where, ends)
	}
	return forPrivateData(a.Where, ends)
}

func forPublicData(where string, ends bool) (Kind, string) {
	switch {
	case where == WhereServer && ends:
		return ClientCredentials, "Your server trades its client secret for badges that die within the hour, so a call that leaks gives away minutes; the secret itself never travels with a call."
	case where == WhereServer:
		return Key, "A server can keep a secret and the data is everybody's, so the API only needs to know which app to count; limit the key to your servers' addresses."
	case where == WhereDevice && ends:
		return Publishable, "Whatever you ship can be read, so take a key that may be seen, bind it to your website's origin and give it an end date."
	case where == WhereDevice:
		return Publishable, "Whatever you ship can be read, so take a key that may be seen: bound to your website's origin, limited, and rotated when somebody abuses it."
	case ends:
		return Personal, "A personal token always has an end date, so a copy forgotten on a laptop stops working by itself."
	}
	return Key, "The data is everybody's, so the API only needs to know which app to count; keep the key in .env, where `lanyard run` finds it, and rotate it when it gets out."
}

func forOwnData(where string, ends bool) (Kind, string) {
	switch {
	case where == WhereServer && ends:
		return ClientCredentials, "Server to server with nobody signed in: the app gets badges for itself that die within the hour, and its client secret goes to the token endpoint only."
	case where == WhereServer:
		return Key, "Server to server with your own data: no person is involved and a server can keep a secret; give the key few scopes and only your servers' addresses."
	case where == WhereDevice && ends:
		return AccessToken, "A browser or phone cannot keep a secret, so let your people sign in: each gets a badge that dies within the hour."
	case where == WhereDevice:
		return AccessToken, "A browser or phone cannot keep a secret and a key that may be seen would open your data to everybody, so let your people sign in; a badge can be taken back at once."
	case ends:
		return Personal, "It carries the person's own rights, narrowed to what the script does, and its end date saves you if nobody notices."
	}
	return Personal, "It carries the person's own rights and falls with them when they leave, which a company key on a laptop would not; it can be revoked alone."
}

func forPrivateData(where string, ends bool) (Kind, string) {
	switch {
	case where == WhereServer && ends:
		return AccessToken, "A key says which app is calling, not for whom; after a login your server holds a badge for one person that dies within the hour."
	case where == WhereServer:
		return AccessToken, "A key would open every person's data at once; a badge opens one person's, does only what they ticked, and they or you can take it back."
	case where == WhereDevice && ends:
		return AccessToken, "A browser or phone cannot keep a secret, so the person signs in (PKCE) and the badge dies within the hour."
	case where == WhereDevice:
		return AccessToken, "Private data never goes by a key that may be seen; the person signs in (PKCE), ticks what you may do, and can take the badge back."
	case ends:
		return Personal, "A script has no login page, so the person makes a badge of their own: narrowed to what the script does, and dated."
	}
	return Personal, "A script has no login page, so the person makes a badge of their own: it acts for them alone and is taken back with one click."
}

func next(kind Kind) string {
	switch kind {
	case Key:
		return "lanyard keys create APP --name NAME --scope SCOPE --ip 203.0.113.0/24 --save API_KEY"
	case Publishable:
		return "lanyard keys create APP --name NAME --scope SCOPE --pub --origin https://app.example"
	case Personal:
		return "lanyard tokens create --name NAME --scope SCOPE"
	case ClientCredentials:
		return "lanyard token --app APP --scope SCOPE --client-credentials"
	case AccessToken:
	}
	return "lanyard token --app APP --scope SCOPE"
}
