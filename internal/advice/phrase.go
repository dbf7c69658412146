package advice

import (
	"slices"
	"strconv"
	"strings"
)

// person turns scope texts, which speak to the one who consents ("read your profile"), into phrases about her.
type person struct {
	name, pronoun string
	mentioned     bool
}

// phrases keeps the first three of a long list, so that it stays a sentence.
func (p *person) phrases(texts []string) []string {
	shown := texts
	if len(texts) > 4 {
		shown = texts[:3]
	}
	out := make([]string, 0, len(shown)+1)
	for _, text := range shown {
		out = append(out, p.phrase(text))
	}
	if hidden := len(texts) - len(shown); hidden > 0 {
		out = append(out, "do "+strconv.Itoa(hidden)+" other things")
	}
	return out
}

func (p *person) phrase(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		bare := strings.TrimRight(word, ",.;:!")
		tail := word[len(bare):]
		switch bare {
		case "your":
			words[i] = p.possessive() + tail
		case "you":
			words[i] = p.object() + tail
		default:
			continue
		}
		p.mentioned = true
	}
	return strings.Join(words, " ")
}

func (p *person) object() string {
	if p.mentioned && p.pronoun != "" {
		return p.pronoun
	}
	return p.name
}

func (p *person) possessive() string {
	if p.mentioned {
		switch p.pronoun {
		case "her":
			return "her"
		case "him":
			return "his"
		case "them":
			return "their"
		}
	}
	return p.name + "'s"
}

// themselves turns scope texts into phrases about somebody who is not named: "read their messages", "post for them".
func themselves(texts []string) []string {
	p := person{name: "them", pronoun: "them", mentioned: true}
	return p.phrases(texts)
}

// reads reports whether a scope's text is about looking at something.
func reads(text string) bool {
	verb, _, _ := strings.Cut(text, " ")
	return slices.Contains([]string{"list", "read", "see", "show", "view"}, verb)
}

// isWord reports whether an API's name can stand in a sentence for what it holds: "mail", and not "mail-v2".
func isWord(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") == ""
}

// purpose makes of a scope's text what an operation does: "read your messages" gives "reads one person's messages". It returns "" for a text
// that is not about a person, or whose first word is not a verb it knows how to bend.
func purpose(text string) string {
	verb, tail, _ := strings.Cut(text, " ")
	words := strings.Fields(tail)
	if !slices.Contains(words, "your") && !slices.Contains(words, "you") {
		return ""
	}
	switch verb {
	case "add", "change", "create", "delete", "edit", "list", "manage", "move", "post", "read", "remove", "see", "send", "share", "show", "upload", "use", "view", "write", "update":
		p := person{name: "one person", pronoun: "them"}
		return verb + "s " + p.phrase(tail)
	}
	return ""
}
