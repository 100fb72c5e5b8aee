//go:build fuzz

package snmp_test

import (
	"net/netip"
	"testing"

	"decnet/decoy/snmp"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

type nobody struct{}

func (nobody) Record(trap.Event) {}

func FuzzRespond(f *testing.F) {
	f.Add(request(1, "public", 0xa5, 0, 10))
	f.Add(request(0, "public", 0xa1, 0, 0))
	f.Add(discovery("x", "bob", "0123456789ab", 5))
	b := traptest.New(f, snmp.New, traptest.Options{Service: "snmp", Identity: trap.Identity{Archetype: "printer"}})
	f.Fuzz(func(t *testing.T, in []byte) {
		out := b.Service.UDP.Respond(t.Context(), &trap.Datagram{Data: in, Peer: trap.Peer{
			Env: b.Env, ID: "0", Remote: netip.MustParseAddrPort("203.0.113.9:1"), Port: 161, Recorder: nobody{},
		}})
		if len(out) > max(512, 2*len(in)) {
			t.Fatalf("%d bytes for %d", len(out), len(in))
		}
	})
}
