package advice

import (
	"github.com/lanyard-auth/lanyard/internal/fault"
	"github.com/lanyard-auth/lanyard/internal/policy"
)

// What the gateway says of an API behind it that does not answer, as it should or at all.
const (
	UpstreamUnavailable = "upstream_unavailable" // 502
	UpstreamTimeout     = "upstream_timeout"     // 504
)

// pages is the one table of texts. not_found and insufficient_scope are codes of decisions and kinds of faults alike: they share a page,
// and Also says what the code means in the JSON API.
var pages = map[string]Text{
	string(policy.Valid): {
		Title: "Allowed", Sentence: "The credential is good and the request may pass.",
		Who: "There is nothing anybody has to mend.", How: "Go on.",
		Example: "lanyard verify --api API --operation OPERATION",
	},
	string(policy.Missing): {
		Title: "No credential", Sentence: "No credential came with the request.",
		Who: "You can mend it: whoever sends the request.", How: "Send an API key or an access token in the Authorization header.",
		Example: `curl -H @- "$API_URL" <<< "Authorization: Bearer $API_KEY"`,
	},
	string(policy.Malformed): {
		Title: "Not a credential", Sentence: "What was sent does not read as a credential: a character is wrong, missing or too many.",
		Who: "You can mend it: whoever sends the request.", How: "Copy the whole credential again, without quotes, spaces or line ends; inspect says offline whether it is complete.",
		Example: "lanyard inspect --from API_KEY",
	},
	string(policy.NotFound): {
		Title: "Unknown credential", Sentence: "The credential reads well, but nobody here knows it. It may belong to another server, or was deleted.",
		Who: "Whoever owns the app can mend it.", How: "Check that you call the right server, then create a new key.",
		Example: "lanyard keys create APP --name NAME --scope SCOPE --save API_KEY",
		Also:    "The thing you asked for does not exist, or is out of your reach; check its id and whose credential you use.",
	},
	string(policy.Expired): {
		Title: "Expired", Sentence: "The credential was good until its end date, which has passed.",
		Who: "You can mend it, or whoever owns the app.", How: "Refresh an access token or sign in again; create a new key or personal token.",
		Example: "lanyard token --app APP --scope SCOPE",
	},
	string(policy.NotYetValid): {
		Title: "Not valid yet", Sentence: "The credential begins to work later than now.",
		Who: "Whoever owns the app can mend it.", How: "Wait until it begins, or move its beginning; if it should have begun, check the clocks.",
		Example: "lanyard keys show KEY",
	},
	string(policy.Revoked): {
		Title: "Revoked", Sentence: "Somebody took this credential back, and that is for good.",
		Who: "Whoever owns the app can mend it; for a token, the user.", How: "Create a new key, or ask the user to sign in and allow the app again.",
		Example: "lanyard keys create APP --name NAME --scope SCOPE --save API_KEY",
	},
	string(policy.Rotated): {
		Title: "Rotated", Sentence: "This secret was replaced by a newer one, and the time in which both worked is over.",
		Who: "Whoever owns the app can mend it.", How: "Put the newer secret where the old one still stands; if it is lost, rotate again.",
		Example: "lanyard keys rotate KEY",
	},
	string(policy.Disabled): {
		Title: "Disabled", Sentence: "The credential or its app is switched off for now.",
		Who: "Whoever owns the app can mend it.", How: "Enable it again.",
		Example: "lanyard keys enable KEY",
	},
	string(policy.OwnerSuspended): {
		Title: "Owner suspended", Sentence: "The team or user this credential belongs to is suspended.",
		Who: "An admin of this server can mend it.", How: "Ask an admin to lift the suspension; the credential then works as before.",
		Example: "lanyard whoami",
	},
	string(policy.AudienceMismatch): {
		Title: "For another API", Sentence: "The access token was issued for another API than the one it was sent to.",
		Who: "You can mend it: whoever sends the request.", How: "Ask for a token with this API's scopes or as its resource.",
		Example: "lanyard token --app APP --scope SCOPE",
	},
	string(policy.ModeMismatch): {
		Title: "Wrong mode", Sentence: "A test credential was sent where live is wanted, or a live one where test is wanted.",
		Who: "You can mend it: whoever sends the request.", How: "Use a credential of the other mode; its text says live or test. A key and a token together must agree.",
		Example: "lanyard keys create APP --name NAME --scope SCOPE --mode test",
	},
	string(policy.KindNotAccepted): {
		Title: "Wrong kind of credential", Sentence: "This kind of credential is not accepted here.",
		Who: "You can mend it: whoever sends the request.", How: "Send the other kind: an API key says which app is calling, an access token says for whom.",
		Example: "lanyard which",
	},
	string(policy.OperationUnknown): {
		Title: "No such operation", Sentence: "The API declares no operation for this method and path.",
		Who: "You can mend it, or an admin of this server.", How: "Check method and path, letter by letter and without doubled slashes; an admin can declare the operation.",
		Example: "lanyard apis show API",
	},
	string(policy.NotSubscribed): {
		Title: "No plan", Sentence: "The team that owns this credential has no plan for this API.",
		Who: "An owner of the team can mend it.", How: "Choose a plan for this API in the portal.",
		Example: "lanyard verify --api API",
	},
	string(policy.InsufficientScope): {
		Title: "Not allowed to do this", Sentence: "The credential is good, but lacks a scope that this needs.",
		Who: "Whoever owns the app can mend it; for a token, the user who allowed it.", How: "Add the missing scope to the key, or ask the user to allow it; the answer lists all that are missing.",
		Example: "lanyard token --app APP --scope SCOPE",
		Also:    "Your credential may not make this management call; the detail says which scope it lacks.",
	},
	string(policy.InsufficientUserAuthn): {
		Title: "Sign in again", Sentence: "This needs the user to have signed in more recently than the token says.",
		Who: "The user can mend it.", How: "Send the user through login again with the max_age of the challenge, and call with the token that comes of it.",
		Example: "lanyard token --app APP --scope SCOPE --max-age 5m",
	},
	string(policy.AppMismatch): {
		Title: "Two apps", Sentence: "The API key and the access token belong to different apps.",
		Who: "You can mend it: whoever sends the request.", How: "Send the key of the app that the user signed in to.",
		Example: "lanyard apps show APP",
	},
	string(policy.IPDenied): {
		Title: "Address not allowed", Sentence: "The request comes from an address this credential may not be used from.",
		Who: "Whoever owns the app can mend it.", How: "Call from an allowed address, or add yours to the credential.",
		Example: "lanyard keys update KEY --ip 203.0.113.0/24",
	},
	string(policy.OriginDenied): {
		Title: "Website not allowed", Sentence: "The request comes from a website this credential may not be used on, or names none.",
		Who: "Whoever owns the app can mend it.", How: "Call from an allowed website, or add its origin to the key.",
		Example: "lanyard keys update KEY --origin https://app.example",
	},
	string(policy.SenderMismatch): {
		Title: "Bound to another sender", Sentence: "The token is bound to a private key, and the request does not prove that it holds it.",
		Who: "You can mend it: whoever sends the request.", How: "Send the proof (DPoP or the client certificate) with which the token was issued.",
		Example: "lanyard inspect --from ACCESS_TOKEN",
	},
	string(policy.RateLimited): {
		Title: "Too fast", Sentence: "Too many requests in a short time.",
		Who: "You can mend it by waiting; an admin can raise the limit.", How: "Wait as long as Retry-After says, then go on more slowly.",
		Example: `curl -i -H @- "$API_URL" <<< "Authorization: Bearer $API_KEY"`,
	},
	string(policy.QuotaExceeded): {
		Title: "Quota used up", Sentence: "The quota of this period is used up.",
		Who: "An owner of the team can mend it with a larger plan, a developer where the key has a quota of its own; waiting also helps.", How: "Wait for the next period, choose a larger plan in the portal, or raise the quota on the page of the key.",
		Example: "lanyard usage show",
	},
	string(fault.Invalid): {
		Title: "Request not understood", Sentence: "Something in the request itself is wrong; the detail says what, and where.",
		Who: "You can mend it: whoever sends the request.", How: "Correct the field that is named; unknown fields are refused, so check its spelling.",
		Example: `curl "$LANYARD_URL/openapi.yaml"`,
	},
	string(fault.Unauthenticated): {
		Title: "Who are you?", Sentence: "The management call came without a credential, or with one that does not pass.",
		Who: "You can mend it: whoever sends the request.", How: "Send a credential with a lanyard scope as bearer, or log in.",
		Example: "lanyard login",
	},
	string(fault.NotGrantable): {
		Title: "Not yours to give", Sentence: "You cannot give a scope that is not yours to give, or that the app's plan does not offer.",
		Who: "A team owner or an admin can mend it.", How: "Leave the scope out, or ask somebody who may give it.",
		Example: "lanyard whoami",
	},
	string(fault.Conflict): {
		Title: "Not in this state", Sentence: "The thing is in a state that forbids this: it exists already, was changed meanwhile, or is revoked.",
		Who: "You can mend it: whoever sends the request.", How: "Look at it as it is now, then decide again.",
		Example: "lanyard keys show KEY",
	},
	string(fault.ChangesReset): {
		Title: "Start over", Sentence: "The cursor into the changes is too old or unknown, for example after a restore.",
		Who: "You can mend it: whoever follows the changes.", How: "Drop what you cached, and follow again without a cursor.",
		Example: `curl -H @- "$LANYARD_URL/v1/changes" <<< "Authorization: Bearer $LANYARD_TOKEN"`,
	},
	string(fault.IdempotencyMismatch): {
		Title: "Same key, other request", Sentence: "This Idempotency-Key was used a moment ago with another body.",
		Who: "You can mend it: whoever sends the request.", How: "Take a fresh Idempotency-Key for every new request, and repeat it only with the same body.",
		Example: `curl -H "Idempotency-Key: $(uuidgen)" -H @- -d @body.json "$LANYARD_URL/v1/apps" <<< "Authorization: Bearer $LANYARD_TOKEN"`,
	},
	string(fault.TooMany): {
		Title: "Asking too fast", Sentence: "Too many management calls or failed attempts came from you in a short time.",
		Who: "You can mend it by waiting.", How: "Wait as long as Retry-After says; mend failing credentials before you go on.",
		Example: "lanyard doctor",
	},
	UpstreamUnavailable: {
		Title: "The API cannot be reached", Sentence: "The call was let through, but the API behind the gateway could not be reached, or broke off before it answered.",
		Who: "Whoever runs the API can mend it; it may pass by itself.", How: "Try again shortly; a call that changes things may have been done.",
		Example: "lanyard apis show API",
	},
	UpstreamTimeout: {
		Title: "The API did not answer in time", Sentence: "The call was let through, but the API behind the gateway did not begin its answer in time; whether it was done is not known.",
		Who: "Whoever runs the API can mend it; it may pass by itself.", How: "Try again if that does no harm; whoever runs it can raise the API's timeout.",
		Example: "lanyard apis show API",
	},
	string(fault.Unavailable): {
		Title: "Cannot decide now", Sentence: "Lanyard cannot reach what it needs to answer truly, so it does not answer; nothing was changed or counted.",
		Who: "Whoever runs this server can mend it; it may pass by itself.", How: "Try again shortly; if it stays, look at the server's readiness.",
		Example: `curl "$LANYARD_URL/readyz"`,
	},
}
