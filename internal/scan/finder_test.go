package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

func TestNewFinderRefuses(t *testing.T) {
	for _, prefixes := range [][]string{nil, {""}, {"x"}, {"Lyd"}, {"lyd_"}, {"lyd", "1yd"}, {"thirteenchars"}} {
		if _, err := NewFinder(prefixes...); err == nil {
			t.Errorf("NewFinder(%q) is not refused", prefixes)
		}
	}
}

// What is almost a credential is none, in any encoding.
func TestFindRefuses(t *testing.T) {
	random := dice(10)
	f := finder(t, "lyd", "ab")
	var almost []string
	for _, good := range issueAll(t, random, "lyd") {
		last := byte('0')
		if good[len(good)-1] == last {
			last = '1'
		}
		middle := len(good) - 20
		almost = append(almost,
			good[:len(good)-1]+string(last),       // wrong check
			good[:len(good)-1],                    // cut
			good[:middle]+good[middle+1:],         // a character lost
			good[:middle]+"-"+good[middle:],       // one too many
			good[:middle]+" "+good[middle:],       // broken
			good[:middle]+"\n"+good[middle:],      // by a line
			good[:middle]+swapCase(good[middle:]), // in the wrong case
			strings.ToUpper(good),                 //
			"Lyd"+good[3:],                        //
			good[4:],                              // without its prefix
			good[1:],                              // and with some of it
			"acme"+good[3:],                       // another's, with our check
			strings.NewReplacer("_live_", "_prod_", "_test_", "_prod_").Replace(good), // no mode
		)
	}
	// Those of others, whose prefix ends in ours.
	almost = append(almost, issueAll(t, random, "alyd")...)
	almost = append(almost, issueAll(t, random, "xab")...)
	almost = append(almost, "", "lyd_", "lyd_key_live_", "lyd_key_live_…", "lyd_keyring_live_"+strings.Repeat("a", 54), "lyd_key_live_"+strings.Repeat("a", 54),
		"lyd_at_live_"+strings.Repeat("a", 5000), strings.Repeat("lyd_at_live_", 300), strings.Repeat(`\u006c`, 300), strings.Repeat("%6C%79", 3000))
	encodings := files()
	for _, text := range almost {
		for _, w := range written {
			if got := texts(f.Find([]byte(w.write(text)))); got != nil {
				t.Errorf("Find(%s %s of %.100q) = %.100q, want nothing", w.encoding, w.name, text, got)
			}
		}
		for name, encode := range encodings {
			if got := texts(f.Find(encode(text))); got != nil {
				t.Errorf("Find(%s of %.100q) = %.100q, want nothing", name, text, got)
			}
		}
	}
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r ^ 0x20
		}
		return r
	}, s)
}

// What is around a credential does not hide it.
func TestFindAmong(t *testing.T) {
	random := dice(11)
	f := finder(t, "lyd")
	key := issue(t, random, "lyd", secret.Key, secret.Live)
	other := issue(t, random, "lyd", secret.Client, secret.Test)
	token := issue(t, random, "lyd", secret.Access, secret.Live)
	for text, want := range map[string][]string{
		key + other:                         {key, other},
		key + key:                           {key, key},
		token + key:                         {token, key},
		token + "abc":                       {token},
		token + strings.Repeat("z", 2000):   {token},
		"x" + key + "x":                     {key},
		"lyd_key_live_" + key:               {key},
		"lyd_at_live_" + token:              {token},
		strings.Repeat("lyd_", 100) + key:   {key},
		"\xff" + key + "\xff\x00" + token:   {key, token},
		`\u006cyd_key_live_` + key:          {key},
		"%6C%6C" + key + "%00":              {key},
		"a%20" + key + "%20%5F" + other[4:]: {key},
		key + "\x00" + other + "\x00":       {key, other},
	} {
		if got := texts(f.Find([]byte(text))); !slices.Equal(got, want) {
			t.Errorf("Find(%.200q) = %q, want %q", text, got, want)
		}
	}
}

// The place of a finding is where a person looks for it.
func TestPlace(t *testing.T) {
	random := dice(12)
	f := finder(t, "lyd")
	key := issue(t, random, "lyd", secret.Key, secret.Live)
	for _, before := range []string{"", "x", "\n", "é=", "a\r\nkey: ", "\n\nпароль \U0001f511 = ", strings.Repeat("line\n", 1000) + "\t", "ਅਗ Ċ\n"} {
		line := 1 + strings.Count(before, "\n")
		tail := before[strings.LastIndexByte(before, '\n')+1:]
		column := 1 + len([]rune(tail))
		got := f.Find([]byte(before + key))
		if len(got) != 1 || got[0].Line != line || got[0].Column != column || got[0].Offset != int64(len(before)) {
			t.Errorf("after %.20q: Find = %v, want one at %d (%d:%d)", before, got, len(before), line, column)
		}
		for name, order := range map[Encoding]binary.AppendByteOrder{UTF16LE: binary.LittleEndian, UTF16BE: binary.BigEndian} {
			for _, mark := range []bool{false, true} {
				if !mark && before != "" && before[0] >= 0x80 {
					continue // nothing says what it is
				}
				raw := wide(order, mark)(before)
				got := f.Find(append(raw, wide(order, false)(key)...))
				units := len(wide(order, mark)(tail))/2 + 1
				if line > 1 {
					units = len(wide(order, false)(tail))/2 + 1
				}
				if len(got) != 1 || got[0].Line != line || got[0].Column != units || got[0].Offset != int64(len(raw)) || got[0].Encoding != name {
					t.Errorf("%s after %.20q: Find = %s, want one at %d (%d:%d)", name, before, brief(got[0]), len(raw), line, units)
				}
			}
		}
	}
}

// Base64 is said to begin where the first character with bits of the credential stands.
func TestPlaceInBase64(t *testing.T) {
	random := dice(13)
	f := finder(t, "lyd")
	key := issue(t, random, "lyd", secret.Key, secret.Live)
	for n := range 9 {
		text := inBase64At(n, base64.StdEncoding, bytesOf, same)(key)
		got := f.Find(text)
		if want := int64(len("data: ") + n*8/6); len(got) != 1 || got[0].Offset != want {
			t.Errorf("%d bytes before: Find = %v, want one at %d", n, got, want)
		}
	}
}

func TestAllowed(t *testing.T) {
	random := dice(14)
	f := finder(t, "lyd")
	key := issue(t, random, "lyd", secret.Key, secret.Live)
	far := strings.Repeat(" ", 2*allowReach)
	for text, want := range map[string]bool{
		key:                                        false,
		key + " // Lanyard:Allow":                  false,
		"lanyard:allow\n" + key:                    false,
		key + "\n# lanyard:allow":                  false,
		key + "\r\n# lanyard:allow":                false,
		key + far + "lanyard:allow":                false,
		"lanyard:allow" + far + key:                false,
		key + " # lanyard:allow":                   true,
		"/* lanyard:allow */ x=" + key + ";\n":     true,
		"\n\n" + key + " lanyard:allow an example": true,
	} {
		got := f.Find([]byte(text))
		if len(got) != 1 || got[0].Allowed != want || got[0].Open() == want {
			t.Errorf("Find(%.100q) = %+v, want allowed %v", text, got, want)
		}
		got = f.Find(wide(binary.LittleEndian, true)(text))
		if len(got) != 1 || got[0].Allowed != want {
			t.Errorf("Find(UTF-16 of %.100q) = %+v, want allowed %v", text, got, want)
		}
	}
}

// A finding, printed by any verb or written as any text, shows no secret.
func TestFindingHidesItsSecret(t *testing.T) {
	random := dice(15)
	f := finder(t, "lyd")
	for _, text := range issueAll(t, random, "lyd") {
		found := f.Find([]byte(text))
		all := found[0].Hint() + found[0].Digest()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			all += fmt.Sprintf(verb, found) + fmt.Sprintf(verb, found[0])
		}
		hidden := text[strings.LastIndexByte(text, '_')+1+idLength:]
		if strings.Contains(all, hidden) || strings.Contains(all, hidden[:10]) {
			t.Errorf("a finding of %s shows its secret: %s", text, all)
		}
		if !strings.HasPrefix(found[0].Hint(), text[:len(text)-len(hidden)]) {
			t.Errorf("Hint of %s = %s", text, found[0].Hint())
		}
	}
}

func TestBaseline(t *testing.T) {
	random := dice(16)
	f := finder(t, "lyd")
	key, other := issue(t, random, "lyd", secret.Key, secret.Live), issue(t, random, "lyd", secret.Key, secret.Live)
	for _, bad := range []string{key, "abc", strings.Repeat("0", 62), strings.Repeat("0", 66), "\n\nsha256:" + strings.Repeat("0", 64)} {
		if _, err := ReadBaseline(strings.NewReader(bad)); err == nil || strings.Contains(err.Error(), "lyd_") {
			t.Errorf("ReadBaseline(%q) = %v, want an error without it", bad, err)
		}
	}
	var known Baseline
	first, second := f.Find([]byte(key))[0], f.Find([]byte(other))[0]
	if known.Has(first) {
		t.Error("an empty baseline knows something")
	}
	known.Add(first)
	known.Add(first)
	var out bytes.Buffer
	if _, err := known.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), key) || strings.Contains(out.String(), key[13:29]) {
		t.Errorf("a baseline holds the credential:\n%s", &out)
	}
	again, err := ReadBaseline(strings.NewReader(strings.ReplaceAll(out.String(), "\n", " # an example\r\n")))
	if err != nil || again.Len() != 1 || !again.Has(first) || again.Has(second) {
		t.Errorf("ReadBaseline(%q) = %d known, %v", &out, again.Len(), err)
	}
}
