package snmp_test

import (
	"net"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/ber"
	"decnet/decoy/snmp"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func bench(t *testing.T, id trap.Identity) *traptest.Bench {
	t.Helper()
	return traptest.New(t, snmp.New, traptest.Options{Service: "snmp", Identity: id})
}

// request asks for 1.3.6.1.2.1.1 and the given rest.
func request(version int64, community string, pdu byte, a, b int64, rest ...byte) []byte {
	name := ber.Wrap(ber.OID, append([]byte{0x2b, 6, 1, 2, 1, 1}, rest...))
	return ber.Wrap(ber.Sequence, ber.Int(ber.Integer, version), ber.Text(ber.Octets, community),
		ber.Wrap(pdu, ber.Int(ber.Integer, 77), ber.Int(ber.Integer, a), ber.Int(ber.Integer, b),
			ber.Wrap(ber.Sequence, ber.Wrap(ber.Sequence, name, []byte{5, 0}))))
}

func discovery(engine, user, auth string, flags byte) []byte {
	security := ber.Wrap(ber.Sequence, ber.Text(ber.Octets, engine), ber.Int(ber.Integer, 0), ber.Int(ber.Integer, 0),
		ber.Text(ber.Octets, user), ber.Text(ber.Octets, auth), ber.Text(ber.Octets, ""))
	return ber.Wrap(ber.Sequence, ber.Int(ber.Integer, 3),
		ber.Wrap(ber.Sequence, ber.Int(ber.Integer, 9), ber.Int(ber.Integer, 65507), ber.Wrap(ber.Octets, []byte{flags}), ber.Int(ber.Integer, 3)),
		ber.Wrap(ber.Octets, security), ber.Wrap(ber.Sequence, ber.Text(ber.Octets, ""), ber.Text(ber.Octets, "")))
}

func TestSNMP_TellsWhoItIsByArchetype(t *testing.T) {
	t.Parallel()
	for want, id := range map[string]trap.Identity{
		"HP ETHERNET MULTI-ENVIRONMENT": {Archetype: "printer"},
		"Cisco IOS Software":            {System: "cisco"},
		"Windows Version 6.3":           {System: "windows"},
		"Linux srv-web-07 6.1.0":        {},
	} {
		b := bench(t, id)
		assert.Contains(t, string(b.Ask(161, request(1, "public", 0xa0, 0, 0, 1, 0))), want)
		f := traptest.Fields(b.Wait("get_request"))
		assert.Equal(t, "2c", f["version"])
		assert.Equal(t, "public", f["community"])
		assert.Equal(t, "['1.3.6.1.2.1.1.1.0']", f["oids"])
	}
}

func TestSNMP_AWrongCommunityHearsNothingAndIsRecorded(t *testing.T) {
	t.Parallel()
	b := bench(t, trap.Identity{})
	assert.Nil(t, b.Ask(161, request(0, "private\xff", 0xa0, 0, 0, 1, 0)))
	assert.Equal(t, "private\xff", traptest.Fields(b.Wait("get_request"))["community"])
	assert.NotNil(t, b.Ask(161, request(0, "public", 0xa3, 0, 0, 1, 0)), "what can't be written is answered")
	b.Wait("set_request")
}

func TestSNMP_IsNoAmplifier(t *testing.T) {
	t.Parallel()
	b := bench(t, trap.Identity{Archetype: "printer"})
	for _, repeat := range []int64{0, 1, 10, 1 << 40} {
		answer := b.Ask(161, request(1, "public", 0xa5, 0, repeat))
		require.NotEmpty(t, answer)
		assert.LessOrEqual(t, len(answer), 484)
	}
	for _, pdu := range []byte{0xa0, 0xa1} {
		assert.LessOrEqual(t, len(b.Ask(161, request(1, "public", pdu, 0, 0))), 484)
	}
}

func TestSNMP_Version3(t *testing.T) {
	t.Parallel()
	b := bench(t, trap.Identity{})
	first, second := b.Ask(161, discovery("", "", "", 4)), b.Ask(161, discovery("", "", "", 4))
	assert.Equal(t, first, second)
	unknownEngine, unknownUser := "\x2b\x06\x01\x06\x03\x0f\x01\x01\x04\x00", "\x2b\x06\x01\x06\x03\x0f\x01\x01\x03\x00"
	assert.Contains(t, string(first), unknownEngine)
	engine := "\x80\x00\x1f\x88\x80" + string(b.Env.Host.Derive("snmp engine", 8))
	assert.Contains(t, string(first), engine)
	assert.Contains(t, string(b.Ask(161, discovery(engine, "bob", "0123456789ab", 5))), unknownUser)
	f := traptest.Fields(b.WaitN("get_request", 3)[2])
	assert.Equal(t, "bob", f["username"])
	assert.Regexp(t, `^\$SNMPv3\$0\$9\$[0-9a-f]+000000000000000000000000[0-9a-f]+\$80001f8880[0-9a-f]{16}\$303132333435363738396162$`, f["hashcat"])
}

func TestSNMP_GarbageIsRecorded(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"GET / HTTP/1.1", "\x30\x84\xff\xff\xff\xff", "\x30\x00", string(request(7, "public", 0xa0, 0, 0))} {
		b := bench(t, trap.Identity{})
		assert.Nil(t, b.Ask(161, []byte(in)))
		assert.NotEmpty(t, traptest.Fields(b.Wait("parse_error"))["data"])
	}
}

// serve answers on a real socket.
func serve(t *testing.T, b *traptest.Bench) string {
	t.Helper()
	var config net.ListenConfig
	socket, err := config.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 65536)
		for {
			n, from, err := socket.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = socket.WriteTo(b.Ask(161, buf[:n]), from)
		}
	}()
	t.Cleanup(func() {
		_ = socket.Close()
		<-done
	})
	return socket.LocalAddr().String()
}

func TestSnmpwalk(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("snmpwalk"); err != nil {
		t.Skip("snmpwalk is not installed")
	}
	for _, version := range []string{"1", "2c"} {
		b := bench(t, trap.Identity{})
		out, err := exec.CommandContext(t.Context(), "snmpbulkwalk", "-v2c", "-c", "public", "-On", serve(t, b), "1.3.6.1.2.1").CombinedOutput()
		if version == "1" {
			out, err = exec.CommandContext(t.Context(), "snmpwalk", "-v1", "-c", "public", "-On", serve(t, b), "1.3.6.1.2.1").CombinedOutput()
		}
		require.NoError(t, err, string(out))
		assert.Contains(t, string(out), ".1.3.6.1.2.1.1.5.0 = STRING: \"srv-web-07\"")
		assert.Contains(t, string(out), ".1.3.6.1.2.1.4.20.1.1.10.0.0.5 = IpAddress: 10.0.0.5")
	}
	out, _ := exec.CommandContext(t.Context(), "snmpget", "-v3", "-u", "bob", "-l", "authNoPriv", "-A", "password1", serve(t, bench(t, trap.Identity{})), "1.3.6.1.2.1.1.1.0").CombinedOutput() // it fails
	assert.Contains(t, string(out), "Unknown user name")
}
