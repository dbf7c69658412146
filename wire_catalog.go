package lanyard

import "time"

// API is one protected API as lanyard.yaml declares it. Unset fields have the defaults of CONTRACT.
type API struct {
	Name       string               `json:"name,omitempty" yaml:"-"`
	Title      string               `json:"title,omitempty" yaml:"title,omitempty" maxLength:"100" doc:"How people call it"`
	Identifier string               `json:"identifier,omitempty" yaml:"identifier,omitempty" maxLength:"500" doc:"The audience of its tokens"`
	Upstream   string               `json:"upstream,omitempty" yaml:"upstream,omitempty" maxLength:"500" doc:"Where the gateway forwards its calls to"`
	Upstreams  []string             `json:"upstreams,omitempty" yaml:"upstreams,omitempty" maxItems:"20" doc:"Several of them, in place of upstream: asked in turn"`
	Health     *HealthCheck         `json:"health,omitempty" yaml:"health,omitempty"`
	Timeout    string               `json:"timeout,omitempty" yaml:"timeout,omitempty" doc:"How long an upstream has to begin its answer, such as 30s; absent is 60s"`
	Charge     string               `json:"charge,omitempty" yaml:"charge,omitempty" enum:"allow,success" doc:"When the gateway counts a use: allow, which is what absent means, when the call goes to an upstream; success, when that answers with a status below 400"`
	Routes     []Route              `json:"routes,omitempty" yaml:"routes,omitempty" maxItems:"50"`
	Takes      string               `json:"takes,omitempty" yaml:"takes,omitempty" enum:"key,token,either,both"`
	KeyIn      []string             `json:"key_in,omitempty" yaml:"key_in,omitempty" enum:"header,query"`
	Metering   string               `json:"metering,omitempty" yaml:"metering,omitempty" enum:"exact,none"`
	CORS       *CORS                `json:"cors,omitempty" yaml:"cors,omitempty"`
	Token      *TokenRules          `json:"token,omitempty" yaml:"token,omitempty"`
	Scopes     map[string]Scope     `json:"scopes,omitempty" yaml:"scopes,omitempty"`
	Operations map[string]Operation `json:"operations,omitempty" yaml:"operations,omitempty"`
	Meters     map[string]Meter     `json:"meters,omitempty" yaml:"meters,omitempty" doc:"What is counted beside requests and units"`
	Stripe     map[string]string    `json:"stripe,omitempty" yaml:"stripe,omitempty" doc:"Which of the meters, requests and units among them, are told to Stripe: each with the event name of Stripe's meter"`
	Plans      map[string]Plan      `json:"plans,omitempty" yaml:"plans,omitempty"`
	Limits     []string             `json:"limits,omitempty" yaml:"limits,omitempty" maxItems:"8" doc:"For all callers together, such as 1000/second"`
	UserLimits []string             `json:"user_limits,omitempty" yaml:"user_limits,omitempty" maxItems:"8" doc:"For each user, whatever the app, such as 60/minute"`
}

// Route is a place at the gateway.
type Route struct {
	Host        string `json:"host,omitempty" yaml:"host,omitempty" maxLength:"253"`
	Prefix      string `json:"prefix" yaml:"prefix" maxLength:"200"`
	StripPrefix bool   `json:"strip_prefix,omitempty" yaml:"strip_prefix,omitempty"`
}

// HealthCheck is how the gateway finds out which upstreams are well: those that answer GET on the path with a status below 400.
type HealthCheck struct {
	Path  string `json:"path" yaml:"path" maxLength:"200"`
	Every string `json:"every,omitempty" yaml:"every,omitempty" doc:"Such as 10s; absent is 5s"`
}

// CORS is which web origins browsers may call from.
type CORS struct {
	Origins []string `json:"origins" yaml:"origins" maxItems:"100"`
}

// TokenRules say how the API's access tokens are made.
type TokenRules struct {
	Format   string `json:"format,omitempty" yaml:"format,omitempty" enum:"jwt,opaque"`
	Lifetime string `json:"lifetime,omitempty" yaml:"lifetime,omitempty" doc:"Such as 15m"`
	// Algorithm signs JWTs; absent: ES256.
	Algorithm string `json:"algorithm,omitempty" yaml:"algorithm,omitempty" enum:"ES256,RS256,PS256,EdDSA"`
}

// Scope is a named permission.
type Scope struct {
	Text        string   `json:"text" yaml:"text" maxLength:"120" doc:"A verb phrase: read your profile"`
	Default     bool     `json:"default,omitempty" yaml:"default,omitempty"`
	Writes      bool     `json:"writes,omitempty" yaml:"writes,omitempty"`
	Includes    []string `json:"includes,omitempty" yaml:"includes,omitempty" maxItems:"50"`
	GrantableBy string   `json:"grantable_by,omitempty" yaml:"grantable_by,omitempty" enum:"everyone,team_owner,admin"`
}

// Operation is what one method and path template asks. Cost absent is 1.
type Operation struct {
	Takes  string   `json:"takes,omitempty" yaml:"takes,omitempty" enum:"key,token,either,both"`
	Scopes []string `json:"scopes,omitempty" yaml:"scopes,omitempty" maxItems:"20"`
	Cost   *int64   `json:"cost,omitempty" yaml:"cost,omitempty" minimum:"0" maximum:"1000000"`
	MaxAge string   `json:"max_age,omitempty" yaml:"max_age,omitempty" doc:"How long ago the user may have signed in, such as 5m (RFC 9470); it needs takes token or both"`
}

// Plan is limits, quota and prices a team can be subscribed to. Limits read "60/minute", or "60/minute closed" to say what
// happens while a shared counter is out of reach; a quota reads "1000/month". Amounts of money are decimal text with at most six
// places, such as "0.002"; YAML may leave the quotes away.
type Plan struct {
	Default    bool     `json:"default,omitempty" yaml:"default,omitempty"`
	Text       string   `json:"text,omitempty" yaml:"text,omitempty" maxLength:"200"`
	Limits     []string `json:"limits,omitempty" yaml:"limits,omitempty" maxItems:"8"`
	Quota      string   `json:"quota,omitempty" yaml:"quota,omitempty" doc:"Units per day, month or cycle: 1000/month"`
	Currency   string   `json:"currency,omitempty" yaml:"currency,omitempty" doc:"ISO 4217, such as USD; a plan has one"`
	Period     string   `json:"period,omitempty" yaml:"period,omitempty" enum:"day,month,cycle" doc:"What is billed at once; a cycle is a month that begins when the team subscribed. Where the plan charges something, absent is month"`
	Fee        string   `json:"fee,omitempty" yaml:"fee,omitempty" doc:"Is due for every period"`
	Minimum    string   `json:"minimum,omitempty" yaml:"minimum,omitempty" doc:"The least a period costs, the fee included"`
	Cap        string   `json:"cap,omitempty" yaml:"cap,omitempty" doc:"The most a period costs, the fee included"`
	SpendLimit string   `json:"spend_limit,omitempty" yaml:"spend_limit,omitempty" doc:"Calls that would make a period cost more are refused"`
	Prices     []Price  `json:"prices,omitempty" yaml:"prices,omitempty" maxItems:"20"`
}

// Brand is the provider's face.
type Brand struct {
	Name      string `json:"name,omitempty" yaml:"name,omitempty" maxLength:"60"`
	KeyPrefix string `json:"key_prefix,omitempty" yaml:"key_prefix,omitempty"`
	Logo      string `json:"logo,omitempty" yaml:"logo,omitempty" maxLength:"500"`
	Color     string `json:"color,omitempty" yaml:"color,omitempty"`
	Support   string `json:"support,omitempty" yaml:"support,omitempty" maxLength:"200"`
	Terms     string `json:"terms,omitempty" yaml:"terms,omitempty" maxLength:"500"`
	Privacy   string `json:"privacy,omitempty" yaml:"privacy,omitempty" maxLength:"500"`
}

// Catalog is lanyard.yaml. APIs it does not name are left alone.
type Catalog struct {
	Brand *Brand         `json:"brand,omitempty" yaml:"brand,omitempty"`
	APIs  map[string]API `json:"apis,omitempty" yaml:"apis,omitempty"`
}

// CatalogDiff is what applying a catalog changes, or would.
type CatalogDiff struct {
	DryRun   bool            `json:"dry_run"`
	Changes  []CatalogChange `json:"changes"`
	Warnings []string        `json:"warnings,omitempty"`
	Revision string          `json:"revision,omitempty"`
}

// CatalogChange is one difference.
type CatalogChange struct {
	Path   string `json:"path" doc:"Such as apis.weather.scopes.forecast.read.text"`
	Action string `json:"action" enum:"add,change,remove"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Team owns apps and is billed.
type Team struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Suspended bool      `json:"suspended"`
	Limits    []Limit   `json:"limits,omitempty" doc:"Shared by all apps of the team, on all APIs"`
	CreatedAt time.Time `json:"created_at"`

	WarningMail bool `json:"warning_mail" doc:"Its owners and developers get a mail on Monday mornings when there is something new to say of its keys"`

	StripeCustomer string `json:"stripe_customer,omitempty" doc:"Which customer it is at Stripe, which is told what it uses: cus_…"`
}

// TeamInput makes a team.
type TeamInput struct {
	Name           string `json:"name" minLength:"1" maxLength:"100"`
	OwnerID        string `json:"owner_id,omitempty"`
	StripeCustomer string `json:"stripe_customer,omitempty" maxLength:"255" doc:"cus_…"`
}

// TeamPatch changes a team. Suspended teams' credentials are refused with owner_suspended.
type TeamPatch struct {
	Name      *string  `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Suspended *bool    `json:"suspended,omitempty"`
	Limits    *[]Limit `json:"limits,omitempty" maxItems:"8" doc:"Replaces all of them; needs server reach"`

	WarningMail *bool `json:"warning_mail,omitempty" doc:"Whether its owners and developers get a mail about its keys"`

	StripeCustomer *string `json:"stripe_customer,omitempty" maxLength:"255" doc:"cus_…, or empty for none; counts from the next whole hour on. Needs server reach"`
}

// Member is a user in a team.
type Member struct {
	UserID string `json:"user_id"`
	Role   string `json:"role" enum:"owner,developer,billing"`
}

// User is a person, by their mail address.
type User struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Name      string    `json:"name,omitempty"`
	Admin     bool      `json:"admin"`
	Disabled  bool      `json:"disabled"`
	Limits    []Limit   `json:"limits,omitempty" doc:"For all calls on the user's behalf, through whatever app and on all APIs"`
	CreatedAt time.Time `json:"created_at"`
}

// UserInput makes a user.
type UserInput struct {
	Email    string `json:"email" minLength:"3" maxLength:"254"`
	Name     string `json:"name,omitempty" maxLength:"100"`
	Password string `json:"password,omitempty" maxLength:"1024" doc:"Absent: signs in by a link in a mail until one is set"`
	Admin    bool   `json:"admin,omitempty"`
}

// UserPatch changes what it names.
type UserPatch struct {
	Name         *string  `json:"name,omitempty" maxLength:"100"`
	Disabled     *bool    `json:"disabled,omitempty"`
	Admin        *bool    `json:"admin,omitempty"`
	Limits       *[]Limit `json:"limits,omitempty" maxItems:"8" doc:"Replaces all of them"`
	RevokeTokens bool     `json:"revoke_tokens,omitempty" doc:"true ends every session, access token and personal token of the user"`
}

// Subscription is which plan a team has for an API.
type Subscription struct {
	TeamID string      `json:"team_id"`
	API    string      `json:"api"`
	Plan   string      `json:"plan" doc:"Empty: the API's default, which another is to follow"`
	Next   *PlanChange `json:"next,omitempty" doc:"What was decided and is still to come"`
}

// SpendAlerts are amounts at which the owners of a team are told of its open bill, by mail and by the webhook spend.reached.
type SpendAlerts struct {
	Amounts []string `json:"amounts" maxItems:"10" doc:"Decimal, in the currency of the plan: \"50\" or \"12.5\". Each is told once in a period"`
}

// PlanChange is a plan that begins at a time.
type PlanChange struct {
	Plan string    `json:"plan" doc:"Empty: the API's default plan"`
	At   time.Time `json:"at"`
}

// UsageRow is counted calls of one stretch of time and the dimensions grouped by.
type UsageRow struct {
	Start     time.Time `json:"start"`
	Team      string    `json:"team,omitempty"`
	App       string    `json:"app,omitempty"`
	Key       string    `json:"key,omitempty"`
	API       string    `json:"api,omitempty"`
	Operation string    `json:"operation,omitempty"`
	Outcome   string    `json:"outcome,omitempty"`
	Mode      string    `json:"mode,omitempty"`
	Count     int64     `json:"count" doc:"Calls"`
	Units     int64     `json:"units" doc:"Calls weighted by cost"`
}

// AuditEvent is one act of a person, a credential or a command.
type AuditEvent struct {
	ID      string            `json:"id"`
	At      time.Time         `json:"at"`
	Actor   string            `json:"actor" doc:"key_…, user_…, or the command's name"`
	Action  string            `json:"action" doc:"Such as key.revoke"`
	Target  string            `json:"target"`
	TeamID  string            `json:"team_id,omitempty"`
	Details map[string]string `json:"details,omitempty"`
}

// Change is one entry of the log of whatever can alter a decision.
type Change struct {
	Revision string    `json:"revision"`
	Kind     string    `json:"kind" doc:"key, app, team, user, grant, api, subscription, brand, import, revocation, keyring, restored"`
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
}

// Changes is a page of the log, oldest first; Cursor asks for what comes after it.
type Changes struct {
	Items    []Change `json:"items"`
	Cursor   string   `json:"cursor"`
	Revision string   `json:"revision" doc:"Where the cursor stands"`
}

// Page is a page of a list, newest first. NextCursor is absent on the last.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// Attempt is how often credentials that nobody issued were presented from one source within an hour.
type Attempt struct {
	Source string    `json:"source" doc:"An address or its network; \"unknown\" when the asker named none"`
	Code   string    `json:"code" enum:"malformed,not_found"`
	Start  time.Time `json:"start"`
	Count  int64     `json:"count"`
	LastAt time.Time `json:"last_at"`
	Sample string    `json:"sample,omitempty" doc:"The public part of the latest one"`
}
