//go:build fuzz

package postgres

import (
	"bytes"
	"testing"
)

// FuzzStartup: no startup message makes the reader panic or take more than it may.
func FuzzStartup(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x12\x00\x03\x00\x00user\x00x\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := readPacket(bytes.NewReader(data), maxStartup)
		if err != nil || len(body) < 4 {
			return
		}
		if len(body) > maxStartup {
			t.Fatalf("%d bytes", len(body))
		}
		p, _ := parameters(body[4:])
		for name, value := range p {
			if len(name)+len(value) > len(body) {
				t.Fatalf("%q=%q of %d bytes", name, value, len(body))
			}
		}
	})
}
