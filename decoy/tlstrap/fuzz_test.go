//go:build fuzz

package tlstrap_test

import (
	"testing"

	"decnet/decoy/tlstrap"
)

func FuzzParseHello(f *testing.F) {
	f.Add(chrome("h2"))
	f.Add(message(0x0301, []uint16{4, 5}))
	f.Fuzz(func(t *testing.T, msg []byte) {
		h, err := tlstrap.ParseHello(msg)
		if err != nil {
			return
		}
		if len(h.JA3()) != 32 || len(h.JA4()) != 36 {
			t.Fatalf("odd fingerprints %q %q", h.JA3(), h.JA4())
		}
	})
}
