package advice

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTableText(t *testing.T) {
	want := strings.TrimPrefix(`
            ID card: API key                        visitor badge: access token
            --------------------------------------  ---------------------------
Who is it?  the app                                 the user, through an app
Life span   until you rotate it                     minutes to an hour, then refreshed
If stolen   works until you rotate it               dies by itself, and can only do what was ticked
Made        in the portal                           by a login (OAuth)
Best for    public data, billing, server to server  private user data

Between them stands the personal access token: a user's own badge for scripts, narrowed and dated.
`, "\n")
	if diff := cmp.Diff(want, Table().Text()); diff != "" {
		t.Errorf("Text() (-want +got):\n%s", diff)
	}
}

func TestTableMarkdown(t *testing.T) {
	want := strings.TrimPrefix(`
| | **ID card: API key** | **visitor badge: access token** |
|---|---|---|
| Who is it? | the app | the user, through an app |
| Life span | until you rotate it | minutes to an hour, then refreshed |
| If stolen | works until you rotate it | dies by itself, and can only do what was ticked |
| Made | in the portal | by a login (OAuth) |
| Best for | public data, billing, server to server | private user data |

Between them stands the personal access token: a user's own badge for scripts, narrowed and dated.
`, "\n")
	if diff := cmp.Diff(want, Table().Markdown()); diff != "" {
		t.Errorf("Markdown() (-want +got):\n%s", diff)
	}
}

func TestReadmeHoldsTheTable(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if errors.Is(err, fs.ErrNotExist) {
		return // nothing to compare with
	}
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- table: begin -->", "<!-- table: end -->"
	_, rest, opened := strings.Cut(string(readme), begin)
	got, _, closed := strings.Cut(rest, end)
	if !opened || !closed {
		t.Fatalf("README.md lacks the markers %s and %s", begin, end)
	}
	if diff := cmp.Diff(strings.TrimSpace(Table().Markdown()), strings.TrimSpace(got)); diff != "" {
		t.Errorf("README.md's table (-want +got):\n%s", diff)
	}
}
