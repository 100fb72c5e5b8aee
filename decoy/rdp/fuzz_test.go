//go:build fuzz

package rdp_test

import (
	"testing"

	"decnet/decoy/rdp"
)

func FuzzParse(f *testing.F) {
	f.Add(request("Cookie: mstshash=a\r\n", true, 3)[4:])
	f.Add(ts(login("u", "d", make([]byte, 40))))
	f.Add([]byte("Duca\x80\xd8\x01\xc0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := rdp.ParseRequest(b); err == nil && len(r.Cookie) > 255 {
			t.Fatal("a cookie longer than its message")
		}
		_, _, _ = rdp.ParseTSRequest(b)
		_, _, _ = rdp.ParseCore(b)
	})
}
