package oauth

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/lanyard-auth/lanyard/internal/web"
)

// written is room for an answer, kept between requests.
type written struct{ body []byte }

var writing = sync.Pool{New: func() any { return &written{make([]byte, 0, 2048)} }} //nolint:gochecknoglobals // scratch memory without state

// writeQuick answers 200 with what appendTo writes: the bytes that json.Marshal would make of it, faster. It is for the
// answers that apps ask for all the time; everything else is writeJSON's.
func writeQuick(w http.ResponseWriter, document interface{ appendTo([]byte) []byte }) {
	k, _ := writing.Get().(*written)
	k.body = document.appendTo(k.body[:0])
	writeHeader(w, http.StatusOK, len(k.body))
	_, _ = w.Write(k.body) // who does not read it has gone
	// The pool must not keep a token in memory after its request.
	clear(k.body[:cap(k.body)])
	writing.Put(k)
}

// writeHeader begins an answer that nobody may store.
func writeHeader(w http.ResponseWriter, status, length int) {
	h := w.Header()
	web.Guard(h)
	h["Pragma"] = noCache
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(length)}
	w.WriteHeader(status)
}

// appendTo writes the answer as json.Marshal does; a test holds the two together.
func (a *answer) appendTo(b []byte) []byte {
	b = appendText(append(b, `{"access_token":`...), a.AccessToken)
	b = appendSome(b, `,"issued_token_type":`, a.IssuedType)
	b = appendText(append(b, `,"token_type":`...), a.TokenType)
	b = strconv.AppendInt(append(b, `,"expires_in":`...), a.ExpiresIn, 10)
	b = appendSome(b, `,"refresh_token":`, a.RefreshToken)
	b = appendSome(b, `,"id_token":`, a.IDToken)
	return append(appendText(append(b, `,"scope":`...), a.Scope), '}')
}

// appendTo writes the answer as json.Marshal does; a test holds the two together.
func (i *introspected) appendTo(b []byte) []byte {
	b = strconv.AppendBool(append(b, `{"active":`...), i.Active)
	b = appendSome(b, `,"scope":`, i.Scope)
	b = appendSome(b, `,"client_id":`, i.ClientID)
	b = appendSome(b, `,"token_type":`, i.TokenType)
	b = appendTime(b, `,"exp":`, i.Exp)
	b = appendTime(b, `,"iat":`, i.Iat)
	b = appendSome(b, `,"sub":`, i.Sub)
	b = appendSome(b, `,"aud":`, i.Aud)
	b = appendSome(b, `,"iss":`, i.Iss)
	b = appendSome(b, `,"jti":`, i.Jti)
	b = appendTime(b, `,"auth_time":`, i.AuthTime)
	b = appendSome(b, `,"acr":`, i.ACR)
	for n, method := range i.AMR {
		if n == 0 {
			b = append(b, `,"amr":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendText(b, method)
		if n == len(i.AMR)-1 {
			b = append(b, ']')
		}
	}
	if i.Cnf != nil {
		b = appendValue(append(b, `,"cnf":`...), i.Cnf)
	}
	if i.Act != nil {
		b = appendValue(append(b, `,"act":`...), i.Act)
	}
	b = appendSome(b, `,"mode":`, i.Mode)
	return append(appendSome(b, `,"grant_id":`, i.GrantID), '}')
}

// appendSome writes a member unless it is empty.
func appendSome(b []byte, member, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(append(b, member...), text)
}

// appendTime writes a member of seconds unless it is 0.
func appendTime(b []byte, member string, at int64) []byte {
	if at == 0 {
		return b
	}
	return strconv.AppendInt(append(b, member...), at, 10)
}

// appendText writes a JSON string. Text that encoding/json would write with an escape is left to it.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendValue(b, text)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

// appendValue writes what is rare, of strings alone, which do not fail.
func appendValue(b []byte, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		return append(b, `""`...)
	}
	return append(b, text...)
}
