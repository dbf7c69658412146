package page

import (
	"errors"
	"net/http"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// Errs says what is wrong with the fields of a form, by their ids.
type Errs map[string]string

// Beside puts a fault about an input beside its field. fields names for every field of the fault that of the form; any other
// error comes back.
func Beside(err error, fields map[string]string) (Errs, error) {
	var f *fault.Error
	if !errors.As(err, &f) || f.Field == "" {
		return nil, err
	}
	name, _, _ := strings.Cut(f.Field, "[")
	field, known := fields[name]
	if !known {
		return nil, err
	}
	return Errs{field: Upper(strings.TrimSuffix(f.Detail, ".")) + "."}, nil
}

// Redirect ends a form: what follows is a page that can be loaded again.
func Redirect(w http.ResponseWriter, r *http.Request, to string) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
