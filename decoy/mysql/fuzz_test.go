//go:build fuzz

package mysql

import (
	"bytes"
	"testing"
)

// FuzzLogin: no packet makes the reader panic or find more than it holds.
func FuzzLogin(f *testing.F) {
	head := append([]byte{0x85, 0xa6, 0xff, 0x01, 0, 0, 0, 1, 45}, make([]byte, 23)...)
	f.Add(append(append([]byte(nil), head...), "root\x00\x00mysql_native_password\x00"...))
	f.Add(head)
	f.Add([]byte("\x20\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if body, _, err := read(bytes.NewReader(data)); err == nil && len(body) > maxPacket {
			t.Fatalf("%d bytes", len(body))
		}
		l, _ := parseLogin(data)
		if len(l.user)+len(l.database)+len(l.plugin)+len(l.response) > len(data)+len(pluginNative) {
			t.Fatalf("%+v of %d bytes", l, len(data))
		}
	})
}
