package lanyard

import "time"

// The types of the JSON API (/v1). Field order is wire order. Times are RFC 3339 in UTC; a missing time is absent, never
// zero. Ids are text: app_…, key_…, team_…, user_…, each with 16 letters or digits.

// Limit is how fast: at most Limit units in any Window, with a burst of Limit after a rest.
type Limit struct {
	Name            string `json:"name" pattern:"^[a-z][a-z0-9_-]{0,31}$" doc:"How answers and headers call this limit"`
	Limit           int64  `json:"limit" minimum:"1" maximum:"1000000000" doc:"Units per window"`
	WindowSeconds   int64  `json:"window_seconds" minimum:"1" maximum:"2678400" doc:"Length of the window in seconds"`
	WhenUnavailable string `json:"when_unavailable,omitempty" enum:"degrade,closed,open" doc:"What to do while the shared counter is out of reach"`
}

// Metadata is the provider's own text about a thing: at most 20 entries, returned by verify, never interpreted.
type Metadata map[string]string

// App is software that calls APIs (OAuth: a client).
type App struct {
	ID          string     `json:"id"`
	ClientID    string     `json:"client_id" doc:"The same as id, unless the app is known by the address of its metadata document"`
	TeamID      string     `json:"team_id"`
	Name        string     `json:"name"`
	Type        string     `json:"type" enum:"confidential,public"`
	Description string     `json:"description,omitempty"`
	HomepageURL string     `json:"homepage_url,omitempty"`
	Limits      []Limit    `json:"limits,omitempty" doc:"Shared by all credentials of the app"`
	Metadata    Metadata   `json:"metadata,omitempty"`
	Disabled    bool       `json:"disabled"`
	CreatedAt   time.Time  `json:"created_at"`
	DisabledAt  *time.Time `json:"disabled_at,omitempty"`
	Origin      string     `json:"origin,omitempty" enum:"dcr,cimd" doc:"How it registered itself; absent: it was made here"`
	OAuthSettings
}

// AppInput makes an app.
type AppInput struct {
	Name        string   `json:"name" minLength:"1" maxLength:"100"`
	TeamID      string   `json:"team_id,omitempty" doc:"Absent: the asker's team"`
	Type        string   `json:"type,omitempty" enum:"confidential,public" doc:"Absent: confidential"`
	Description string   `json:"description,omitempty" maxLength:"500"`
	HomepageURL string   `json:"homepage_url,omitempty" maxLength:"500"`
	Limits      []Limit  `json:"limits,omitempty" maxItems:"8"`
	Metadata    Metadata `json:"metadata,omitempty"`
	OAuthSettings
}

// AppPatch changes what it names and leaves the rest.
type AppPatch struct {
	Name        *string   `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Description *string   `json:"description,omitempty" maxLength:"500"`
	HomepageURL *string   `json:"homepage_url,omitempty" maxLength:"500"`
	Limits      *[]Limit  `json:"limits,omitempty" maxItems:"8"`
	Metadata    *Metadata `json:"metadata,omitempty"`
	Disabled    *bool     `json:"disabled,omitempty"`
	OAuthPatch
}

// Key is an API key as it may be shown: everything but the secret.
type Key struct {
	ID              string       `json:"id"`
	AppID           string       `json:"app_id"`
	TeamID          string       `json:"team_id"`
	Name            string       `json:"name"`
	Kind            string       `json:"kind" enum:"key,pub,cs"`
	Mode            string       `json:"mode" enum:"live,test"`
	Status          string       `json:"status" doc:"valid, not_yet_valid, expired, disabled or revoked"`
	Hint            string       `json:"hint" doc:"The public part of the credential"`
	Version         int          `json:"version" doc:"Counts rotations; the first is 1"`
	Scopes          []string     `json:"scopes"`
	IPAllow         []string     `json:"ip_allow,omitempty"`
	Origins         []string     `json:"origins,omitempty"`
	Operations      []string     `json:"operations,omitempty"`
	APIs            []string     `json:"apis,omitempty"`
	Limits          []Limit      `json:"limits,omitempty"`
	Quota           *Quota       `json:"quota,omitempty"`
	Metadata        Metadata     `json:"metadata,omitempty"`
	CreatedAt       time.Time    `json:"created_at"`
	NotBefore       *time.Time   `json:"not_before,omitempty"`
	ExpiresAt       *time.Time   `json:"expires_at,omitempty"`
	DisabledAt      *time.Time   `json:"disabled_at,omitempty"`
	RevokedAt       *time.Time   `json:"revoked_at,omitempty"`
	RevokeReason    string       `json:"revoke_reason,omitempty"`
	RotateEveryDays int          `json:"rotate_every_days,omitempty"`
	Versions        []KeyVersion `json:"versions" doc:"The secrets that are or were good for this key, newest first"`
	LastUsed        *LastUsed    `json:"last_used,omitempty"`
	IfStolen        string       `json:"if_stolen" doc:"What a thief could do with it, in one sentence"`
}

// KeyVersion is one secret of a key. Rotation adds one; the older stays good until OverlapUntil.
type KeyVersion struct {
	Version      int        `json:"version"`
	CreatedAt    time.Time  `json:"created_at"`
	OverlapUntil *time.Time `json:"overlap_until,omitempty" doc:"When a rotated secret stops working; absent for the current one"`
	RevokedAt    *time.Time `json:"revoked_at,omitempty"`
	Imported     bool       `json:"imported,omitempty" doc:"Made elsewhere and taken over"`
}

// LastUsed is when, from which network and for what a credential was last accepted, as of the latest count.
type LastUsed struct {
	At        time.Time `json:"at"`
	Network   string    `json:"network,omitempty"`
	API       string    `json:"api,omitempty"`
	Operation string    `json:"operation,omitempty"`
}

// KeyInput makes a key.
type KeyInput struct {
	Name            string     `json:"name" minLength:"1" maxLength:"100"`
	Kind            string     `json:"kind,omitempty" enum:"key,pub" doc:"Absent: key. pub needs ip_allow or origins"`
	Mode            string     `json:"mode,omitempty" enum:"live,test" doc:"Absent: live"`
	Scopes          []string   `json:"scopes,omitempty" maxItems:"100"`
	NotBefore       *time.Time `json:"not_before,omitempty"`
	ExpiresAt       *time.Time `json:"expires_at,omitempty" doc:"Absent: permanent"`
	IPAllow         []string   `json:"ip_allow,omitempty" maxItems:"100" doc:"Addresses or CIDR blocks"`
	Origins         []string   `json:"origins,omitempty" maxItems:"50" doc:"Web origins such as https://app.example"`
	Operations      []string   `json:"operations,omitempty" maxItems:"200" doc:"Declared operations such as \"GET /v1/forecast\""`
	Limits          []Limit    `json:"limits,omitempty" maxItems:"8"`
	Quota           *Quota     `json:"quota,omitempty" doc:"Absent: none of its own; its plan's holds"`
	APIs            []string   `json:"apis,omitempty" maxItems:"100" doc:"Narrows lanyard.verify to these APIs"`
	Metadata        Metadata   `json:"metadata,omitempty"`
	RotateEveryDays int        `json:"rotate_every_days,omitempty" minimum:"0" maximum:"730" doc:"Ask for a rotation this often, through a key.rotation_due event"`
}

// KeyPatch changes what it names and leaves the rest. An expiry can be brought forward or set, never put off or removed;
// scopes can be changed within what the asker may grant.
type KeyPatch struct {
	Name            *string    `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Scopes          *[]string  `json:"scopes,omitempty" maxItems:"100"`
	ExpiresAt       *time.Time `json:"expires_at,omitempty"`
	IPAllow         *[]string  `json:"ip_allow,omitempty" maxItems:"100"`
	Origins         *[]string  `json:"origins,omitempty" maxItems:"50"`
	Operations      *[]string  `json:"operations,omitempty" maxItems:"200"`
	Limits          *[]Limit   `json:"limits,omitempty" maxItems:"8"`
	Quota           *Quota     `json:"quota,omitempty" doc:"0 units: none any more"`
	APIs            *[]string  `json:"apis,omitempty" maxItems:"100"`
	Metadata        *Metadata  `json:"metadata,omitempty"`
	RotateEveryDays *int       `json:"rotate_every_days,omitempty" minimum:"0" maximum:"730"`
}

// Quota is how many units may be used in each period, by UTC. What was used of it stays used when it changes.
type Quota struct {
	Units  int64  `json:"units" minimum:"0" maximum:"999999999999999"`
	Period string `json:"period,omitempty" enum:"day,month" doc:"Absent: month"`
}

// NewKey is a key with its secret, which is in this answer and in none after it.
type NewKey struct {
	ID     string `json:"id"`
	Secret string `json:"secret,omitempty" doc:"Shown once. Absent when an Idempotency-Key is repeated late"`
	Key
}

// RotateInput asks for a new secret under the same id.
type RotateInput struct {
	OverlapSeconds *int64 `json:"overlap_seconds,omitempty" minimum:"0" maximum:"2678400" doc:"How long the old secret stays good; absent: 86400"`
}

// Rotated is the answer to a rotation.
type Rotated struct {
	ID           string     `json:"id"`
	Version      int        `json:"version"`
	Secret       string     `json:"secret" doc:"Shown once"`
	OverlapUntil *time.Time `json:"overlap_until,omitempty" doc:"When the old secret stops working; absent: it already has"`
}

// RevokeInput says why, and which secret of a rotated key; without a version the whole key goes.
type RevokeInput struct {
	Reason  string `json:"reason,omitempty" maxLength:"200"`
	Version int    `json:"version,omitempty" minimum:"0"`
}

// Applied says where a change stands in the log of changes. With ?wait= Applied reports whether every node had applied it
// before the answer; a node that could not be reached has stopped answering from memory by then.
type Applied struct {
	Revision string `json:"revision"`
	Applied  bool   `json:"applied"`
}

// ImportInput takes keys over from another system.
type ImportInput struct {
	AppID  string      `json:"app_id"`
	Keys   []ImportKey `json:"keys" minItems:"1" maxItems:"1000"`
	DryRun bool        `json:"dry_run,omitempty"`
}

// ImportKey is one foreign key: its text, or a digest of it, never both.
type ImportKey struct {
	Secret    string      `json:"secret,omitempty" maxLength:"512"`
	Hash      *ImportHash `json:"hash,omitempty"`
	Name      string      `json:"name" minLength:"1" maxLength:"100"`
	Mode      string      `json:"mode,omitempty" enum:"live,test"`
	Scopes    []string    `json:"scopes,omitempty" maxItems:"100"`
	ExpiresAt *time.Time  `json:"expires_at,omitempty"`
	Metadata  Metadata    `json:"metadata,omitempty"`
}

// ImportHash is SHA-256 of the key's whole text, in hexadecimal or base64 (both alphabets, padded or not).
type ImportHash struct {
	Algorithm string `json:"algorithm" enum:"sha256"`
	Value     string `json:"value" maxLength:"100"`
}

// Imported is the answer to an import, one result per key in the order sent.
type Imported struct {
	DryRun  bool           `json:"dry_run"`
	Created int            `json:"created" doc:"How many were taken over, or would be"`
	Refused int            `json:"refused"`
	Items   []ImportedItem `json:"items"`
}

// ImportedItem is what became of one key.
type ImportedItem struct {
	Index  int    `json:"index"`
	Name   string `json:"name"`
	ID     string `json:"id,omitempty"`
	Code   string `json:"code" doc:"created, would_create, or the code of the problem"`
	Detail string `json:"detail,omitempty"`
}

// VerifyRequest asks for a decision.
type VerifyRequest struct {
	Credential     string   `json:"credential"`
	APIKey         string   `json:"api_key,omitempty" doc:"An API key sent beside a user's token"`
	KeyIn          string   `json:"key_in,omitempty" enum:"header,query" doc:"Where the API key stood; absent: in a header"`
	API            string   `json:"api"`
	Operation      string   `json:"operation,omitempty" doc:"A declared operation, instead of method and path"`
	Method         string   `json:"method,omitempty"`
	Path           string   `json:"path,omitempty" doc:"As on the wire, without the query"`
	Scopes         []string `json:"scopes,omitempty" doc:"Asked beyond what the operation asks"`
	IP             string   `json:"ip,omitempty" doc:"The caller's address"`
	Origin         string   `json:"origin,omitempty" doc:"The caller's web origin"`
	Mode           string   `json:"mode,omitempty" enum:"live,test"`
	Cost           *int64   `json:"cost,omitempty" minimum:"0" maximum:"1000000" doc:"Units to charge; absent: what the operation costs, else 1"`
	IdempotencyKey string   `json:"idempotency_key,omitempty" maxLength:"200" doc:"Charges once within 10 minutes"`
	MaxAge         int64    `json:"max_age,omitempty" minimum:"0" doc:"How many seconds ago the user may have signed in, beyond what the operation asks (RFC 9470); 0 asks nothing"`
	DryRun         bool     `json:"dry_run,omitempty" doc:"Decide, but neither charge nor count"`
	Consistency    string   `json:"consistency,omitempty" enum:"cached,strict" doc:"strict asks the database first"`

	DPoP *VerifyProof `json:"dpop,omitempty" doc:"The request came with the scheme DPoP (RFC 9449)"`
}

// VerifyProof is the DPoP proof of a request, and what the request was.
type VerifyProof struct {
	Proof  string `json:"proof" doc:"The header DPoP"`
	Method string `json:"method"`
	URL    string `json:"url" doc:"Absolute, as the caller sent it; query and fragment do not count"`
}

// Decision is whether a request may pass: Allowed, or Code and who can mend it.
type Decision struct {
	Allowed       bool                `json:"allowed"`
	Code          string              `json:"code"`
	Message       string              `json:"message"`
	Credential    *DecisionCredential `json:"credential,omitempty"`
	APIKey        *DecisionRef        `json:"api_key,omitempty" doc:"The API key that came beside the token"`
	App           *DecisionApp        `json:"app,omitempty"`
	Team          *DecisionRef        `json:"team,omitempty"`
	User          *DecisionRef        `json:"user,omitempty"`
	GrantID       string              `json:"grant_id,omitempty"`
	Scopes        []string            `json:"scopes"`
	Limits        []DecisionLimit     `json:"limits"`
	Quota         *DecisionQuota      `json:"quota,omitempty"`
	DeniedBy      string              `json:"denied_by,omitempty"`
	MissingScopes []string            `json:"missing_scopes,omitempty"`
	MaxAge        int64               `json:"max_age,omitempty" doc:"With insufficient_user_authentication: how many seconds ago the user may have signed in"`
	RetryAfterMS  int64               `json:"retry_after_ms,omitempty"`
	Warnings      []string            `json:"warnings,omitempty"`
	HTTP          DecisionHTTP        `json:"http"`
	EndsInMS      int64               `json:"ends_in_ms,omitempty" doc:"In how many milliseconds something ends that the answer rests on; absent: never"`
	Reuse         *DecisionReuse      `json:"reuse,omitempty"`
	Revision      string              `json:"revision"`
}

// DecisionCredential is the credential a decision was made on.
type DecisionCredential struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`
	Mode      string     `json:"mode"`
	Version   int        `json:"version,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	FamilyID  string     `json:"family_id,omitempty" doc:"Of an access token that can be refreshed: what is revoked with it"`
}

// DecisionApp is the app that calls.
type DecisionApp struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Metadata Metadata `json:"metadata,omitempty"`
}

// DecisionReuse comes with an allowed call of an API that does not count (metering: none) and on which no limit holds. Who asked may give the
// same answer again: to the same credentials, for the same API, operation and scopes, for EndsInMS at most, until the log of changes (GET
// /v1/changes) names something that it rests on, and as long as that log was read a moment ago. Follower does so.
type DecisionReuse struct {
	IP     bool `json:"ip" doc:"Only from the same address"`
	Origin bool `json:"origin" doc:"Only from the same web origin"`
}

// DecisionRef names a team or user.
type DecisionRef struct {
	ID string `json:"id"`
}

// DecisionLimit is what is left of one limit.
type DecisionLimit struct {
	Name      string    `json:"name"`
	Limit     int64     `json:"limit"`
	Remaining int64     `json:"remaining"`
	ResetAt   time.Time `json:"reset_at"`
}

// DecisionQuota is what is left of a quota.
type DecisionQuota struct {
	Limit     int64     `json:"limit"`
	Used      int64     `json:"used"`
	Remaining int64     `json:"remaining"`
	ResetsAt  time.Time `json:"resets_at"`
}

// DecisionHTTP is what a door should answer: the status, and headers to add either way.
type DecisionHTTP struct {
	Status  int         `json:"status"`
	Headers HTTPHeaders `json:"headers,omitempty"`
}

// HTTPHeaders are response headers by canonical name, one value each.
type HTTPHeaders map[string]string

// BatchRequest asks for up to 100 decisions at once.
type BatchRequest struct {
	Items []VerifyRequest `json:"items" minItems:"1" maxItems:"100"`
}

// BatchAnswer has one result per request, in order.
type BatchAnswer struct {
	Items []BatchItem `json:"items"`
}

// BatchItem is a decision, or the problem that kept it from being made.
type BatchItem struct {
	Decision *Decision `json:"decision,omitempty"`
	Problem  *Problem  `json:"problem,omitempty"`
}

// Problem is an error of the JSON API (RFC 9457).
type Problem struct {
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Code      string         `json:"code"`
	Detail    string         `json:"detail,omitempty"`
	Errors    []ProblemField `json:"errors,omitempty" doc:"The inputs at fault"`
	ID        string         `json:"id,omitempty" doc:"The thing it is about"`
	RequestID string         `json:"request_id,omitempty"`
}

// ProblemField is one input at fault.
type ProblemField struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}
