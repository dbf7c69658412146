package developers

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/lanyard-auth/lanyard"
	"github.com/lanyard-auth/lanyard/internal/billing"
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/page"
	"github.com/lanyard-auth/lanyard/internal/verify"
)

// editKeyPage is GET and POST /developers/{team}/keys/{key}/edit: fields name, ip_allow, origins, quota, days, boxes scope-<name>, button save.
type editKeyPage struct {
	page.Room
	Back               page.Link
	Action             string
	Name               string
	Networks, Origins  string
	Quota              string // "1000/month"; empty: none
	Days               string
	Ends               string // in words; empty: never
	Groups             []scopeGroup
	Operations         []page.Box
	Errors             page.Errs
	scopes, operations []string
}

// scopeGroup is what one API has to tick.
type scopeGroup struct {
	Title string
	Boxes []page.Box
}

// Fields are the page's fields but the boxes.
func (p editKeyPage) Fields() []page.Field {
	end := page.Field{ID: "days", Label: "Ends", Type: "select", Error: p.Errors["days"], Hint: "An end can be brought forward, never put off.", Options: []page.Option{
		{Value: never, Text: "As it is: never"}, {Value: "1", Text: "Tomorrow"}, {Value: "30", Text: "In 30 days"}, {Value: "90", Text: "In 90 days"}, {Value: "365", Text: "In a year"},
	}}
	if p.Ends != "" {
		end.Options[0].Text = "As it is: " + p.Ends
	}
	for i := range end.Options {
		end.Options[i].Chosen = end.Options[i].Value == p.Days
	}
	return []page.Field{
		{ID: "name", Label: "Name", Value: p.Name, Max: 100, Complete: "off", Error: p.Errors["name"]},
		{ID: "ip_allow", Label: "Only from these networks", Type: "textarea", Value: p.Networks, Optional: true, Code: true, Error: p.Errors["ip_allow"], Hint: "One a line, like 203.0.113.0/24. The one change that makes a stolen copy worthless."},
		{ID: "origins", Label: "Only on these websites", Type: "textarea", Value: p.Origins, Optional: true, Code: true, Error: p.Errors["origins"], Hint: "One a line, like https://app.example."},
		{ID: "quota", Label: "Use at most", Value: p.Quota, Max: 30, Optional: true, Code: true, Complete: "off", Error: p.Errors["quota"], Hint: "Units a day or month, like 1000/month. Then it is refused until the next begins; your other keys go on."},
		end,
	}
}

// showEdit is GET /developers/{team}/keys/{key}/edit.
func (p *rooms) showEdit(w http.ResponseWriter, r *http.Request, d *desk) error {
	k, err := p.key(r, d, r.PathValue("key"))
	if err != nil {
		return err
	}
	return p.editForm(w, r, d, http.StatusOK, &k, editKeyPage{
		Name: k.Name, Quota: quotaOf(k.Quota), Days: never, Networks: strings.Join(k.IPAllow, "\n"), Origins: strings.Join(k.Origins, "\n"), scopes: k.Scopes, operations: k.Operations,
	})
}

func (p *rooms) editForm(w http.ResponseWriter, r *http.Request, d *desk, status int, k *lanyard.Key, form editKeyPage) error {
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return err
	}
	form.Room = p.room(r, d, "keys", "Change "+k.Name)
	form.Back, form.Action = page.Link{Text: k.Name, URL: d.path("keys", k.ID)}, d.path("keys", k.ID, "edit")
	if k.ExpiresAt != nil {
		form.Ends = page.Ahead(p.Now(), *k.ExpiresAt)
	}
	form.Groups = groups(view, form.scopes, d)
	return p.set.Render(w, r, status, "edit-key", form)
}

// groups are the scopes of every API that keys open, the ticked ones ticked. One that stands on the key and that the asker could not
// give is there all the same: it can be taken off.
func groups(view *verify.CatalogView, ticked []string, d *desk) []scopeGroup {
	var out []scopeGroup
	for _, api := range view.All() {
		if api.Policy == view.Management() || !opensToKeys(api) {
			continue
		}
		if boxes := scopeBoxes(api, ticked, d); len(boxes) > 0 {
			out = append(out, scopeGroup{titleOf(api), boxes})
		}
	}
	return out
}

// saveKey is POST /developers/{team}/keys/{key}/edit.
func (p *rooms) saveKey(w http.ResponseWriter, r *http.Request, d *desk) error {
	k, err := p.key(r, d, r.PathValue("key"))
	if err != nil {
		return err
	}
	form := r.PostForm
	typed := editKeyPage{Name: form.Get("name"), Networks: form.Get("ip_allow"), Origins: form.Get("origins"), Quota: strings.TrimSpace(form.Get("quota")), Days: form.Get("days"), scopes: form["scope"], operations: k.Operations}
	networks, origins := lines(typed.Networks), lines(typed.Origins)
	patch := lanyard.KeyPatch{Name: &typed.Name, IPAllow: &networks, Origins: &origins}
	if kept, err := p.keptScopes(r, d, &k, form["scope"]); err != nil {
		return err
	} else if len(kept) > 0 || len(k.Scopes) > 0 {
		patch.Scopes = &kept
	}
	if patch.Quota, err = quotaTyped(typed.Quota); err == nil {
		patch.ExpiresAt, err = ends(typed.Days, p.Now())
	}
	if err == nil {
		_, err = p.Manage.UpdateKey(r.Context(), d.Actor, k.ID, patch)
	}
	if err != nil {
		if typed.Errors, err = page.Beside(err, map[string]string{"name": "name", "ip_allow": "ip_allow", "origins": "origins", "quota": "quota", "quota.units": "quota", "quota.period": "quota", "expires_at": "days", "scopes": "scope"}); err != nil {
			return err
		}
		return p.editForm(w, r, d, http.StatusBadRequest, &k, typed)
	}
	return page.Redirect(w, r, d.path("keys", k.ID)+"?done=saved")
}

// quotaOf is a key's quota as it is typed.
func quotaOf(q *lanyard.Quota) string {
	if q == nil {
		return ""
	}
	return strconv.FormatInt(q.Units, 10) + "/" + q.Period
}

// quotaTyped reads what was typed; nothing: no quota.
func quotaTyped(text string) (*lanyard.Quota, error) {
	if text == "" {
		return &lanyard.Quota{}, nil
	}
	q, err := billing.ParseQuota(text)
	if err != nil {
		return nil, fault.Field("quota", "%s", err)
	}
	return &lanyard.Quota{Units: q.Units, Period: string(q.Period)}, nil
}

// keptScopes are what a key has after a form: what was ticked, and what the form did not show.
func (p *rooms) keptScopes(r *http.Request, d *desk, k *lanyard.Key, ticked []string) ([]string, error) {
	view, err := p.Verifier.Catalog(r.Context())
	if err != nil {
		return nil, err
	}
	shown := map[string]bool{}
	for _, group := range groups(view, nil, d) {
		for _, box := range group.Boxes {
			shown[box.Value] = true
		}
	}
	kept := append([]string{}, ticked...)
	for _, name := range k.Scopes {
		if !shown[name] {
			kept = append(kept, name)
		}
	}
	return kept, nil
}
