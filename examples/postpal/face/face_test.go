package face

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
)

var monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func token(scope string, left time.Duration) *oauth2.Token {
	t := &oauth2.Token{AccessToken: "x", ExpiresIn: 900, Expiry: monday.Add(left)}
	if scope == "" {
		return t
	}
	return t.WithExtra(map[string]any{"scope": scope})
}

func TestDraw(t *testing.T) {
	all := []string{"read your profile", "read your mail", "post for you"}
	for name, tc := range map[string]struct {
		pass Pass
		want badge
	}{
		"whole": {Pass{User: "u", Profile: []byte(`{"name":"Ada"}`), Token: token("", 15*time.Minute)}, badge{
			Alive: true, Text: "The badge works.", Left: "15:00", Dash: "175.9 175.9", Name: "Ada", User: "u", May: all, Stolen: "works 15 minutes at most, and not a second after you take it back.",
		}},
		"narrowed, near its end": {Pass{User: "u", Profile: []byte(`{"detail":"no"}`), Token: token("openid messages.read other", 30*time.Second)}, badge{
			Alive: true, Text: "The badge works.", Left: "00:30", Dash: "5.9 175.9", User: "u", May: []string{"read your mail", "other"}, MayNot: []string{"read your profile", "post for you"},
			Stolen: "works 15 minutes at most, and not a second after you take it back.",
		}},
		"over": {Pass{Token: token("", -time.Hour)}, badge{
			Alive: true, Text: "The badge works.", Left: "00:00", Dash: "0.0 175.9", May: all, Stolen: "works 15 minutes at most, and not a second after you take it back.",
		}},
		"taken back": {Pass{Profile: []byte(`{"name":"Ada"}`), Token: token("", time.Minute), Gone: true}, badge{
			Text: "Ada took the badge back. Sign in again.", Left: "01:00", Dash: "11.7 175.9", Name: "Ada", May: all, Stolen: "worth nothing: it opens no door any more.",
		}},
		"without a token": {Pass{Gone: true}, badge{
			Text: "You took the badge back. Sign in again.", Left: "00:00", Dash: "0.0 175.9", Stolen: "worth nothing: it opens no door any more.",
		}},
	} {
		if diff := cmp.Diff(&tc.want, tc.pass.draw(monday)); diff != "" {
			t.Errorf("%s: draw -want +got:\n%s", name, diff)
		}
	}
}

// FuzzResult: whatever an API answers, the page has a sentence for it, in the tone of its status.
func FuzzResult(f *testing.F) {
	for _, body := range []string{`{"detail":"No."}`, `{}`, ``, `[]`, `{"detail":7}`, "\xff", `{"detail":""}`} {
		f.Add(403, []byte(body))
		f.Add(200, []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		r := &Result{Act: "profile", Status: status, Body: body}
		good := status >= 200 && status < 300
		if r.Text() == "" || strings.TrimSpace(r.Said()) == "" || (r.Tone() == "good") != good || (r.Tone() == "bad") != (status == 401) || !good && r.Pretty() != "" {
			t.Errorf("Result{%d, %q} = %s, %q, %q, %q", status, body, r.Tone(), r.Said(), r.Text(), r.Pretty())
		}
	})
}
