package verify

import (
	"strings"

	"github.com/lanyard-auth/lanyard/internal/advice"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// binding is whether a request showed that its sender holds the key that the token is bound to. It is found out once a
// request: a proof counts once.
type binding uint8

const (
	unchecked binding = iota
	shown
	notShown
)

// byProof as DeniedBy of policy.SenderMismatch says that the proof was wrong, and not the token.
const byProof = "proof"

// BadProof reports whether the request was refused for its DPoP proof, which has a word of its own (RFC 9449 section 7.1).
func (d *Decision) BadProof() bool { return d.Code == policy.SenderMismatch && d.DeniedBy == byProof }

// BadProof is Decision.BadProof.
func (s *TokenState) BadProof() bool { return s.Code == policy.SenderMismatch && s.DeniedBy == byProof }

// bind refuses a token that is bound to a key whose possession the request does not show, and a proof that belongs to no
// token (RFC 9449 section 7; SECURITY-CASES 58). d is valid so far.
func (v *Verifier) bind(req *Request, d *Decision, h *holder) {
	jkt, x5t := "", ""
	if h.token != nil {
		jkt, x5t = h.token.claims.JKT, h.token.claims.X5T
	}
	d.DPoP = jkt != "" || req.DPoP != nil
	switch {
	case !d.DPoP && x5t == "":
		return
	case x5t != "": // no door shows certificates
		d.refuse(policy.SenderMismatch, "certificate")
		return
	case jkt == "", req.DPoP == nil:
		d.refuse(policy.SenderMismatch, "scheme")
		return
	}
	if d.bound == unchecked {
		d.bound = shown
		if why := v.shows(req, d, jkt); why != nil {
			d.bound = notShown
			d.Message = sentence(why)
		}
	}
	if d.bound == notShown {
		d.refuse(policy.SenderMismatch, byProof)
		if d.Message == "" {
			d.Message = advice.Sentence(policy.SenderMismatch, advice.Case{})
		}
	}
}

// shows says why the proof of a request does not show possession of the key with this thumbprint, or nil.
func (v *Verifier) shows(req *Request, d *Decision, thumbprint string) error {
	p, err := ParseProof(req.DPoP.Proof, d.At)
	if err != nil {
		return err
	}
	if err := p.For(req.DPoP.Method, req.DPoP.URL); err != nil {
		return err
	}
	if err := p.Carries(req.Credential); err != nil {
		return err
	}
	if p.Thumbprint != thumbprint {
		return errProofOther
	}
	if !req.DryRun && !v.proofs.first(&p, d.At) {
		return errProofAgain
	}
	return nil
}

// sentence makes of an error's text a sentence.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
