package archtest

// line is one line of the house: packages that stand side by side.
type line struct {
	packages string // folders below prefix, separated by blanks; "." is the module root
	prefix   string
	order    order
}

// order says which packages of its own line one may import.
type order int

const (
	strangers   order = iota // none: what two of them share belongs above them
	leftToRight              // those to its left
)

// house lists every package of the module. A package may import those of the lines above its own.
var house = []line{
	// Typed ids; kinds of failure; credential bytes.
	{prefix: "internal/", packages: "id fault secret", order: leftToRight},
	// The text of .env files.
	{prefix: "internal/", packages: "dotenv"},
	// Pure: scopes, operations, restrictions, Evaluate.
	{prefix: "internal/", packages: "policy"},
	// Pure: which credential to take, the "If stolen" sentence, the texts of denials.
	{prefix: "internal/", packages: "advice"},
	// The public package.
	{packages: "."},
	{prefix: "examples/", packages: "weather live mail postpal/face postpal", order: leftToRight},
	// Actor, Reach, Event; how a page of a list is asked for; the one guarded HTTP client.
	{prefix: "internal/", packages: "audit listing outbound"},
	{prefix: "internal/", packages: "keyring ratelimit"},
	// The noun in whose terms the catalog declares plans: prices, periods, quotas.
	{prefix: "internal/", packages: "billing"},
	// The nouns: no SQL, no sibling.
	{prefix: "internal/", packages: "app user team session factor upstream key grant token catalog usage leak outbox node stripe stripe/stripetest"},
	{prefix: "internal/", packages: "changes quota"},
	// All SQL. The suite that runs it on both engines stands beside it.
	{prefix: "internal/", packages: "pgtest redistest store store/storetest", order: leftToRight},
	{prefix: "internal/", packages: "verify signin"},
	{prefix: "internal/", packages: "manage"},
	{prefix: "internal/", packages: "notify"},
	{prefix: "internal/", packages: "web config scan gitrepo"},
	{prefix: "internal/", packages: "page page/pagetest browser", order: leftToRight},
	// Surfaces.
	{prefix: "internal/server/", packages: "oauth login account developers admin portal rest doors"},
	// A door in another dialect, apart for its libraries: it rules as doors do (docs/decisions/0026).
	{prefix: "internal/server/", packages: "extauthz"},
	{prefix: "internal/", packages: "server"},
	{prefix: "internal/", packages: "archtest servertest demo", order: leftToRight},
	{prefix: "cmd/", packages: "lanyard"},
	{packages: "e2e e2e/bench e2e/cluster e2e/doors e2e/torture docs"},
}

// narrow lists packages that may import less of the module than their line allows, with all they may import.
var narrow = map[string]string{
	"internal/dotenv":  "internal/fault internal/secret",
	"internal/scan":    "internal/secret",
	"internal/gitrepo": "",
	// Everything a command does goes through these: no command has SQL or rules of its own.
	"cmd/lanyard": ". internal/id internal/fault internal/secret internal/advice internal/audit internal/keyring " +
		"internal/manage internal/config internal/dotenv internal/scan internal/gitrepo internal/server internal/demo",
}

// guarded lists what only some packages may import. A path ending in "/..." stands for the package and all below it.
var guarded = []struct {
	what, who string
}{
	{"database/sql/...", "internal/store"},
	{"net/http/...", "internal/web internal/outbound internal/notify internal/upstream internal/page/... internal/browser internal/server/... internal/servertest internal/stripe/... " +
		"internal/demo . cmd/lanyard examples/... e2e/..."},
	{"internal/store", "internal/server internal/store/storetest"},
	// Support of tests never becomes part of the product.
	{"internal/pgtest", "internal/store/storetest internal/servertest e2e/..."},
	{"internal/redistest", "e2e/..."},
	{"internal/store/storetest", ""},
	{"internal/page/pagetest", ""},
	{"internal/stripe/stripetest", ""},
	{"internal/servertest", "e2e/..."},
	{"internal/archtest", ""},
}

// vague are names that say nothing about what a package owns.
var vague = []string{"util", "utils", "common", "helper", "helpers", "base", "model", "models", "types"}

// maxLines is where a file has become two.
const maxLines = 600
