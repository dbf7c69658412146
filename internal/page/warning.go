package page

import (
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/advice"
)

// Warning is something that somebody should know of a key, as the partial "warnings" shows it.
type Warning struct {
	Of    string // what it is about; empty: the page says so
	State Cell
	Text  string
	Act   Link // where it is answered
}

// WarningOf puts a warning on a page. base is the address of this server, by which the warning names its page.
func WarningOf(w lanyard.Warning, base string) Warning {
	tone := map[string]string{string(advice.Grave): "bad", string(advice.Warn): "warn"}[w.Gravity]
	if tone == "" {
		tone = "plain"
	}
	return Warning{Of: w.Of(), State: Cell{Text: warningWord(w.Code), Pill: tone}, Text: w.Text, Act: Link{Text: w.Do, URL: strings.TrimPrefix(w.URL, base)}}
}

// warningWord is a warning in two words.
func warningWord(code string) string {
	switch code {
	case advice.CodeExpiring:
		return "ends soon"
	case advice.CodeExpired:
		return "has ended"
	case advice.CodeRotationDue:
		return "rotation due"
	case advice.CodeStale:
		return "not used"
	case advice.CodeNeverUsed:
		return "never used"
	case advice.CodeNewNetwork:
		return "new network"
	case advice.CodeManyNetworks:
		return "many networks"
	case advice.CodeInQuery:
		return "in an address"
	case advice.CodeUnrestricted:
		return "works anywhere"
	}
	return "look at it"
}
