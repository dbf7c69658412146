package demo

import (
	"embed"
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/notify"
	"github.com/lanyard-auth/lanyard/internal/page"
)

//go:embed templates/*.html
var templates embed.FS

// outboxPage shows the mails that a real server would have sent.
type outboxPage struct {
	page.Frame
	Mails []letter
}

// letter is a mail as the page shows it.
type letter struct {
	To, Subject string
	Lines       []page.Link // a line that is an address is a link
}

func letterOf(m notify.Mail) letter {
	made := letter{To: m.To, Subject: m.Subject}
	for line := range strings.Lines(m.Text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		shown := page.WebLink(line, line)
		if shown.URL == "" {
			shown = page.Link{Text: line}
		}
		made.Lines = append(made.Lines, shown)
	}
	return made
}

// outbox serves the mails, newest first. Whoever reaches the demo can read them: it is for one person at one machine.
func outbox(kit *page.Kit, mails *notify.Memory) http.HandlerFunc {
	set := kit.Templates(templates, "templates/*.html").Private()
	return kit.Handle(func(w http.ResponseWriter, r *http.Request) error {
		view := outboxPage{Frame: kit.Frame(r, "Outbox", "")}
		for _, m := range mails.List() {
			view.Mails = append(view.Mails, letterOf(m))
		}
		return set.Render(w, r, http.StatusOK, "outbox", view)
	})
}
