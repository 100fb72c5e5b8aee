//go:build fuzz

package vnc_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"testing"

	"decnet/decoy/trap"
	"decnet/decoy/traptest"
	"decnet/decoy/vnc"
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
	f.Add([]byte("RFB 003.008\n\x020123456789abcdef\x01"))
	f.Add([]byte("RFB 003.003\n0123456789abcdef\x01"))
	b := traptest.New(f, vnc.New, traptest.Options{Service: "vnc", Config: trap.Config{"password": "x"}})
	f.Fuzz(func(t *testing.T, in []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		b.Service.TCP.Serve(ctx, &trap.Session{Conn: wire{in: bytes.NewReader(in)}, Peer: trap.Peer{
			Env: b.Env, ID: "000000000000", Remote: netip.MustParseAddrPort("203.0.113.9:1"), Port: 5900, Recorder: nobody{},
		}})
	})
}
