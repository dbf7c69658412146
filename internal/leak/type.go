package leak

import "github.com/lanyard-auth/lanyard/internal/secret"

// Type is the name of a kind of credential for services that scan for it, such as acme_api_key where credentials begin with acme_: what
// GitHub and GitLab are given with the pattern, and send with what they find. "" for kinds of which reports are ignored.
func Type(prefix string, kind secret.Kind) string {
	switch kind {
	case secret.Key:
		return prefix + "_api_key"
	case secret.Publishable:
		return prefix + "_publishable_key"
	case secret.Client:
		return prefix + "_client_secret"
	case secret.Personal:
		return prefix + "_personal_access_token"
	case secret.Refresh, secret.Code, secret.Access:
	}
	return ""
}

// Types are the names of every kind that has one, in the order of secret.Kinds.
func Types(prefix string) (all []string) {
	for _, kind := range secret.Kinds() {
		if name := Type(prefix, kind); name != "" {
			all = append(all, name)
		}
	}
	return all
}
