package web

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func upload(t *testing.T, fields int, file string) *http.Request {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for range fields {
		if err := form.WriteField("name", "weather"); err != nil {
			t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("document", "../../etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(file)); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return r
}

func TestReadUploadRefuses(t *testing.T) {
	cut := upload(t, 1, "a file")
	cut.Body = io.NopCloser(io.LimitReader(cut.Body, 200))
	packed := upload(t, 1, "a file")
	packed.Header.Set("Content-Encoding", "gzip")
	nameless := upload(t, 1, "a file")
	nameless.Header.Set("Content-Type", "multipart/form-data")
	for name, r := range map[string]*http.Request{
		"cut off": cut, "packed": packed, "without a boundary": nameless, "too long": upload(t, 1, strings.Repeat("x", MaxUpload)), "of many fields": upload(t, maxParts+1, "a file"),
		"of another type": httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")),
	} {
		if _, err := (&Kit{}).ReadUpload(httptest.NewRecorder(), r); !fault.Is(err, fault.Invalid) {
			t.Errorf("ReadUpload of a form %s = %v, want invalid_request", name, err)
		}
	}
}

func TestReadUpload(t *testing.T) {
	got, err := (&Kit{}).ReadUpload(httptest.NewRecorder(), upload(t, 1, "openapi: 3.1.0"))
	if err != nil || got.Get("name") != "weather" || got.Get("document") != "openapi: 3.1.0" {
		t.Errorf("ReadUpload = %v, %v, want a field and a file", got, err)
	}
	plain := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("name=weather"))
	plain.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if got, err = (&Kit{}).ReadUpload(httptest.NewRecorder(), plain); err != nil || got.Get("name") != "weather" {
		t.Errorf("ReadUpload of a plain form = %v, %v, want its field", got, err)
	}
}
