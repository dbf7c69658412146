//go:build !race

package web

import "testing"

// The race detector makes sync.Pool drop things at random, and jsontext keeps its decoders in one.

func TestCheckJSONAllocates(t *testing.T) {
	body := []byte(`{"credential":"lyd_key_live_x","api":"weather","method":"GET","path":"/v1/forecast","scopes":["a","b"],"cost":1}`)
	if got := testing.AllocsPerRun(100, func() { _ = CheckJSON(body) }); got > 0 {
		t.Errorf("CheckJSON allocates %v times, want 0", got)
	}
}
