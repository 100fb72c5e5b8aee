//go:build fuzz

package ssh

import (
	"testing"

	"golang.org/x/crypto/ssh"
)

// FuzzKexInit reads any packet as a list of algorithms.
func FuzzKexInit(f *testing.F) {
	f.Add([]byte("\x04\x14cookiecookie1234\x00\x00\x00\x01a\x00\x00\x00\x01b\x00\x00\x00\x01c\x00\x00\x00\x01d\x00\x00\x00\x01e\x00\x00\x00\x01f\x00\x00\x00\x04none\x00\x00\x00\x04none\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00pppp"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, packet []byte) {
		k, err := parseKexInit(packet)
		if err == nil && len(k.kex)+len(k.cipher)+len(k.mac)+len(k.compression)+len(k.hostKeys) > len(packet) {
			t.Fatal("more than there is")
		}
	})
}

// FuzzScp reads any line of control.
func FuzzScp(f *testing.F) {
	f.Add("C0644 12 name")
	f.Add("D0755 0 dir")
	f.Add("T1 0 1 0")
	f.Fuzz(func(t *testing.T, line string) {
		_, size, name, ok := parseScp(line)
		if ok && (size < 0 || name == "..") {
			t.Fatalf("%d %q", size, name)
		}
	})
}

// channel is one that says what was put into it.
type channel struct {
	ssh.Channel
	in []byte
}

func (c *channel) Read(p []byte) (int, error) {
	n := copy(p, c.in)
	if c.in = c.in[n:]; n == 0 {
		return 0, errMessage
	}
	return n, nil
}

func (c *channel) Write(p []byte) (int, error) { return len(p), nil }

// FuzzSFTP serves any stream of requests.
func FuzzSFTP(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x05\x01\x00\x00\x00\x03\x00\x00\x00\x0b\x0b\x00\x00\x00\x01\x00\x00\x00\x02/x\x00\x00\x00\x0d\x0c\x00\x00\x00\x02\x00\x00\x00\x04\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x17\x03\x00\x00\x00\x01\x00\x00\x00\x06/tmp/x\x00\x00\x00\x1a\x00\x00\x00\x00\x00\x00\x00\x1a\x06\x00\x00\x00\x02\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01a"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		l := fuzzLogin(t)
		s := &session{login: l, ch: &channel{in: stream}, sh: l.first}
		s.sftp()
		s.ch = &channel{in: stream}
		s.scpSink("/tmp")
	})
}
