//go:build fuzz

package telnet

import (
	"bytes"
	"testing"
)

// FuzzDecoder takes any stream, whole and byte by byte: the same must come out.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\xff\xfb\x18\xff\xfa\x18\x00XTERM\xff\xf0root\r\x00a\xff\xffb\r\n"))
	f.Add([]byte("\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03\xff\xf4"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole, parts := decoder{asked: map[byte]bool{24: true}}, decoder{asked: map[byte]bool{24: true}}
		want := whole.decode(stream)
		var got []byte
		for i := range stream {
			got = append(got, parts.decode(stream[i:i+1])...)
		}
		if !bytes.Equal(want, got) || !bytes.Equal(whole.answers, parts.answers) || whole.terminal != parts.terminal {
			t.Fatalf("%q and %q", want, got)
		}
		if len(whole.answers) > maxAnswers*6 || len(whole.noted) > maxNoted {
			t.Fatal("more than the bounds")
		}
	})
}
