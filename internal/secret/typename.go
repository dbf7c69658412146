package secret

// TypeName is the name of a kind of credential for services that scan for it, such as acme_api_key where credentials begin with acme_.
// "" for kinds that end by themselves, within minutes or at their next use, and of which nobody need be told. The names stand in patterns
// that were given to others: they stay.
func TypeName(prefix string, kind Kind) string {
	switch kind {
	case Key:
		return prefix + "_api_key"
	case Publishable:
		return prefix + "_publishable_key"
	case Client:
		return prefix + "_client_secret"
	case Personal:
		return prefix + "_personal_access_token"
	case Refresh, Code, Access:
	}
	return ""
}
