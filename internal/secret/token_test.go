package secret_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

func TestTokenRefuses(t *testing.T) {
	whole, err := secret.AssembleToken("lyd", secret.Live, "0123456789abcdef", bytes.Repeat([]byte{0xab}, 61))
	if err != nil {
		t.Fatal(err)
	}
	text := whole.Reveal()
	for name, bad := range map[string]string{
		"empty": "", "cut": text[:len(text)-1], "padded": text + "=", "longer": text + "0", "upper": strings.ToUpper(text), "space": " " + text,
		"another kind": strings.Replace(text, "_at_", "_rt_", 1), "another mode": strings.Replace(text, "_live_", "_test_", 1), "no mode": strings.Replace(text, "_live_", "_dead_", 1),
		"a digit": text[:40] + "!" + text[41:], "too long": text + strings.Repeat("0", secret.MaxToken),
	} {
		if _, _, err := secret.ParseToken(bad, nil); err == nil {
			t.Errorf("ParseToken(%s) = nil error, want one", name)
		}
	}
	if _, err := secret.AssembleToken("lyd", secret.Live, "0123456789abcdef", make([]byte, 900)); !errors.Is(err, secret.ErrTooLong) {
		t.Errorf("AssembleToken(900 bytes) error = %v, want ErrTooLong", err)
	}
}

func TestTokenRoundTrip(t *testing.T) {
	for n := 1; n < 300; n++ {
		sealed := make([]byte, n)
		if _, err := rand.Read(sealed); err != nil {
			t.Fatal(err)
		}
		sealed[0] = byte(n) * 0xff // leading zeros and ones
		text, err := secret.AssembleToken("acme", secret.Test, "0123456789abcdef", sealed)
		if err != nil {
			t.Fatal(err)
		}
		c, got, err := secret.ParseToken(text.Reveal(), nil)
		if err != nil || !bytes.Equal(got, sealed) || c.ID != "0123456789abcdef" || c.Mode != secret.Test || c.Prefix != "acme" {
			t.Fatalf("ParseToken(AssembleToken(%d bytes)) = %v, %v, want the same bytes", n, c, err)
		}
		if kind := secret.KindOf(text.Reveal()); kind != secret.Access {
			t.Fatalf("KindOf = %q, want at", kind)
		}
	}
}

func TestTicket(t *testing.T) {
	chars, text, err := secret.NewTicket(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", text.Reveal()[1:], text.Reveal() + "a", strings.Repeat("-", 48)} {
		if _, ok := secret.TicketID(bad); ok {
			t.Errorf("TicketID(%d bytes) = ok, want not", len(bad))
		}
	}
	if got, ok := secret.TicketID(text.Reveal()); !ok || got != chars || len(got) != id.Length {
		t.Errorf("TicketID = %q, %v, want %q", got, ok, chars)
	}
}

func FuzzParseToken(f *testing.F) {
	whole, err := secret.AssembleToken("lyd", secret.Live, "0123456789abcdef", []byte("sealed bytes of any length"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Reveal())
	f.Add("lyd_at_live_")
	f.Fuzz(func(t *testing.T, text string) {
		c, sealed, err := secret.ParseToken(text, nil)
		if err != nil {
			return
		}
		again, err := secret.AssembleToken(c.Prefix, c.Mode, c.ID, sealed)
		if err != nil || again.Reveal() != text {
			t.Fatalf("AssembleToken(ParseToken(%q)) = %q, %v, want the same text", text, again.Reveal(), err)
		}
	})
}
