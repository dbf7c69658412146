package advice

import (
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/policy"
)

func TestIfStolen(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) time.Time { return now.Add(d) }
	const day = 24 * time.Hour
	home, page := []string{"203.0.113.0/24"}, []string{"https://app.example"}
	for _, test := range []struct {
		card    Card
		want    string
		bad     bool
		shorten string
	}{
		// Dead ones are worth nothing, whatever else they carry.
		{Card{Kind: Key, Status: policy.Revoked}, "worth nothing, it was revoked.", false, ""},
		{Card{Kind: Key, Status: policy.Rotated}, "worth nothing, it was rotated.", false, ""},
		{Card{Kind: Publishable, Status: policy.Disabled}, "worth nothing, it is disabled.", false, ""},
		{Card{Kind: Personal, Status: policy.OwnerSuspended, Expires: in(day)}, "worth nothing, its owner is suspended.", false, ""},
		{Card{Kind: Key, Status: policy.Expired}, "worth nothing, it has expired.", false, ""},
		{Card{Kind: AccessToken, Expires: now, May: []string{"read your profile"}}, "worth nothing, it has expired.", false, ""},
		{Card{Kind: AccessToken, Status: policy.Revoked, Expires: in(time.Minute)}, "worth nothing, it was revoked.", false, ""},
		{
			Card{Kind: AccessToken, Status: policy.Revoked, JWT: true, Expires: in(12 * time.Minute)},
			"worth nothing here, it was revoked; whoever checks only its signature accepts it for 12 more minutes.", false, "",
		},
		{Card{Kind: AccessToken, Status: policy.Revoked, JWT: true, Expires: in(-time.Minute)}, "worth nothing, it was revoked.", false, ""},

		{Card{Kind: Key}, "works until you rotate it, from anywhere.", true, "Limit it to your servers' addresses"},
		{Card{Kind: Key, Status: policy.Valid, Networks: home}, "works until you rotate it, only from 203.0.113.0/24.", false, "Give it an end date"},
		{Card{Kind: Key, Networks: home, Expires: in(3 * day)}, "works 3 more days unless you rotate it, only from 203.0.113.0/24.", false, ""},
		{Card{Kind: Key, Expires: in(3 * day)}, "works 3 more days unless you rotate it, from anywhere.", true, "Limit it to your servers' addresses"},
		{Card{Kind: Key, Expires: in(time.Hour)}, "works 1 more hour unless you rotate it, from anywhere.", false, "Limit it to your servers' addresses"},
		{Card{Kind: Key, Networks: []string{"a", "b", "c"}}, "works until you rotate it, only from a, b or c.", false, "Give it an end date"},
		{Card{Kind: Key, Networks: []string{"a", "b", "c", "d"}}, "works until you rotate it, only from 4 networks.", false, "Give it an end date"},
		{Card{Kind: Key, Test: true}, "works until you rotate it, from anywhere, in test mode only.", false, "Limit it to your servers' addresses"},
		{Card{Kind: Key, May: []string{"read forecasts"}}, "works until you rotate it, from anywhere. May read forecasts.", true, "Limit it to your servers' addresses"},
		{
			Card{Kind: Key, NotBefore: in(2 * time.Hour), Networks: home},
			"worth nothing for 2 more hours, then works until you rotate it, only from 203.0.113.0/24.", false, "Give it an end date",
		},
		{Card{Kind: Publishable}, "works until you rotate it, from anywhere.", true, "Limit it to your website's origin"},
		{
			Card{Kind: Publishable, Origins: page},
			"works until you rotate it, in browsers only on https://app.example, in programs from anywhere.", false, "Give it an end date",
		},
		{
			Card{Kind: Publishable, Origins: page, Networks: home, Expires: in(30 * day)},
			"works 30 more days unless you rotate it, only from 203.0.113.0/24 and in browsers only on https://app.example.", false, "",
		},
		{Card{Kind: Key, Origins: page}, "works until you rotate it, in browsers only on https://app.example, in programs from anywhere.", true, "Limit it to your servers' addresses"},

		{
			Card{Kind: Personal, Expires: in(200 * day), Person: "Ada", May: []string{"read your profile"}},
			"works 7 more months unless you revoke it, from anywhere. May read Ada's profile.", true, "Give it an earlier end date",
		},
		{Card{Kind: Personal, Expires: in(day)}, "works 1 more day unless you revoke it, from anywhere.", false, "Limit it to the addresses you work from"},
		{Card{Kind: Personal, Expires: in(day), Networks: home}, "works 1 more day unless you revoke it, only from 203.0.113.0/24.", false, ""},
		{
			Card{Kind: AccessToken, Expires: in(41 * time.Minute), Person: "Ada", Pronoun: "her", May: []string{"read your profile"}, MayNot: []string{"post for you"}},
			"works 41 more minutes. May read Ada's profile. Can NOT post for her.", false, "",
		},
		{
			Card{Kind: AccessToken, Expires: in(41 * time.Minute), Person: "Ada", May: []string{"read your profile"}, MayNot: []string{"post for you"}},
			"works 41 more minutes. May read Ada's profile. Can NOT post for Ada.", false, "",
		},
		{
			Card{Kind: AccessToken, Expires: in(41 * time.Minute), Person: "Alan", Pronoun: "him", May: []string{"read your profile", "read your messages"}, MayNot: []string{"post for you", "change your name, as you"}},
			"works 41 more minutes. May read Alan's profile and read his messages. Can NOT post for him or change his name, as him.", false, "",
		},
		{
			Card{Kind: AccessToken, Expires: in(time.Minute), May: []string{"read your profile"}},
			"works 1 more minute. May read its user's profile.", false, "",
		},
		{
			Card{Kind: AccessToken, Expires: in(time.Minute), MayNot: []string{"a", "b", "c", "d", "e"}},
			"works 1 more minute. Can NOT a, b, c or do 2 other things.", false, "",
		},
		{Card{Kind: ClientCredentials, Expires: in(2 * time.Hour), May: []string{"read forecasts"}}, "works 2 more hours. May read forecasts.", false, "Issue it for an hour at most"},
		{Card{Kind: AccessToken}, "works until you revoke it.", true, "Issue it for an hour at most"},
	} {
		test.card.Now = now
		got := IfStolen(test.card)
		if want := (Worth{"If stolen: " + test.want, test.bad}); got != want {
			t.Errorf("IfStolen(%+v) = %+v, want %+v", test.card, got, want)
		}
		if got := Shorten(test.card); got != test.shorten {
			t.Errorf("Shorten(%+v) = %q, want %q", test.card, got, test.shorten)
		}
	}
}

func TestMore(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "1 more second"},
		{0, "1 more second"},
		{time.Nanosecond, "1 more second"},
		{2 * time.Second, "2 more seconds"},
		{59*time.Second + 1, "1 more minute"},
		{time.Minute, "1 more minute"},
		{time.Minute + 1, "2 more minutes"},
		{40*time.Minute + 30*time.Second, "41 more minutes"},
		{time.Hour - 1, "1 more hour"},
		{time.Hour, "1 more hour"},
		{90 * time.Minute, "90 more minutes"},
		{2 * time.Hour, "2 more hours"},
		{day, "1 more day"},
		{47 * time.Hour, "47 more hours"},
		{2 * day, "2 more days"},
		{59 * day, "59 more days"},
		{60 * day, "2 more months"},
		{365 * day, "13 more months"},
		{730 * day, "2 more years"},
	} {
		if got := More(test.d); got != test.want {
			t.Errorf("More(%v) = %q, want %q", test.d, got, test.want)
		}
	}
}
