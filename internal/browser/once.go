package browser

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/node"
)

// Claims keeps which forms were sent.
type Claims interface {
	// ClaimAnswer is node.Store's.
	ClaimAnswer(ctx context.Context, a node.Answer) (*node.Answer, error)
}

// OnceField is the hidden field by which a form that makes something shown once is known again.
const OnceField = "once"

// Mark is a value for the field OnceField of a form that is shown now.
func (k *Kit) Mark() string { return rand.Text() }

// Once takes a form that makes something shown once, and refuses with fault.Conflict one that was sent before: a page loaded again
// makes nothing more, and shows no secret. Of parallel sendings one is first, on all nodes. The form has to be checked before: one
// that is sent back to be mended needs a new mark.
func (k *Kit) Once(r *http.Request, v *Visit) error {
	mark := r.PostForm.Get(OnceField)
	if len(mark) < 16 || len(mark) > 64 {
		return fault.Field(OnceField, "the form is not whole; open the page again")
	}
	sum := sha256.Sum256([]byte("form\x00" + string(v.User.ID) + "\x00" + mark))
	there, err := k.Claims.ClaimAnswer(r.Context(), node.Answer{Key: hex.EncodeToString(sum[:]), At: k.Now().UTC().Truncate(time.Microsecond)})
	if err != nil {
		return err
	}
	if there != nil {
		return fault.New(fault.Conflict, "this form was sent already: what it made is there, and a secret is not shown again")
	}
	return nil
}
