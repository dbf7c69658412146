package config

import (
	"net/url"
	"strings"

	"github.com/lanyard-auth/lanyard/internal/fault"
)

// checkStripe refuses an address at which the key would be readable on its way, and a key that is none. It repeats neither.
func (s *Settings) checkStripe() error {
	u, err := url.Parse(s.StripeURL)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return fault.New(fault.Invalid, "LANYARD_STRIPE_URL must be an https address without a path, such as https://api.stripe.com; http is for this machine alone")
	}
	if s.StripeKey.IsZero() {
		return nil
	}
	key := s.StripeKey.Reveal()
	kind, _, _ := strings.Cut(key, "_")
	if kind != "sk" && kind != "rk" || len(key) > 300 || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return fault.New(fault.Invalid, "LANYARD_STRIPE_KEY must be a secret key of Stripe, which begins sk_, or a restricted one (rk_) that may write meter events")
	}
	return nil
}

// StripeHost is the host and port of LANYARD_STRIPE_URL where that is this machine, which outbound requests are otherwise kept from; else "".
func (s *Settings) StripeHost() string { return LocalHost(s.StripeURL) }
