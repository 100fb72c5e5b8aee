//go:build fuzz

package ber_test

import (
	"testing"

	"decnet/decoy/ber"
)

func FuzzParse(f *testing.F) {
	f.Add(ber.Wrap(ber.Sequence, ber.Int(ber.Integer, 300), ber.Text(ber.Octets, "public")))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, rest, err := ber.Parse(b)
		if err != nil {
			return
		}
		if len(e.Value)+len(rest) > len(b) {
			t.Fatal("more than there was")
		}
		_, _ = e.Int()
		_, _ = e.Children(100)
	})
}
