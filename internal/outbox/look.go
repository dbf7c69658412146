package outbox

import (
	"time"

	"github.com/lanyard-auth/lanyard/internal/id"
)

// Look is when the keys of a team are looked over next, and what its people know of them already.
type Look struct {
	Team     id.Team
	At       time.Time
	DigestAt time.Time // when they are next sent what there is to say; zero: that is yet to be decided
	Off      bool      // they want no such mail
	Told     []string  // names of what the last one said
}

// Looked is what a look led to: when the next one is, what webhooks are told, and mails. Was is when it was due itself.
type Looked struct {
	Look
	Was      time.Time
	Messages []Message
	Letters  []Mail
	Forget   time.Time // networks that were not seen since are forgotten
}
