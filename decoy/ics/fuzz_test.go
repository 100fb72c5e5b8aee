//go:build fuzz

package ics_test

import (
	"bytes"
	"net"
	"net/netip"
	"testing"

	"decnet/decoy/ics"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

type wire struct {
	net.Conn
	in *bytes.Reader
}

func (w wire) Read(p []byte) (int, error)  { return w.in.Read(p) }
func (w wire) Write(p []byte) (int, error) { return len(p), nil }

type nobody struct{}

func (nobody) Record(trap.Event) {}

func FuzzServe(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x00\x00\x05\x01\x2b\x0e\x01\x00"), false)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), true)
	b := traptest.New(f, ics.New, traptest.Options{Service: "conpot"})
	f.Fuzz(func(t *testing.T, in []byte, page bool) {
		port := 502
		if page {
			port = 80
		}
		b.Service.TCP.Serve(t.Context(), &trap.Session{Conn: wire{in: bytes.NewReader(in)}, Peer: trap.Peer{
			Env: b.Env, ID: "000000000000", Remote: netip.MustParseAddrPort("203.0.113.9:1"), Port: port, Recorder: nobody{},
		}})
	})
}
