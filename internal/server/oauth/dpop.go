package oauth

import (
	"net/http"

	"github.com/lanyard-auth/lanyard/internal/verify"
)

// proofAlgs are what DPoP proofs may be signed with, as discovery tells.
func proofAlgs() []string { return verify.ProofAlgorithms() }

// proof checks the DPoP proof of a request to one of our own endpoints and returns the thumbprint of its key, or "" where
// none was sent (RFC 9449 section 4.3). A proof counts once, on whichever node it comes in.
func (s *Server) proof(r *http.Request, address string) (string, error) {
	lines := r.Header.Values("DPoP")
	if len(lines) == 0 {
		return "", nil
	}
	if len(lines) > 1 {
		return "", fail(invalidProof, "send one DPoP proof")
	}
	p, err := verify.ParseProof(lines[0], s.Now())
	if err != nil {
		return "", fail(invalidProof, "%s", err.Error())
	}
	if err := p.For(r.Method, address); err != nil {
		return "", fail(invalidProof, "%s", err.Error())
	}
	first, err := s.Grants.Once(r.Context(), onceKey("dpop", p.Thumbprint, p.ID), p.IssuedAt.Add(2*skew))
	if err != nil {
		return "", err
	}
	if !first {
		return "", fail(invalidProof, "the DPoP proof was used before: make a new one for each request")
	}
	return p.Thumbprint, nil
}
