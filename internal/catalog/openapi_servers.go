package catalog

import (
	"fmt"
	"net/url"
	"strings"
)

// upstream is the first server, if it is a whole address. Base paths stay in it: operations are matched below them.
func (im *openAPI) upstream() string {
	declared, is := im.root["servers"]
	if !is {
		return ""
	}
	servers := list(declared)
	if len(servers) == 0 {
		im.note("servers: it lists nothing; say the upstream yourself")
		return ""
	}
	if len(servers) > 1 {
		im.note("servers: only the first of %d is the upstream; the others are not used", len(servers))
	}
	server := mapping(servers[0])
	im.unknown("servers[0]", server, "url", "description", "variables")
	address, err := fill(text(server["url"]), mapping(server["variables"]))
	if err == nil {
		err = checkUpstream(address)
	}
	if err != nil {
		im.note("servers[0]: %s; no upstream is set, say it yourself", err)
		return ""
	}
	address = strings.TrimSuffix(address, "/")
	if strings.Contains(text(server["url"]), "{") {
		im.note("servers[0]: its variables have their defaults, which makes the upstream %.200s", address)
	}
	return address
}

// fill puts the defaults of a server's variables into its address. What a variable brings in is not looked through again.
func fill(template string, variables object) (string, error) {
	var out strings.Builder
	for rest := template; ; {
		before, after, opens := strings.Cut(rest, "{")
		out.WriteString(before)
		if !opens {
			return out.String(), nil
		}
		name, behind, closes := strings.Cut(after, "}")
		if !closes {
			return "", fmt.Errorf("a brace of its address is not closed")
		}
		value := scalar(mapping(variables[name])["default"])
		if value == "" {
			return "", fmt.Errorf("its variable %.60q has no default", name)
		}
		out.WriteString(value)
		rest = behind
	}
}

// checkUpstream says why an address cannot be an upstream. It does not quote one that may hold a password.
func checkUpstream(address string) error {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return fmt.Errorf("it has no url")
	case err != nil || strings.ContainsAny(address, "{} "):
		return fmt.Errorf("its address cannot be read")
	case u.User != nil:
		return fmt.Errorf("its address names a user, and the catalog is shown")
	case u.Scheme == "" && u.Host == "" && strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("%.100q is a path alone, below which the operations are matched: whatever stands in front has to take it off (strip_prefix of a route)", address)
	case len(address) > maxURI || strings.Contains(address, "?") || !absoluteURI(address, "https", "http"):
		return fmt.Errorf("%.100q is no http or https address without query", address)
	}
	return nil
}
