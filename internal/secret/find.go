package secret

import "strings"

// Find calls found with every credential that stands whole within a text, whatever is around it, until found returns false. The
// checksum has matched; whether anybody issued it is not known. Opaque access tokens are passed over. Linear in len(text).
func Find(text string, found func(credential string, c Credential) bool) {
	for at := 0; ; {
		next := strings.IndexByte(text[at:], '_')
		if next < 0 {
			return
		}
		at += next
		head := headOf(text[at:])
		if head == 0 {
			at++
			continue
		}
		end := at + head + tailLength
		if end > len(text) {
			at++
			continue
		}
		// The prefix may run into what stands before it: the shortest that makes the checksum right is the one.
		for start := at - 2; start >= 0 && start >= at-maxPrefix; start-- {
			if c, err := Parse(text[start:end]); err == nil {
				if !found(text[start:end], c) {
					return
				}
				break
			}
		}
		at++
	}
}
