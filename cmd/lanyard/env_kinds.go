package main

import (
	"strings"

	"github.com/lanyard-auth/lanyard/internal/secret"
)

// browserPrefix returns what the name of a variable begins with that build tools put into what browsers load, or "".
func browserPrefix(name string) string {
	for _, prefix := range [...]string{"NEXT_PUBLIC_", "VITE_", "REACT_APP_", "EXPO_PUBLIC_", "NUXT_PUBLIC_", "GATSBY_", "VUE_APP_", "STORYBOOK_", "PUBLIC_"} {
		if strings.HasPrefix(name, prefix) {
			return prefix
		}
	}
	return ""
}

// isSecretCredential says whether a value is a credential of a Lanyard, whoever runs it, that may not be seen.
func isSecretCredential(value string) bool {
	if c, err := secret.Parse(value); err == nil {
		return c.Kind != secret.Publishable
	}
	_, _, err := secret.ParseToken(value, nil)
	return err == nil
}
