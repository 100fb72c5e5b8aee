//go:build fuzz

package ntlmtrap_test

import (
	"testing"

	"decnet/decoy/ntlmtrap"
)

func FuzzParseLogin(f *testing.F) {
	f.Add(login("admin", "D", "W", make([]byte, 40)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ntlmtrap.ParseLogin(b); err == nil && len(l.Fields([8]byte{})) < 4 {
			t.Fatal("too little was recorded")
		}
	})
}
