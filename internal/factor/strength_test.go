package factor

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestCheck(t *testing.T) {
	for _, tc := range []struct{ password, says string }{
		{"", "must not be empty"},
		{"short1!", "at least 8"},
		{"ääääää", "at least 8"}, // twelve bytes
		{strings.Repeat("x", 1025), "at most 1024"},
		{"abc\xffdefgh!", "no text"},
		{"password", "common word"},
		{"password1", "common word"},
		{"P@ssw0rd", "common word"},
		{"pa55w0rd!", "common word"},
		{"l0vely1l", "common word"},
		{"qwertyuiop", "too easy"},
		{"zxcvbnm,./", "too easy"},
		{"aaaaaaaaaaaaaaaaaaaa", "repeats"},
		{"жжжжжжжжжжжжжжжжжжжж", "repeats"},
		{"abcdefghijklmnop", "row such as"},
		{"12345678", "too easy"},
		{"03/11/1998", "date"},
		{"1998-11-03", "date"},
		{"+234 803 555 0199", "short number"},
		{"ada@demo.test", "your own name or address"},
		{"LovelaceAda", "your own name or address"},
		{"lovelace1843", "your own name or address"},
	} {
		err := Check(tc.password, "ada@demo.test", "Ada Lovelace")
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != "password" || !strings.Contains(f.Detail, tc.says) {
			t.Errorf("Check(%.40q) = %v, want a fault about password that says %q", tc.password, err, tc.says)
		}
	}
	for _, good := range []string{
		"correct horse battery staple", "tr0ubador&3-ladder", "vK7#pQz2mX", "быстрая лодка на реке", "馬電池正確釘書針雲", strings.Repeat("nine lives ", 93),
	} {
		if err := Check(good, "ada@demo.test", "Ada Lovelace"); err != nil {
			t.Errorf("Check(%.40q) = %v, want it accepted", good, err)
		}
	}
	if err := Check("LovelaceAda-ferry"); err != nil {
		t.Errorf("Check without names = %v, want it accepted", err)
	}
}

// TestCheckIsQuick: passwords made to be slow to judge are not (zxcvbn's look at letters written as figures takes every
// combination of them).
func TestCheckIsQuick(t *testing.T) {
	for _, password := range []string{
		strings.Repeat("4@8({[<3691!|7$5+%20", 51), strings.Repeat("a", 1024), strings.Repeat("1998", 256), strings.Repeat("qazwsx", 170), strings.Repeat("02/03/", 170),
	} {
		start := time.Now()
		_ = Check(password, strings.Repeat("ada ", 1000))
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("Check(%.20q…) took %v", password, took)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("correct horse battery staple", "ada@demo.test")
	f.Add("P@ssw0rd!|7", "")
	f.Add("жжжaaaабвabc\u0130\u212a", "ж\xff")
	f.Add("02/03/1998", strings.Repeat("a b", 40))
	f.Fuzz(func(t *testing.T, password, personal string) {
		if err := Check(password, personal); err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("Check(%q) = %v, want invalid_request", password, err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	long := strings.Repeat("4@8({[<3691!|7$5+%20", 5)
	for b.Loop() {
		_ = Check(long, "ada@demo.test", "Ada Lovelace")
	}
}
