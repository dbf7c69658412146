package policy

import (
	"strings"
	"testing"
)

// The lists of DESIGN section 6, word for word.
const (
	designCodes = `valid missing malformed not_found expired not_yet_valid revoked rotated disabled owner_suspended audience_mismatch mode_mismatch kind_not_accepted operation_unknown not_subscribed insufficient_scope
  insufficient_user_authentication app_mismatch ip_denied origin_denied sender_mismatch rate_limited quota_exceeded`
	design401 = `missing malformed not_found expired not_yet_valid revoked rotated disabled owner_suspended audience_mismatch mode_mismatch insufficient_user_authentication sender_mismatch`
	design429 = `rate_limited quota_exceeded`
)

func TestCodesAreDesigns(t *testing.T) {
	var got []string
	for _, code := range Codes() {
		got = append(got, string(code))
	}
	if want := strings.Join(strings.Fields(designCodes), " "); strings.Join(got, " ") != want {
		t.Errorf("Codes() = %s, want %s", got, want)
	}
}

func TestHTTPStatus(t *testing.T) {
	want := map[string]int{"valid": 200}
	for _, code := range strings.Fields(design401) {
		want[code] = 401
	}
	for _, code := range strings.Fields(design429) {
		want[code] = 429
	}
	for _, code := range append(Codes(), "made_up") {
		status := want[string(code)]
		if status == 0 {
			status = 403 // the rest, and what nobody knows
		}
		if got := code.HTTPStatus(); got != status {
			t.Errorf("HTTPStatus(%s) = %d, want %d", code, got, status)
		}
	}
}

func TestTakesValid(t *testing.T) {
	for _, takes := range []Takes{"", "Key", "keys", "none"} {
		if takes.Valid() {
			t.Errorf("Valid(%q) = true, want false", takes)
		}
	}
	for _, takes := range []Takes{TakesKey, TakesToken, TakesEither, TakesBoth} {
		if !takes.Valid() {
			t.Errorf("Valid(%q) = false, want true", takes)
		}
	}
}
