package page

import "testing"

// A browser sends no form whose select is required and stands on an empty choice, which is a choice like the others.
func TestFieldRequired(t *testing.T) {
	for _, tc := range []struct {
		field Field
		want  bool
	}{
		{Field{}, true},
		{Field{Type: "textarea"}, true},
		{Field{Optional: true}, false},
		{Field{Type: "select", Options: []Option{{Text: "As is usual", Chosen: true}, {Value: "other", Text: "Other"}}}, false},
	} {
		if got := tc.field.Required(); got != tc.want {
			t.Errorf("%+v.Required() = %v, want %v", tc.field, got, tc.want)
		}
	}
}
