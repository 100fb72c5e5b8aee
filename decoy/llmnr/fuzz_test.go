//go:build fuzz

package llmnr_test

import (
	"testing"

	"decnet/decoy/llmnr"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + "\x0asrv-web-07\x05local\x00\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := llmnr.Parse(b); err == nil && len(p.Questions) > 16 {
			t.Fatal("more than may be")
		}
	})
}
