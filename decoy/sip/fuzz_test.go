//go:build fuzz

package sip_test

import (
	"net/netip"
	"testing"

	"decnet/decoy/sip"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

type nobody struct{}

func (nobody) Record(trap.Event) {}

func FuzzRespond(f *testing.F) {
	f.Add([]byte(request("OPTIONS", "")))
	f.Add([]byte(request("REGISTER", "Authorization: Digest username=\"1\",uri=\"sip:x\",response=00000000000000000000000000000000\r\n")))
	b := traptest.New(f, sip.New, traptest.Options{Service: "sip"})
	f.Fuzz(func(t *testing.T, in []byte) {
		b.Service.UDP.Respond(t.Context(), &trap.Datagram{Data: in, Peer: trap.Peer{
			Env: b.Env, ID: "0", Remote: netip.MustParseAddrPort("203.0.113.9:1"), Port: 5060, Recorder: nobody{},
		}})
	})
}
