//go:build fuzz

package tftp_test

import (
	"net/netip"
	"testing"

	"decnet/decoy/tftp"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

type nobody struct{}

func (nobody) Record(trap.Event) {}

func FuzzRespond(f *testing.F) {
	f.Add([]byte("\x00\x02a\x00octet\x00"))
	f.Add([]byte("\x00\x03\x00\x01abc"))
	b := traptest.New(f, tftp.New, traptest.Options{Service: "tftp"})
	f.Fuzz(func(t *testing.T, in []byte) {
		out := b.Service.UDP.Respond(t.Context(), &trap.Datagram{Data: in, Peer: trap.Peer{
			Env: b.Env, ID: "0", Remote: netip.MustParseAddrPort("203.0.113.9:1"), Port: 69, Recorder: nobody{},
		}})
		if len(out) > 516 {
			t.Fatal("more than a block")
		}
	})
}
