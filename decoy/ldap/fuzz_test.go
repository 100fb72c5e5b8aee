//go:build fuzz

package ldap_test

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"testing"

	"decnet/decoy/ber"
	"decnet/decoy/ldap"
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
	f.Add(message(1, simple("cn=a", "b")))
	f.Add(message(2, search("", 0, ber.Wrap(0xa0, ber.Text(0x87, "objectClass")), "+")))
	f.Add(message(3, ber.Wrap(0x60, ber.Int(2, 3), ber.Text(4, ""), ber.Wrap(0xa3, ber.Text(4, "GSS-SPNEGO"), ber.Text(4, "NTLMSSP\x00\x01\x00\x00\x00")))))
	f.Add(message(4, ber.Text(0x4a, "dc=x")))
	b := traptest.New(f, ldap.New, traptest.Options{Service: "ldap", Identity: trap.Identity{System: "windows"}})
	f.Fuzz(func(t *testing.T, in []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		b.Service.TCP.Serve(ctx, &trap.Session{Conn: wire{in: bytes.NewReader(in)}, Peer: trap.Peer{
			Env: b.Env, ID: "000000000000", Remote: netip.MustParseAddrPort("203.0.113.9:1"), Port: 389, Recorder: nobody{},
		}})
	})
}
