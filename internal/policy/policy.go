// Package policy says, without I/O and without a clock, whether what a credential carries is enough for what a request
// asks: audience, one app, mode, operation, kind, scopes, subscription, network address and origin, in that order.
//
// It owns the rules and their compiled forms (API, Operations, Restrictions). Finding the credential, its status at a time,
// limits and counting belong to package verify; the words for people belong to package advice.
package policy

// Code is the outcome of a decision: Valid, or why not. The texts are fixed by CONTRACT.
type Code string

// Every outcome. A code without a page under /errors/ fails the build (package advice).
const (
	Valid                 Code = "valid"
	Missing               Code = "missing"
	Malformed             Code = "malformed"
	NotFound              Code = "not_found"
	Expired               Code = "expired"
	NotYetValid           Code = "not_yet_valid"
	Revoked               Code = "revoked"
	Rotated               Code = "rotated"
	Disabled              Code = "disabled"
	OwnerSuspended        Code = "owner_suspended"
	AudienceMismatch      Code = "audience_mismatch"
	ModeMismatch          Code = "mode_mismatch"
	KindNotAccepted       Code = "kind_not_accepted"
	OperationUnknown      Code = "operation_unknown"
	NotSubscribed         Code = "not_subscribed"
	InsufficientScope     Code = "insufficient_scope"
	InsufficientUserAuthn Code = "insufficient_user_authentication"
	AppMismatch           Code = "app_mismatch"
	IPDenied              Code = "ip_denied"
	OriginDenied          Code = "origin_denied"
	SenderMismatch        Code = "sender_mismatch"
	RateLimited           Code = "rate_limited"
	QuotaExceeded         Code = "quota_exceeded"
)

// Codes returns every outcome, in the order of DESIGN section 6.
func Codes() []Code {
	return []Code{
		Valid, Missing, Malformed, NotFound, Expired, NotYetValid, Revoked, Rotated, Disabled, OwnerSuspended, AudienceMismatch,
		ModeMismatch, KindNotAccepted, OperationUnknown, NotSubscribed, InsufficientScope, InsufficientUserAuthn, AppMismatch,
		IPDenied, OriginDenied, SenderMismatch, RateLimited, QuotaExceeded,
	}
}

// HTTPStatus is what a door answers its caller (DESIGN section 6): 200, 401, 403 or 429.
func (c Code) HTTPStatus() int {
	switch c {
	case Valid:
		return 200
	case Missing, Malformed, NotFound, Expired, NotYetValid, Revoked, Rotated, Disabled, OwnerSuspended, AudienceMismatch, ModeMismatch,
		InsufficientUserAuthn, SenderMismatch:
		return 401
	case RateLimited, QuotaExceeded:
		return 429
	case KindNotAccepted, OperationUnknown, NotSubscribed, InsufficientScope, AppMismatch, IPDenied, OriginDenied:
		return 403
	}
	return 403
}

// Takes says which kinds of credential an API or an operation accepts.
type Takes string

// What can be taken. TakesBoth wants an API key and a token of one app, together.
const (
	TakesKey    Takes = "key"
	TakesToken  Takes = "token"
	TakesEither Takes = "either"
	TakesBoth   Takes = "both"
)

// Valid reports whether t is one of the four words.
func (t Takes) Valid() bool {
	return t == TakesKey || t == TakesToken || t == TakesEither || t == TakesBoth
}

// Grantor says who may hand a scope to a credential.
type Grantor string

// The grantors, from widest to narrowest.
const (
	GrantableByEveryone  Grantor = "everyone"
	GrantableByTeamOwner Grantor = "team_owner"
	GrantableByAdmin     Grantor = "admin"
)
