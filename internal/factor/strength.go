package factor

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go"
	"github.com/ccojocar/zxcvbn-go/match"
	"github.com/ccojocar/zxcvbn-go/matching"
	"github.com/ccojocar/zxcvbn-go/scoring"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

const (
	minPassword = 8   // characters
	maxScored   = 100 // characters that are looked at; the work grows with their square
	wantScore   = 3   // of 4: more than 10^10 guesses
	maxPersonal = 24  // words about the person
)

// Check refuses a new password that is too short, too long or too easy to guess, with words that help. personal are
// the user's address, name and the like, which guessers try first. A password in use is never checked again.
func Check(password string, personal ...string) error {
	if err := checkLength(password); err != nil {
		return err
	}
	switch {
	case !utf8.ValidString(password):
		return fault.Field("password", "holds bytes that are no text (UTF-8)")
	case utf8.RuneCountInString(password) < minPassword:
		return fault.Field("password", "is too short: use at least %d characters", minPassword)
	}
	about := words(personal)
	looked := plain(password)
	weakest := score(looked, about)
	// zxcvbn's own look at letters written as figures tries every combination of them, which takes seconds for a
	// password made for it. The usual figures, read in the two ways that differ, take three looks in all.
	for _, one := range []string{"i", "l"} {
		if read := unleet(looked, one); read != looked {
			if other := score(read, about); other.Score < weakest.Score {
				weakest = other
			}
		}
	}
	switch {
	case isNumber(password):
		return tooEasy("it is a date or a short number")
	case weakest.Score < wantScore:
		return tooEasy(why(weakest))
	}
	return nil
}

func tooEasy(why string) error {
	return fault.Field("password", "is too easy to guess: %s; a few words that have nothing to do with each other make a good one", why)
}

// isNumber finds dates and telephone numbers in any writing, most of which zxcvbn takes for chance.
func isNumber(password string) bool {
	return len(password) <= 20 && strings.Trim(password, "0123456789-/.,:+() ") == ""
}

func score(password string, personal []string) scoring.MinEntropyMatch {
	return zxcvbn.PasswordStrength(password, personal, matching.FilterL33tMatcher)
}

// plain returns the characters that are looked at, each as one byte: zxcvbn counts letters in one place and bytes in
// another. A letter of another script stands for one of ours, so that repetitions and rows still show.
func plain(password string) string {
	var b strings.Builder
	for _, r := range password {
		if r > unicode.MaxASCII {
			r = 'a' + r%26
		}
		b.WriteRune(r)
		if b.Len() == maxScored {
			break
		}
	}
	return b.String()
}

// unleet reads figures and signs as the letters they are used for; 1 and its like can be either of two.
func unleet(password, one string) string {
	return strings.NewReplacer("4", "a", "@", "a", "3", "e", "0", "o", "$", "s", "5", "s", "7", "t", "+", "t", "1", one, "!", one, "|", one).Replace(password)
}

// words takes names and addresses apart, since people use the parts.
func words(personal []string) []string {
	var all []string
	for _, text := range personal {
		text = strings.ToLower(text)
		parts := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		for _, word := range append([]string{text}, parts...) {
			if utf8.RuneCountInString(word) >= 3 && len(all) < maxPersonal {
				all = append(all, plain(word))
			}
		}
	}
	return all
}

// why names what makes a password easy: the largest part that is not by chance.
func why(s scoring.MinEntropyMatch) string {
	var largest match.Match
	for _, m := range s.MatchSequence {
		if m.Pattern != "bruteforce" && len(m.Token) > len(largest.Token) {
			largest = m
		}
	}
	switch largest.Pattern {
	case "dictionary":
		if largest.DictionaryName == "user_inputs" {
			return "it holds your own name or address"
		}
		return "it is mostly a common word, name or password"
	case "spatial":
		return "it follows keys that lie side by side"
	case "repeat":
		return "it repeats one character"
	case "sequence":
		return "it holds a row such as abc or 678"
	}
	return "it has too few characters for what it is made of"
}
