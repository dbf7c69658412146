package secret

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// holder has the secret where fmt cannot call methods: behind unexported fields.
type holder struct {
	hidden Secret
	list   []Secret
}

func TestSecretIsShownNowhere(t *testing.T) {
	const text = "lyd-hunter2"
	s := Of(text)
	shown := map[string]string{}
	for _, verb := range strings.Split("v +v #v s q x X d c U t b o e g p T", " ") {
		shown["%"+verb] = fmt.Sprintf("%"+verb, s)
		shown["pointer %"+verb] = fmt.Sprintf("%"+verb, &s)
		shown["unexported field %"+verb] = fmt.Sprintf("%"+verb, holder{hidden: s, list: []Secret{s}})
		shown["map %"+verb] = fmt.Sprintf("%"+verb, map[string]any{"k": s})
	}
	shown["%20.5s"] = fmt.Sprintf("%20.5s", s)
	shown["Sprint"] = fmt.Sprint(s)
	shown["error"] = fmt.Errorf("oops: %w, %v", fmt.Errorf("inner %v", s), s).Error()

	asJSON, err := json.Marshal(map[string]any{"a": s, "b": &s, "c": struct{ S Secret }{s}, "d": holder{hidden: s}})
	if err != nil {
		t.Fatal(err)
	}
	shown["JSON"] = string(asJSON)
	asXML, err := xml.Marshal(struct {
		XMLName struct{} `xml:"x"`
		S       Secret
	}{S: s})
	if err != nil {
		t.Fatal(err)
	}
	shown["XML"] = string(asXML)

	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(h).Info("m", "a", s, "b", &s, "c", struct{ S Secret }{s}, slog.Group("g", "d", s))
	}
	shown["slog"] = log.String()

	for how, got := range shown {
		if strings.Contains(got, "hunter2") || strings.Contains(got, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("%s shows the secret: %s", how, got)
		}
	}
	for _, how := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "Sprint"} {
		if shown[how] != redacted {
			t.Errorf("%s = %q, want %q", how, shown[how], redacted)
		}
	}
	if got := s.Reveal(); got != text {
		t.Errorf("Reveal() = %q, want %q", got, text)
	}
}

func TestRefreshMACIsShownNowhere(t *testing.T) {
	body := RefreshBody{Version: 1, Counter: 2, MAC: RefreshMAC([]byte("hunter2-hunter2-hu"))}
	asJSON, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{fmt.Sprintf("%v %+v %#v %s %x", body, body, body, body.MAC, body.MAC), string(asJSON)} {
		if !strings.Contains(got, redacted) || strings.Contains(got, "hunter2") || strings.Contains(got, "68756e") || strings.Contains(got, "104") {
			t.Errorf("a refresh body prints %s, want its MAC redacted", got)
		}
	}
}

func TestZeroSecret(t *testing.T) {
	var zero Secret
	if !zero.IsZero() || zero.Reveal() != "" || fmt.Sprint(zero) != redacted {
		t.Errorf("zero Secret: IsZero %v, Reveal %q, prints %v", zero.IsZero(), zero.Reveal(), zero)
	}
	if !Of("").IsZero() || Of("x").IsZero() {
		t.Error("IsZero must tell an empty text from another")
	}
}
