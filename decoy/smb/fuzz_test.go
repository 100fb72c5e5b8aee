//go:build fuzz

package smb_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"decnet/decoy/smb"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

// wire is a connection that a fuzzer wrote.
type wire struct {
	net.Conn
	in *bytes.Reader
}

func (w wire) Read(p []byte) (int, error)  { return w.in.Read(p) }
func (w wire) Write(p []byte) (int, error) { return io.Discard.Write(p) }

func FuzzServe(f *testing.F) {
	f.Add(concat(negotiate1("NT LM 0.12"), setup1Plain(), tree1(), peek()))
	f.Add(concat(negotiate1("SMB 2.???"), negotiate2(0x0311)))
	b := traptest.New(f, smb.New, traptest.Options{
		Service: "smb", Identity: trap.Identity{System: "windows", Archetype: "windows-workstation"}, Now: time.Now,
	})
	f.Fuzz(func(t *testing.T, in []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // no pauses
		b.Service.TCP.Serve(ctx, &trap.Session{Conn: wire{in: bytes.NewReader(in)}, Peer: trap.Peer{
			Env: b.Env, ID: "000000000000", Remote: netip.MustParseAddrPort("203.0.113.9:1"), Port: 445, Recorder: nobody{},
		}})
	})
}

type nobody struct{}

func (nobody) Record(trap.Event) {}
