package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/lanyard-auth/lanyard/internal/advice"
)

// claims are the parts of a JWT access token (RFC 9068 section 2.2) that a person asks for.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	Client   string   `json:"client_id"`
	Expires  *int64   `json:"exp"`
	Scope    string   `json:"scope"`
	ID       string   `json:"jti"`
	Mode     string   `json:"mode"`
}

// audience is one text or a list of them (RFC 7519 section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// inspectJWT reads what a JWT says. Nobody has checked its signature: that is not for a program without keys.
func inspectJWT(text string, now time.Time) (inspection, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return inspection{}, false
	}
	var head struct {
		Type string `json:"typ"`
	}
	var c claims
	if !decodePart(parts[0], &head) || !decodePart(parts[1], &c) {
		return inspection{}, false
	}
	found := inspection{
		Kind: "a JWT (its signature was not checked)", Mode: c.Mode, ID: c.ID, Hint: "eyJ…", Issuer: c.Issuer, Subject: c.Subject, Client: c.Client,
		Audience: c.Audience, Scopes: strings.Fields(c.Scope),
	}
	if head.Type == "at+jwt" {
		found.Kind = "a JWT access token (its signature was not checked)"
	}
	card := advice.Card{Kind: advice.AccessToken, Now: now, Test: c.Mode == "test", JWT: true}
	// Beyond the year 9999 a time has no RFC 3339 form.
	if c.Expires != nil && *c.Expires > 0 && *c.Expires < 253402300800 {
		card.Expires = time.Unix(*c.Expires, 0).UTC()
		found.ExpiresAt = &card.Expires
	}
	found.IfStolen = advice.IfStolen(card).Text
	return found, true
}

func decodePart(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}

func joined(items []string) string { return strings.Join(items, " ") }
