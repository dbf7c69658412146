package lanyard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// one leaves out what a method returns beside its error.
func one[T any](_ T, err error) error { return err }

// Every method, and what it sends.
func TestEndpoints(t *testing.T) {
	from, to := time.Date(2026, 11, 1, 0, 0, 0, 0, time.FixedZone("", 3600)), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	page := ListQuery{Limit: 7, Cursor: "a b"}
	name := "Ada"
	tests := []struct {
		want string // method, path and body
		call func(context.Context, *Client) error
	}{
		{`POST /v1/apps {"name":"A"}`, func(ctx context.Context, c *Client) error { return one(c.CreateApp(ctx, AppInput{Name: "A"})) }},
		{"GET /v1/apps/app_1", func(ctx context.Context, c *Client) error { return one(c.App(ctx, "app_1")) }},
		{"GET /v1/apps/a%2F..%2Fb%3Fc", func(ctx context.Context, c *Client) error { return one(c.App(ctx, "a/../b?c")) }},
		{"GET /v1/apps", func(ctx context.Context, c *Client) error { return one(c.Apps(ctx, AppQuery{})) }},
		{"GET /v1/apps?cursor=a+b&limit=7&name=N&team_id=team_1", func(ctx context.Context, c *Client) error {
			return one(c.Apps(ctx, AppQuery{"team_1", "N", page}))
		}},
		{`PATCH /v1/apps/app_1 {"name":"Ada"}`, func(ctx context.Context, c *Client) error {
			return one(c.UpdateApp(ctx, "app_1", AppPatch{Name: &name}))
		}},
		{"DELETE /v1/apps/app_1", func(ctx context.Context, c *Client) error { return c.DeleteApp(ctx, "app_1") }},

		{`POST /v1/apps/app_1/keys {"name":"K"}`, func(ctx context.Context, c *Client) error {
			return one(c.CreateKey(ctx, "app_1", KeyInput{Name: "K"}))
		}},
		{"GET /v1/billing/stripe", func(ctx context.Context, c *Client) error { return one(c.Stripe(ctx)) }},
		{"GET /v1/billing/stripe/events?cursor=a+b&limit=7&state=failed&team_id=team_1", func(ctx context.Context, c *Client) error {
			return one(c.StripeEvents(ctx, StripeQuery{"team_1", "failed", page}))
		}},
		{"POST /v1/billing/stripe/retry", func(ctx context.Context, c *Client) error { return one(c.RetryStripeEvents(ctx)) }},
		{"POST /v1/billing/stripe/events/lanyard-1/retry", func(ctx context.Context, c *Client) error { return one(c.RetryStripeEvent(ctx, "lanyard-1")) }},
		{"POST /v1/billing/stripe/events/lanyard-1/dismiss", func(ctx context.Context, c *Client) error { return one(c.DismissStripeEvent(ctx, "lanyard-1")) }},
		{"GET /v1/keys/key_1", func(ctx context.Context, c *Client) error { return one(c.Key(ctx, "key_1")) }},
		{"GET /v1/keys?app_id=app_1&cursor=a+b&kind=cs&limit=7&name=N&team_id=team_1", func(ctx context.Context, c *Client) error {
			return one(c.Keys(ctx, KeyQuery{"app_1", "team_1", "N", "cs", page}))
		}},
		{`POST /v1/apps/app_1/secrets {"name":"S"}`, func(ctx context.Context, c *Client) error {
			return one(c.CreateSecret(ctx, "app_1", SecretInput{Name: "S"}))
		}},
		{`POST /v1/tokens {"name":"T"}`, func(ctx context.Context, c *Client) error {
			return one(c.CreateToken(ctx, PersonalTokenInput{Name: "T"}))
		}},
		{"GET /v1/tokens/key_1", func(ctx context.Context, c *Client) error { return one(c.PersonalToken(ctx, "key_1")) }},
		{"GET /v1/tokens?cursor=a+b&limit=7&user_id=user_1", func(ctx context.Context, c *Client) error {
			return one(c.PersonalTokens(ctx, TokenQuery{"user_1", page}))
		}},
		{"DELETE /v1/tokens/key_1?reason=lost&wait=1s", func(ctx context.Context, c *Client) error {
			return one(c.RevokeToken(ctx, "key_1", "lost", time.Second))
		}},
		{"GET /v1/grants?app_id=app_1&cursor=a+b&limit=7&user_id=user_1", func(ctx context.Context, c *Client) error {
			return one(c.Grants(ctx, GrantQuery{"user_1", "app_1", page}))
		}},
		{"DELETE /v1/grants/grant_1", func(ctx context.Context, c *Client) error { return one(c.RevokeGrant(ctx, "grant_1", 0)) }},
		{"GET /v1/sessions?cursor=a+b&limit=7&user_id=user_1", func(ctx context.Context, c *Client) error {
			return one(c.Sessions(ctx, "user_1", page))
		}},
		{"DELETE /v1/sessions/sess_1", func(ctx context.Context, c *Client) error { return one(c.EndSession(ctx, "sess_1")) }},
		{"DELETE /v1/users/user_1/sessions", func(ctx context.Context, c *Client) error { return one(c.EndUserSessions(ctx, "user_1")) }},
		{`PATCH /v1/keys/key_1 {"name":"Ada"}`, func(ctx context.Context, c *Client) error {
			return one(c.UpdateKey(ctx, "key_1", KeyPatch{Name: &name}))
		}},
		{"GET /v1/warnings?cursor=a+b&gravity=warn&key_id=key_1&limit=7&team_id=team_1", func(ctx context.Context, c *Client) error {
			return one(c.Warnings(ctx, WarningQuery{"team_1", "key_1", "warn", page}))
		}},
		{"DELETE /v1/keys/key_1", func(ctx context.Context, c *Client) error { return c.DeleteKey(ctx, "key_1") }},
		{"POST /v1/keys/key_1/rotate {}", func(ctx context.Context, c *Client) error {
			return one(c.RotateKey(ctx, "key_1", RotateInput{}))
		}},
		{"POST /v1/keys/key_1/rotate/undo", func(ctx context.Context, c *Client) error { return one(c.UndoRotation(ctx, "key_1")) }},
		{`POST /v1/keys/key_1/revoke {"reason":"leaked"}`, func(ctx context.Context, c *Client) error {
			return one(c.RevokeKey(ctx, "key_1", RevokeInput{Reason: "leaked"}, 0))
		}},
		{`POST /v1/keys/key_1/revoke?wait=1s {"version":2}`, func(ctx context.Context, c *Client) error {
			return one(c.RevokeKey(ctx, "key_1", RevokeInput{Version: 2}, time.Second))
		}},
		{"POST /v1/keys/key_1/disable", func(ctx context.Context, c *Client) error { return one(c.DisableKey(ctx, "key_1")) }},
		{"POST /v1/keys/key_1/enable", func(ctx context.Context, c *Client) error { return one(c.EnableKey(ctx, "key_1")) }},
		{`POST /v1/keys/import {"app_id":"app_1","keys":null}`, func(ctx context.Context, c *Client) error {
			return one(c.ImportKeys(ctx, ImportInput{AppID: "app_1"}))
		}},
		{`POST /v1/keys/revoke-self {"reason":"mine"}`, func(ctx context.Context, c *Client) error { return one(c.RevokeSelf(ctx, "mine")) }},

		{"GET /v1/apis?cursor=a+b&limit=7", func(ctx context.Context, c *Client) error { return one(c.APIs(ctx, page)) }},
		{"GET /v1/apis/weather", func(ctx context.Context, c *Client) error { return one(c.API(ctx, "weather")) }},
		{`PUT /v1/apis/weather {"takes":"key"}`, func(ctx context.Context, c *Client) error {
			return one(c.PutAPI(ctx, "weather", API{Takes: "key"}, false))
		}},
		{`PUT /v1/apis/weather?dry_run=true {}`, func(ctx context.Context, c *Client) error { return one(c.PutAPI(ctx, "weather", API{}, true)) }},
		{"DELETE /v1/apis/weather", func(ctx context.Context, c *Client) error { return c.DeleteAPI(ctx, "weather") }},
		{"GET /v1/catalog", func(ctx context.Context, c *Client) error { return one(c.Catalog(ctx)) }},
		{"PUT /v1/catalog {}", func(ctx context.Context, c *Client) error { return one(c.ApplyCatalog(ctx, Catalog{}, false)) }},
		{"PUT /v1/catalog?dry_run=true {}", func(ctx context.Context, c *Client) error { return one(c.ApplyCatalog(ctx, Catalog{}, true)) }},
		{"GET /v1/apis/weather/plans?cursor=a+b&limit=7", func(ctx context.Context, c *Client) error { return one(c.Plans(ctx, "weather", page)) }},
		{`PUT /v1/teams/team_1/subscriptions/weather {"plan":"pro"}`, func(ctx context.Context, c *Client) error {
			return one(c.Subscribe(ctx, "team_1", "weather", SubscriptionInput{Plan: "pro"}))
		}},

		{`POST /v1/teams {"name":"Sunny"}`, func(ctx context.Context, c *Client) error { return one(c.CreateTeam(ctx, TeamInput{Name: "Sunny"})) }},
		{"GET /v1/teams/team_1", func(ctx context.Context, c *Client) error { return one(c.Team(ctx, "team_1")) }},
		{"GET /v1/teams?cursor=a+b&limit=7&name=N", func(ctx context.Context, c *Client) error { return one(c.Teams(ctx, TeamQuery{"N", page})) }},
		{`PATCH /v1/teams/team_1 {"name":"Ada"}`, func(ctx context.Context, c *Client) error {
			return one(c.UpdateTeam(ctx, "team_1", TeamPatch{Name: &name}))
		}},
		{"GET /v1/teams/team_1/members?cursor=a+b&limit=7", func(ctx context.Context, c *Client) error { return one(c.Members(ctx, "team_1", page)) }},
		{`PUT /v1/teams/team_1/members/user_1 {"role":"owner"}`, func(ctx context.Context, c *Client) error {
			return one(c.PutMember(ctx, "team_1", "user_1", MemberInput{"owner"}))
		}},
		{"DELETE /v1/teams/team_1/members/user_1", func(ctx context.Context, c *Client) error { return c.RemoveMember(ctx, "team_1", "user_1") }},
		{`POST /v1/teams/team_1/invitations {"email":"a@b.test","role":"billing"}`, func(ctx context.Context, c *Client) error {
			return one(c.Invite(ctx, "team_1", InvitationInput{"a@b.test", "billing"}))
		}},
		{"GET /v1/teams/team_1/invitations?cursor=a+b&limit=7", func(ctx context.Context, c *Client) error { return one(c.Invitations(ctx, "team_1", page)) }},
		{"DELETE /v1/teams/team_1/invitations/inv_1", func(ctx context.Context, c *Client) error {
			return c.RevokeInvitation(ctx, "team_1", "inv_1")
		}},
		{`POST /v1/users {"email":"a@b.test"}`, func(ctx context.Context, c *Client) error {
			return one(c.CreateUser(ctx, UserInput{Email: "a@b.test"}))
		}},
		{"GET /v1/users/user_1", func(ctx context.Context, c *Client) error { return one(c.User(ctx, "user_1")) }},
		{"GET /v1/users?cursor=a+b&email=ada%40example.com&limit=7", func(ctx context.Context, c *Client) error {
			return one(c.Users(ctx, UserQuery{Email: "ada@example.com", ListQuery: page}))
		}},
		{`PATCH /v1/users/user_1 {"name":"Ada"}`, func(ctx context.Context, c *Client) error {
			return one(c.UpdateUser(ctx, "user_1", UserPatch{Name: &name}))
		}},

		{"GET /v1/usage?api=a&app=b&cursor=a+b&from=2026-10-31T23%3A00%3A00Z&granularity=day&group_by=app%2Cmode&key=c&limit=7&mode=live" +
			"&operation=GET+%2Fv1%2Fx&outcome=valid&team=d&to=2026-12-01T00%3A00%3A00Z", func(ctx context.Context, c *Client) error {
			return one(c.Usage(ctx, UsageQuery{
				From: from, To: to, Granularity: "day", GroupBy: []string{"app", "mode"}, API: "a", App: "b", Key: "c", Team: "d",
				Operation: "GET /v1/x", Outcome: "valid", Mode: "live", ListQuery: page,
			}))
		}},
		{"GET /v1/usage/export?format=csv&from=2026-10-31T23%3A00%3A00Z", func(ctx context.Context, c *Client) error {
			body, err := c.ExportUsage(ctx, UsageQuery{From: from}, "csv")
			if err == nil {
				err = body.Close()
			}
			return err
		}},
		{"GET /v1/usage/reconcile?from=2026-10-31T23%3A00%3A00Z&to=2026-12-01T00%3A00%3A00Z", func(ctx context.Context, c *Client) error {
			return one(c.Reconcile(ctx, from, to))
		}},
		{`POST /v1/webhooks {"url":"https://a.test"}`, func(ctx context.Context, c *Client) error {
			return one(c.CreateWebhook(ctx, WebhookInput{URL: "https://a.test"}))
		}},
		{"GET /v1/webhooks/hook_1", func(ctx context.Context, c *Client) error { return one(c.Webhook(ctx, "hook_1")) }},
		{"GET /v1/webhooks?cursor=a+b&limit=7&team_id=team_1", func(ctx context.Context, c *Client) error {
			return one(c.Webhooks(ctx, WebhookQuery{"team_1", page}))
		}},
		{`PATCH /v1/webhooks/hook_1 {"description":"Ada"}`, func(ctx context.Context, c *Client) error {
			return one(c.UpdateWebhook(ctx, "hook_1", WebhookPatch{Description: &name}))
		}},
		{"DELETE /v1/webhooks/hook_1", func(ctx context.Context, c *Client) error { return c.DeleteWebhook(ctx, "hook_1") }},
		{"POST /v1/webhooks/hook_1/rotate-secret", func(ctx context.Context, c *Client) error { return one(c.RotateWebhookSecret(ctx, "hook_1")) }},
		{"GET /v1/webhooks/hook_1/deliveries?cursor=a+b&limit=7", func(ctx context.Context, c *Client) error {
			return one(c.WebhookDeliveries(ctx, "hook_1", page))
		}},
		{"POST /v1/webhooks/hook_1/deliveries/msg_1/replay", func(ctx context.Context, c *Client) error { return one(c.ReplayWebhook(ctx, "hook_1", "msg_1")) }},
		{"POST /v1/webhooks/hook_1/test", func(ctx context.Context, c *Client) error { return one(c.TestWebhook(ctx, "hook_1")) }},
		{"GET /v1/audit?cursor=a+b&limit=7", func(ctx context.Context, c *Client) error { return one(c.Audit(ctx, page)) }},
		{"GET /v1/changes?after=r7&limit=5", func(ctx context.Context, c *Client) error { return one(c.Changes(ctx, "r7", 5)) }},
		{"GET /v1/attempts?cursor=a+b&limit=7", func(ctx context.Context, c *Client) error { return one(c.Attempts(ctx, page)) }},
	}
	for _, test := range tests {
		got := ""
		c := fake(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			got = strings.TrimSpace(r.Method + " " + strings.TrimPrefix(r.RequestURI, "/below") + " " + string(body))
			if r.Header.Get("Authorization") != "Bearer "+testToken || r.UserAgent() != "test/1" {
				t.Errorf("%s: headers %v", got, r.Header)
			}
			if (len(body) > 0) != (r.Header.Get("Content-Type") == "application/json") {
				t.Errorf("%s: Content-Type %q", got, r.Header.Get("Content-Type"))
			}
			_, _ = io.WriteString(w, "{}")
		})
		c.URL, c.UserAgent = c.URL+"/below", "test/1"
		if err := test.call(t.Context(), c); err != nil {
			t.Errorf("%s: %v", test.want, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
}

func TestVerifyRefusesWhatIsNoDecision(t *testing.T) {
	for _, body := range []string{
		`{}`, `null`, `{"allowed":true}`, `{"allowed":true,"code":"valid"}`, `{"allowed":true,"code":"revoked","http":{"status":200}}`,
		`{"allowed":true,"code":"valid","http":{"status":401}}`, `{"allowed":false,"code":"valid","http":{"status":200}}`,
		`{"allowed":false,"code":"revoked","http":{"status":200}}`, `{"allowed":false,"code":"revoked"}`, `{"allowed":"true"}`, `[]`,
	} {
		c := fake(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		if d, err := c.Verify(t.Context(), VerifyRequest{}); err == nil || d.Allowed {
			t.Errorf("Verify answered %s = %+v, %v, want an error", body, d, err)
		}
		c = fake(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"items":[{"decision":%s}]}`, body)
		})
		if items, err := c.VerifyBatch(t.Context(), make([]VerifyRequest, 1)); err == nil {
			t.Errorf("VerifyBatch answered %s = %+v, want an error", body, items)
		}
	}
}

func TestVerifyBatch(t *testing.T) {
	const (
		yes = `{"decision":{"allowed":true,"code":"valid","http":{"status":200}}}`
		bad = `{"problem":{"status":404,"code":"not_found"}}`
	)
	c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/verify/batch" {
			t.Errorf("path %s", r.URL.Path)
		}
		_, _ = io.WriteString(w, `{"items":[`+yes+`,`+bad+`]}`)
	})
	items, err := c.VerifyBatch(t.Context(), make([]VerifyRequest, 2))
	if err != nil || len(items) != 2 || !items[0].Decision.Allowed || items[1].Problem.Code != "not_found" {
		t.Errorf("VerifyBatch = %+v, %v", items, err)
	}
	for _, n := range []int{1, 3} {
		if items, err := c.VerifyBatch(t.Context(), make([]VerifyRequest, n)); err == nil {
			t.Errorf("VerifyBatch of %d, answered 2 = %+v, want an error", n, items)
		}
	}
	c = fake(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"items":[{}]}`) })
	if items, err := c.VerifyBatch(t.Context(), make([]VerifyRequest, 1)); err == nil {
		t.Errorf("VerifyBatch answered {} = %+v, want an error", items)
	}
}

func TestAll(t *testing.T) {
	pages := map[string]string{
		"":  `{"items":[{"id":"1"},{"id":"2"}],"next_cursor":"b"}`,
		"b": `{"items":[],"next_cursor":"c"}`,
		"c": `{"items":[{"id":"3"}]}`,
		"s": `{"items":[{"id":"4"}],"next_cursor":"s"}`,
	}
	asked := 0
	c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		body, ok := pages[r.URL.Query().Get("cursor")]
		if !ok || r.URL.Query().Get("limit") != "2" {
			problemJSON(w, 400, `{"code":"invalid_request","detail":"no such cursor"}`)
			return
		}
		_, _ = io.WriteString(w, body)
	})
	ctx := t.Context()
	lists := map[string]func(ListQuery) iter.Seq2[string, error]{
		"AllApps": func(q ListQuery) iter.Seq2[string, error] {
			return ids(c.AllApps(ctx, AppQuery{ListQuery: q}), func(a App) string { return a.ID })
		},
		"AllKeys": func(q ListQuery) iter.Seq2[string, error] {
			return ids(c.AllKeys(ctx, KeyQuery{ListQuery: q}), func(k Key) string { return k.ID })
		},
		"AllTeams": func(q ListQuery) iter.Seq2[string, error] {
			return ids(c.AllTeams(ctx, TeamQuery{ListQuery: q}), func(t Team) string { return t.ID })
		},
		"AllUsers": func(q ListQuery) iter.Seq2[string, error] {
			return ids(c.AllUsers(ctx, UserQuery{ListQuery: q}), func(u User) string { return u.ID })
		},
		"AllAudit": func(q ListQuery) iter.Seq2[string, error] {
			return ids(c.AllAudit(ctx, q), func(e AuditEvent) string { return e.ID })
		},
	}
	for name, list := range lists {
		tests := []struct {
			cursor string
			want   []string
			fails  bool
		}{
			{"nowhere", nil, true},
			{"s", []string{"4"}, true},
			{"", []string{"1", "2", "3"}, false},
		}
		for _, test := range tests {
			var got []string
			var failed error
			for id, err := range list(ListQuery{2, test.cursor}) {
				if err != nil {
					failed = err
					continue
				}
				got = append(got, id)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || (failed != nil) != test.fails {
				t.Errorf("%s from %q: error %v, -want +got\n%s", name, test.cursor, failed, diff)
			}
		}
		// A list that is left early asks for no more, and can be gone through again.
		asked = 0
		again := list(ListQuery{Limit: 2})
		for range 2 {
			for id, err := range again {
				if id != "1" || err != nil {
					t.Errorf("%s begins with %q, %v", name, id, err)
				}
				break
			}
		}
		if asked != 2 {
			t.Errorf("%s, left twice after one item, asked %d times, want 2", name, asked)
		}
	}
	for _, err := range c.AllUsage(ctx, UsageQuery{ListQuery: ListQuery{Cursor: "nowhere"}}) {
		var p *ProblemError
		if !errors.As(err, &p) {
			t.Errorf("AllUsage = %v, want a *ProblemError", err)
		}
	}
	for _, count := range []int{items(c.AllAPIs(ctx, ListQuery{Limit: 2})), items(c.AllAttempts(ctx, ListQuery{Limit: 2}))} {
		if count != 3 {
			t.Errorf("%d items, want 3", count)
		}
	}
}

func items[T any](seq iter.Seq2[T, error]) (n int) {
	for _, err := range seq {
		if err == nil {
			n++
		}
	}
	return n
}

func ids[T any](seq iter.Seq2[T, error], of func(T) string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for item, err := range seq {
			if !yield(of(item), err) {
				return
			}
		}
	}
}

func TestExportUsage(t *testing.T) {
	line := strings.Repeat("x", 1023) + "\n"
	c := fake(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("format") {
		case "csv":
			for range 3 << 10 { // three times what other answers may have
				_, _ = io.WriteString(w, line)
			}
		case "broken":
			_, _ = io.WriteString(w, line)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		default:
			problemJSON(w, 400, `{"code":"invalid_request","detail":"Want csv or jsonl."}`)
		}
	})
	_, err := c.ExportUsage(t.Context(), UsageQuery{}, "xml")
	var p *ProblemError
	if !errors.As(err, &p) || p.Detail != "Want csv or jsonl." {
		t.Errorf("ExportUsage(xml) = %v, want the problem", err)
	}
	body, err := c.ExportUsage(t.Context(), UsageQuery{}, "broken")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(body); err == nil {
		t.Error("a stream that broke off ended like a whole one")
	}
	body.Close()
	body, err = c.ExportUsage(t.Context(), UsageQuery{}, "csv")
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, body)
	if n != 3<<20 || err != nil {
		t.Errorf("ExportUsage streamed %d bytes, %v, want %d", n, err, 3<<20)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
}
