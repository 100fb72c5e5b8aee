//go:build fuzz

package ssh

import (
	"net/netip"
	"testing"

	"decnet/decoy/shell"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func fuzzLogin(t *testing.T) *login {
	t.Helper()
	b := traptest.New(t, func(trap.Env) (trap.Service, error) { return trap.Service{}, nil }, traptest.Options{Service: "ssh"})
	peer := trap.Peer{Env: b.Env, ID: "0123456789ab", Remote: netip.MustParseAddrPort("203.0.113.9:40000"), Port: 22, Recorder: b}
	m := shell.NewMachine(b.Env, "")
	l := &login{server: &server{machine: m}, s: &trap.Session{Peer: peer}, user: "root"}
	l.first = m.Start(&l.s.Peer, "root")
	return l
}
