package advice

import (
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

func TestWhichRefuses(t *testing.T) {
	for _, test := range []struct {
		answers Answers
		field   string
	}{
		{Answers{}, "whose"},
		{Answers{"Public", WhereServer, LeakEnds}, "whose"},
		{Answers{WhosePublic, "", LeakEnds}, "where"},
		{Answers{WhosePublic, WhereServer, "luck"}, "leak"},
	} {
		_, err := Which(test.answers)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Field != test.field {
			t.Errorf("Which(%+v) error = %v, want invalid_request at %s", test.answers, err, test.field)
		}
	}
}

func TestWhich(t *testing.T) {
	tests := []struct {
		answers Answers
		want    Kind
		word    string // the reason must turn on it
	}{
		{Answers{WhosePublic, WhereServer, LeakRotate}, Key, "which app to count"},
		{Answers{WhosePublic, WhereServer, LeakEnds}, ClientCredentials, "die within the hour"},
		{Answers{WhosePublic, WhereDevice, LeakRotate}, Publishable, "can be read"},
		{Answers{WhosePublic, WhereDevice, LeakEnds}, Publishable, "end date"},
		{Answers{WhosePublic, WhereScript, LeakRotate}, Key, "lanyard run"},
		{Answers{WhosePublic, WhereScript, LeakEnds}, Personal, "end date"},
		{Answers{WhoseOwn, WhereServer, LeakRotate}, Key, "your servers' addresses"},
		{Answers{WhoseOwn, WhereServer, LeakEnds}, ClientCredentials, "nobody signed in"},
		{Answers{WhoseOwn, WhereDevice, LeakRotate}, AccessToken, "to everybody"},
		{Answers{WhoseOwn, WhereDevice, LeakEnds}, AccessToken, "cannot keep a secret"},
		{Answers{WhoseOwn, WhereScript, LeakRotate}, Personal, "when they leave"},
		{Answers{WhoseOwn, WhereScript, LeakEnds}, Personal, "end date"},
		{Answers{WhosePerson, WhereServer, LeakRotate}, AccessToken, "every person's data"},
		{Answers{WhosePerson, WhereServer, LeakEnds}, AccessToken, "not for whom"},
		{Answers{WhosePerson, WhereDevice, LeakRotate}, AccessToken, "never goes by a key"},
		{Answers{WhosePerson, WhereDevice, LeakEnds}, AccessToken, "PKCE"},
		{Answers{WhosePerson, WhereScript, LeakRotate}, Personal, "acts for them alone"},
		{Answers{WhosePerson, WhereScript, LeakEnds}, Personal, "dated"},
	}
	seen, reasons := map[Answers]bool{}, map[string]bool{}
	for _, test := range tests {
		got, err := Which(test.answers)
		if err != nil || got.Kind != test.want || !strings.Contains(got.Reason, test.word) {
			t.Errorf("Which(%+v) = %+v, %v, want %s because of %q", test.answers, got, err, test.want, test.word)
		}
		if !strings.HasSuffix(got.Reason, ".") || !strings.HasSuffix(got.Title, ".") || !strings.HasPrefix(got.Next, "lanyard ") {
			t.Errorf("Which(%+v) = %+v, want sentences and a command", test.answers, got)
		}
		if test.answers.Whose == WhosePerson && !got.Kind.IsToken() {
			t.Errorf("Which(%+v) = %s: private data by key", test.answers, got.Kind)
		}
		if test.answers.Where == WhereDevice && (got.Kind == Key || got.Kind == ClientCredentials) {
			t.Errorf("Which(%+v) = %s: a secret where none can be kept", test.answers, got.Kind)
		}
		seen[test.answers], reasons[got.Reason] = true, true
	}
	if len(reasons) != len(tests) {
		t.Errorf("Which gives %d reasons for %d answers, want one each", len(reasons), len(tests))
	}
	questions := Questions()
	for _, whose := range questions[0].Options {
		for _, where := range questions[1].Options {
			for _, leak := range questions[2].Options {
				if a := (Answers{whose.Value, where.Value, leak.Value}); !seen[a] {
					t.Errorf("no test says what Which(%+v) is", a)
				}
			}
		}
	}
}
