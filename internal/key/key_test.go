package key

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/id"
	"github.com/lanyard-auth/lanyard/internal/policy"
	"github.com/lanyard-auth/lanyard/internal/secret"
)

var t0 = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// after is a moment so long after the test's beginning.
func after(d time.Duration) time.Time { return t0.Add(d) }

// newKey is a key with one secret, changed as wanted.
func newKey(change func(*Key)) *Key {
	k := &Key{
		ID: id.New[id.Key](), Name: "k", Kind: secret.Key, Mode: secret.Live, CreatedAt: t0,
		Versions: []Version{{Number: 1, CreatedAt: t0}},
	}
	if change != nil {
		change(k)
	}
	return k
}

// rotated is a key that was rotated once at t0 with an overlap of an hour.
func rotated(t *testing.T) *Key {
	t.Helper()
	k := newKey(nil)
	if err := k.Rotate(t0, time.Hour, Version{}); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestStatusAt(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Key)
		at     time.Duration
		want   policy.Code
	}{
		{"plain", nil, 0, policy.Valid},
		{"a moment before its start", func(k *Key) { k.NotBefore = after(time.Hour) }, time.Hour - 1, policy.NotYetValid},
		{"at its start", func(k *Key) { k.NotBefore = after(time.Hour) }, time.Hour, policy.Valid},
		{"a moment before its end", func(k *Key) { k.ExpiresAt = after(time.Hour) }, time.Hour - 1, policy.Valid},
		{"at its end", func(k *Key) { k.ExpiresAt = after(time.Hour) }, time.Hour, policy.Expired},
		{"disabled", func(k *Key) { k.DisabledAt = t0 }, 0, policy.Disabled},
		{"disabled and expired", func(k *Key) { k.DisabledAt, k.ExpiresAt = t0, t0 }, 0, policy.Expired},
		{"revoked, disabled and expired", func(k *Key) { k.RevokedAt, k.DisabledAt, k.ExpiresAt = t0, t0, t0 }, 0, policy.Revoked},
		{"revoked, by a clock that runs behind", func(k *Key) { k.RevokedAt = after(time.Hour) }, 0, policy.Revoked},
		{"deleted", func(k *Key) { k.DeletedAt = t0 }, 0, policy.Revoked},
		{"disabled before its start", func(k *Key) { k.DisabledAt, k.NotBefore = t0, after(time.Hour) }, 0, policy.Disabled},
	} {
		if got := newKey(tc.change).StatusAt(after(tc.at)); got != tc.want {
			t.Errorf("%s: StatusAt(t0+%s) = %s, want %s", tc.name, tc.at, got, tc.want)
		}
	}
}

func TestVersionStatusAt(t *testing.T) {
	for _, tc := range []struct {
		v    Version
		at   time.Duration
		want policy.Code
	}{
		{Version{}, 0, policy.Valid},
		{Version{EndsAt: after(time.Hour)}, time.Hour - 1, policy.Valid},
		{Version{EndsAt: after(time.Hour)}, time.Hour, policy.Rotated},
		{Version{RevokedAt: t0}, 0, policy.Revoked},
		{Version{RevokedAt: t0, EndsAt: t0}, 0, policy.Revoked},
	} {
		if got := tc.v.StatusAt(after(tc.at)); got != tc.want {
			t.Errorf("%+v.StatusAt(t0+%s) = %s, want %s", tc.v, tc.at, got, tc.want)
		}
	}
}

func TestRotateRefuses(t *testing.T) {
	for _, tc := range []struct {
		name    string
		change  func(*Key)
		at      time.Duration
		overlap time.Duration
		want    fault.Kind
	}{
		{"a negative overlap", nil, 0, -1, fault.Invalid},
		{"an overlap past the bound", nil, 0, MaxOverlap + 1, fault.Invalid},
		{"an overlap that overflows", nil, 0, 1<<63 - 1, fault.Invalid},
		{"revoked", func(k *Key) { k.RevokedAt = t0 }, 0, 0, fault.Conflict},
		{"deleted", func(k *Key) { k.DeletedAt = t0 }, 0, 0, fault.Conflict},
		{"at its end", func(k *Key) { k.ExpiresAt = after(time.Hour) }, time.Hour, 0, fault.Conflict},
	} {
		k := newKey(tc.change)
		before := fmt.Sprint(k)
		err := k.Rotate(after(tc.at), tc.overlap, Version{})
		if !fault.Is(err, tc.want) || fmt.Sprint(k) != before {
			t.Errorf("%s: Rotate = %v, want %s and the key as before", tc.name, err, tc.want)
		}
	}
}

func TestRotate(t *testing.T) {
	for _, tc := range []struct {
		name    string
		change  func(*Key)
		overlap time.Duration
		want    time.Time // end of the old secret
	}{
		{"no overlap", nil, 0, t0},
		{"an overlap", nil, time.Hour, after(time.Hour)},
		{"the longest", nil, MaxOverlap, after(MaxOverlap)},
		{"past the key's end", func(k *Key) { k.ExpiresAt = after(time.Minute) }, time.Hour, after(time.Minute)},
		{"disabled", func(k *Key) { k.DisabledAt = t0 }, time.Hour, after(time.Hour)},
		{"not yet valid", func(k *Key) { k.NotBefore = after(time.Hour) }, time.Hour, after(time.Hour)},
	} {
		k := newKey(tc.change)
		next := Version{Number: 77, Digest: []byte{1}, Scheme: SchemeMAC, EndsAt: t0, RevokedAt: t0}
		if err := k.Rotate(t0, tc.overlap, next); err != nil {
			t.Errorf("%s: Rotate = %v", tc.name, err)
			continue
		}
		if len(k.Versions) != 2 || !k.Versions[0].EndsAt.Equal(tc.want) {
			t.Errorf("%s: versions = %+v, want the first to end at %s", tc.name, k.Versions, tc.want)
		}
		if v := k.Current(); v.Number != 2 || !v.EndsAt.IsZero() || !v.RevokedAt.IsZero() || !v.CreatedAt.Equal(t0) || len(v.Digest) != 1 {
			t.Errorf("%s: current = %+v, want version 2 from now on", tc.name, v)
		}
	}
}

func TestRotateCountsWhatWorks(t *testing.T) {
	k := newKey(nil)
	for range MaxVersions - 1 {
		if err := k.Rotate(t0, time.Hour, Version{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Rotate(after(time.Minute), time.Hour, Version{}); !fault.Is(err, fault.Conflict) {
		t.Errorf("Rotate with %d secrets that work = %v, want a conflict", MaxVersions, err)
	}
	if err := k.Revoke(after(time.Minute), "", 1); err != nil {
		t.Fatal(err)
	}
	if err := k.Rotate(after(time.Minute), time.Hour, Version{}); err != nil {
		t.Errorf("Rotate after one was revoked = %v, want success", err)
	}
	if err := k.Rotate(after(time.Hour), time.Hour, Version{}); err != nil {
		t.Errorf("Rotate after overlaps ended = %v, want success", err)
	}
}

// TestRotateKeepsAnEarlierEnd: with the current secret revoked, the one before it is ending; another rotation does not
// put that end off.
func TestRotateKeepsAnEarlierEnd(t *testing.T) {
	k := rotated(t)
	if err := k.Revoke(after(time.Minute), "", 2); err != nil {
		t.Fatal(err)
	}
	if err := k.Rotate(after(2*time.Minute), 24*time.Hour, Version{}); err != nil {
		t.Fatal(err)
	}
	if got := k.Versions[0].EndsAt; !got.Equal(after(time.Hour)) {
		t.Errorf("version 1 ends at %s, want %s as before", got, after(time.Hour))
	}
	if v := k.Current(); v.Number != 3 {
		t.Errorf("current = %d, want 3", v.Number)
	}
}

func TestUndoRotation(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Key) // after the rotation at t0 with an overlap of an hour
		at     time.Duration
		want   fault.Kind
	}{
		{"at once", nil, 0, ""},
		{"a moment before the overlap ends", nil, time.Hour - 1, ""},
		{"when the overlap ends", nil, time.Hour, fault.Conflict},
		{"revoked", func(k *Key) { k.RevokedAt = t0 }, 0, fault.Conflict},
		{"expired", func(k *Key) { k.ExpiresAt = after(time.Minute) }, time.Minute, fault.Conflict},
		{"disabled", func(k *Key) { k.DisabledAt = t0 }, 0, ""},
		{"the new secret revoked", func(k *Key) { k.Versions[1].RevokedAt = t0 }, 0, fault.Conflict},
		{"the old secret revoked", func(k *Key) { k.Versions[0].RevokedAt = t0 }, 0, fault.Conflict},
		{"every secret revoked", func(k *Key) { k.Versions[0].RevokedAt, k.Versions[1].RevokedAt = t0, t0 }, 0, fault.Conflict},
		{"never rotated", func(k *Key) { k.Versions = []Version{{Number: 1}} }, 0, fault.Conflict},
	} {
		k := rotated(t)
		if tc.change != nil {
			tc.change(k)
		}
		before := fmt.Sprint(k)
		err := k.UndoRotation(after(tc.at))
		if fault.KindOf(err) != tc.want {
			t.Errorf("%s: UndoRotation = %v, want %q", tc.name, err, tc.want)
		}
		if err != nil && fmt.Sprint(k) != before {
			t.Errorf("%s: UndoRotation was refused and changed the key", tc.name)
		}
		if err == nil && (k.Current().Number != 1 || !k.Current().EndsAt.IsZero() || !k.Versions[1].RevokedAt.Equal(after(tc.at))) {
			t.Errorf("%s: versions = %+v, want 1 current and 2 revoked", tc.name, k.Versions)
		}
	}
}

// TestUndoTwice goes back over two rotations, as long as the oldest secret works.
func TestUndoTwice(t *testing.T) {
	k := rotated(t)
	if err := k.Rotate(after(time.Minute), time.Hour, Version{}); err != nil {
		t.Fatal(err)
	}
	for want := 2; want >= 1; want-- {
		if err := k.UndoRotation(after(2 * time.Minute)); err != nil || k.Current().Number != want {
			t.Errorf("UndoRotation = %v, current %d, want %d", err, k.Current().Number, want)
		}
	}
	if err := k.UndoRotation(after(2 * time.Minute)); !fault.Is(err, fault.Conflict) {
		t.Errorf("UndoRotation of the first secret = %v, want a conflict", err)
	}
	if err := k.Rotate(after(3*time.Minute), 0, Version{}); err != nil || k.Current().Number != 4 {
		t.Errorf("Rotate = %v, current %d, want a number never used: 4", err, k.Current().Number)
	}
}

func TestRevokeAndWhatFollows(t *testing.T) {
	k := rotated(t)
	for _, version := range []int{3, -1} {
		if err := k.Revoke(t0, "", version); !fault.Is(err, fault.Invalid) {
			t.Errorf("Revoke of version %d = %v, want invalid_request", version, err)
		}
	}
	if err := k.Revoke(t0, "x", 1); err != nil || !k.RevokedAt.IsZero() || k.RevokeReason != "" || k.Current().Number != 2 {
		t.Errorf("Revoke of version 1 = %v, key %+v, want only that version revoked", err, k)
	}
	if err := k.Revoke(after(time.Minute), "x", 1); err != nil || !k.Versions[0].RevokedAt.Equal(t0) {
		t.Errorf("Revoke of version 1 again = %v at %s, want the first time kept", err, k.Versions[0].RevokedAt)
	}
	if err := k.Revoke(t0, "leaked", 0); err != nil {
		t.Fatal(err)
	}
	if err := k.Revoke(after(time.Hour), "other", 0); err != nil || !k.RevokedAt.Equal(t0) || k.RevokeReason != "leaked" {
		t.Errorf("Revoke again = %v at %s for %q, want time and reason kept", err, k.RevokedAt, k.RevokeReason)
	}
	for name, err := range map[string]error{
		"Rotate": k.Rotate(t0, 0, Version{}), "UndoRotation": k.UndoRotation(t0), "Enable": k.Enable(), "Disable": k.Disable(t0),
	} {
		if f, ok := err.(*fault.Error); !ok || f.Kind != fault.Conflict || f.ID != string(k.ID) { //nolint:errorlint // made by this package
			t.Errorf("%s of a revoked key = %v, want a conflict about it", name, err)
		}
	}
	k.Delete(after(time.Hour))
	if !k.RevokedAt.Equal(t0) || k.RevokeReason != "leaked" || !k.DeletedAt.Equal(after(time.Hour)) {
		t.Errorf("Delete of a revoked key = %+v, want its revocation kept", k)
	}
	other := newKey(nil)
	other.Delete(t0)
	other.Delete(after(time.Hour))
	if !other.DeletedAt.Equal(t0) || other.RevokeReason != "deleted" || other.StatusAt(t0) != policy.Revoked {
		t.Errorf("Delete twice = %+v, want it revoked and the first time kept", other)
	}
}

func TestDisableEnable(t *testing.T) {
	k := newKey(nil)
	if err := k.Disable(t0); err != nil {
		t.Fatal(err)
	}
	if err := k.Disable(after(time.Hour)); err != nil || !k.DisabledAt.Equal(t0) {
		t.Errorf("Disable again = %v at %s, want the first time kept", err, k.DisabledAt)
	}
	if err := k.Enable(); err != nil || k.StatusAt(t0) != policy.Valid {
		t.Errorf("Enable = %v, status %s, want valid", err, k.StatusAt(t0))
	}
	if err := k.Enable(); err != nil {
		t.Errorf("Enable of an enabled key = %v, want no error", err)
	}
}

func TestValidate(t *testing.T) {
	network := netip.MustParsePrefix("192.0.2.0/24")
	for _, tc := range []struct {
		field  string // "" when valid
		change func(*Key)
	}{
		{"", nil},
		{"name", func(k *Key) { k.Name = "" }},
		{"name", func(k *Key) { k.Name = "a\nb" }},
		{"kind", func(k *Key) { k.Kind = secret.Personal }},
		{"scopes", func(k *Key) { k.Kind, k.Scopes = secret.Client, []string{"forecast.read"} }},
		{"scopes", func(k *Key) { k.Kind, k.APIs = secret.Client, []string{"weather"} }},
		{"", func(k *Key) { k.Kind = secret.Client }},
		{"kind", func(k *Key) { k.Kind = "" }},
		{"mode", func(k *Key) { k.Mode = "" }},
		{"origins", func(k *Key) { k.Kind = secret.Publishable }},
		{"origins", func(k *Key) { k.Kind, k.Restrictions.Operations = secret.Publishable, []string{"GET /"} }},
		{"", func(k *Key) { k.Kind, k.Restrictions.Origins = secret.Publishable, []string{"https://app.example"} }},
		{"", func(k *Key) { k.Kind, k.Restrictions.IPs = secret.Publishable, []netip.Prefix{network} }},
		{"scopes", func(k *Key) {
			k.Kind, k.Restrictions.IPs, k.Scopes = secret.Publishable, []netip.Prefix{network}, []string{"forecast.read", "lanyard.verify"}
		}},
		{"", func(k *Key) { k.Scopes = []string{"lanyard.verify"} }},
		{"expires_at", func(k *Key) { k.NotBefore, k.ExpiresAt = after(time.Hour), after(time.Hour) }},
		{"", func(k *Key) { k.NotBefore, k.ExpiresAt = after(time.Hour), after(time.Hour+1) }},
		{"rotate_every_days", func(k *Key) { k.RotateEvery = -1 }},
		{"rotate_every_days", func(k *Key) { k.RotateEvery = 731 * 24 * time.Hour }},
		{"", func(k *Key) { k.RotateEvery = 730 * 24 * time.Hour }},
	} {
		err := newKey(tc.change).Validate()
		var field string
		if f, ok := err.(*fault.Error); ok { //nolint:errorlint // made by this package
			field = f.Field
		}
		if field != tc.field || (err == nil) != (tc.field == "") {
			t.Errorf("Validate() = %v, want a fault about %q", err, tc.field)
		}
	}
}

func TestRotationDueAt(t *testing.T) {
	k := newKey(func(k *Key) { k.RotateEvery = 24 * time.Hour })
	if got := k.RotationDueAt(); !got.Equal(after(24 * time.Hour)) {
		t.Errorf("RotationDueAt() = %s, want a day after the secret was made", got)
	}
	if err := k.Rotate(after(time.Hour), 0, Version{}); err != nil {
		t.Fatal(err)
	}
	if got := k.RotationDueAt(); !got.Equal(after(25 * time.Hour)) {
		t.Errorf("RotationDueAt() after a rotation = %s, want a day after that", got)
	}
	if got := newKey(nil).RotationDueAt(); !got.IsZero() {
		t.Errorf("RotationDueAt() without a schedule = %s, want never", got)
	}
	for i := range k.Versions {
		k.Versions[i].RevokedAt = t0
	}
	if got := k.RotationDueAt(); !got.IsZero() {
		t.Errorf("RotationDueAt() without any secret = %s, want never", got)
	}
}
