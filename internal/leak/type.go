package leak

import "github.com/lanyard-auth/lanyard/internal/secret"

// Type is the name of a kind of credential for services that scan for it (secret.TypeName): what GitHub and GitLab are given with the
// pattern, and send with what they find. "" for kinds of which reports are ignored.
func Type(prefix string, kind secret.Kind) string { return secret.TypeName(prefix, kind) }

// Types are the names of every kind that has one, in the order of secret.Kinds.
func Types(prefix string) (all []string) {
	for _, kind := range secret.Kinds() {
		if name := Type(prefix, kind); name != "" {
			all = append(all, name)
		}
	}
	return all
}
