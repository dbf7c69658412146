package lanyard

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Option changes what Require asks or does.
type Option func(*gate)

// WithScopes asks for scopes beyond those of the operation.
func WithScopes(names ...string) Option {
	return func(g *gate) { g.scopes = append(g.scopes, names...) }
}

// longestMaxAge is the longest that the server takes, in seconds.
const longestMaxAge = 366 * 24 * 60 * 60

// WithMaxAge asks that the user signed in no longer ago than this, beyond what the operation asks: for what is not undone, such as a
// transfer of money. Others are told to sign in again (RFC 9470), and a credential without a user never passes. Whole seconds count.
func WithMaxAge(age time.Duration) Option {
	return func(g *gate) { g.maxAge = min(max(1, int64(age/time.Second)), longestMaxAge) }
}

// WithOperation asks about one declared operation, such as "GET /v1/forecast", whatever a request's method and path are.
func WithOperation(name string) Option { return func(g *gate) { g.operation = name } }

// WithStripPrefix asks about the path below prefix, for a handler that is mounted there while the catalog does not know it. Other
// paths are refused. The handler sees the whole path.
func WithStripPrefix(prefix string) Option {
	return func(g *gate) { g.prefix = strings.TrimRight(prefix, "/") }
}

// WithTrustedProxies believes X-Forwarded-For from these networks. Without it the address is that of the connection.
func WithTrustedProxies(networks ...netip.Prefix) Option {
	return func(g *gate) { g.trusted = append(g.trusted, slices.Clone(networks)...) }
}

// WithQueryKeys takes API keys from the parameter api_key too. It is removed before the handler sees the URL, and the answer
// has a Warning header. Only for APIs whose key_in says so.
func WithQueryKeys() Option { return func(g *gate) { g.queryKeys = true } }

// WithFollower ends requests under way when they may not go on, and gives answers again without asking for APIs with metering: none. See
// Follower.
func WithFollower(f *Follower) Option { return func(g *gate) { g.follower = f } }

// WithPreflight lets CORS preflights through to the handler without a credential, a decision or an Identity. Whatever the
// handler answers to OPTIONS is then open to everybody, so it must answer OPTIONS itself. Better: put the CORS handler
// around the guarded one, and leave this off.
func WithPreflight() Option { return func(g *gate) { g.preflight = true } }

// WithLogger says where to log that decisions cannot be had, and that they can be had again; each once. Default: slog.Default().
func WithLogger(log *slog.Logger) Option { return func(g *gate) { g.health.log = log } }

// WithPublicURL says how callers reach this server, scheme and host, such as "https://api.example.com": what DPoP proofs name.
// Without it the address is that of the connection, which behind a proxy that ends TLS is another.
func WithPublicURL(address string) Option {
	return func(g *gate) { g.public = strings.TrimRight(address, "/") }
}
