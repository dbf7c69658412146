package secret

import (
	"fmt"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/id"
)

const ellipsis = "…"

// Hint returns what may be shown of a text that was sent as a credential. Of one of our shape (the checksum may be wrong)
// that is all its public part: `lyd_key_live_8fK2mQz7Lr0Xc41Z…`. Of anything else longer than 12 bytes the first 4
// characters, enough to tell `ghp_` from `eyJh`, and the length; of shorter texts only the length.
func Hint(text string) string {
	if c, err := split(text); err == nil {
		return c.Prefix + "_" + string(c.Kind) + "_" + string(c.Mode) + "_" + c.ID + ellipsis
	}
	if KindOf(text) == Access {
		if c, _, err := ParseToken(text, nil); err == nil {
			return TokenHead(c.Prefix, c.Mode, c.ID) + ellipsis
		}
	}
	length := fmt.Sprintf("(%d bytes)", len(text))
	if len(text) <= 12 || !isGraphic(text[:4]) {
		return length
	}
	return text[:4] + ellipsis + " " + length
}

// isGraphic says whether s is printable ASCII without spaces: a hint must not carry line breaks into a log.
func isGraphic(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// heads are the middle parts by which Redact finds credentials.
var heads = [...]string{
	"_key_live_", "_key_test_", "_pub_live_", "_pub_test_", "_cs_live_", "_cs_test_",
	"_pat_live_", "_pat_test_", "_rt_live_", "_rt_test_", "_ac_live_", "_ac_test_",
	"_at_live_", "_at_test_",
}

// Redact returns text with every credential inside it cut down to its Hint. It looks for kind and mode followed by more
// letters and digits than the public id has, whatever the prefix, length and checksum: one that was cut short or runs
// into its neighbour still holds secret characters. Of a JWT, whole or cut after its first dot, three letters stay. Linear in
// len(text); a text without credentials comes back as it is.
func Redact(text string) string { return redactJWTs(redactOurs(text)) }

// redactJWTs cuts signed tokens down to the three letters that every one begins with.
func redactJWTs(text string) string {
	var out strings.Builder
	done := 0
	for at := 0; ; {
		next := strings.Index(text[at:], jwtHead)
		if next < 0 {
			break
		}
		start := at + next
		end, dots := start, 0
		for end < len(text) && (id.IsBase62(text[end:end+1]) || strings.IndexByte("-_.=", text[end]) >= 0) {
			if text[end] == '.' {
				dots++
			}
			end++
		}
		at = end
		if dots == 0 || end-start < 20 {
			continue
		}
		out.WriteString(text[done : start+len(jwtHead)])
		out.WriteString(ellipsis)
		done = end
	}
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

// jwtHead is `{"` in base64: the beginning of every JSON object.
const jwtHead = "eyJ"

func redactOurs(text string) string {
	var out strings.Builder
	done, at := 0, 0 // text[:done] stands in out; text[:at] has been searched
	for {
		next := strings.IndexByte(text[at:], '_')
		if next < 0 {
			break
		}
		at += next
		head := headOf(text[at:])
		if head == 0 {
			at++
			continue
		}
		start := at + head
		end := start
		for end < len(text) && id.IsBase62(text[end:end+1]) {
			end++
		}
		if end-start <= id.Length {
			at = start - 1 // the head's last underscore may begin the next one, as in "_key_live_key_live_…"
			continue
		}
		out.WriteString(text[done : start+id.Length])
		out.WriteString(ellipsis)
		done, at = end, end
	}
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

// headOf returns the length of the head that text begins with, or 0.
func headOf(text string) int {
	for _, head := range heads {
		if strings.HasPrefix(text, head) {
			return len(head)
		}
	}
	return 0
}
