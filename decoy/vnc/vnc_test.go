package vnc_test

import (
	"encoding/hex"
	"io"
	"net"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/trap"
	"decnet/decoy/traptest"
	"decnet/decoy/vnc"
)

func read(t *testing.T, c net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(c, b)
	require.NoError(t, err)
	return string(b)
}

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	_, err := io.WriteString(c, s)
	require.NoError(t, err)
}

// login goes up to the answer to the challenge.
func login(t *testing.T, c net.Conn, version, password string) {
	t.Helper()
	assert.Equal(t, "RFB 003.008\n", read(t, c, 12))
	write(t, c, version)
	if version == "RFB 003.003\n" {
		assert.Equal(t, "\x00\x00\x00\x02", read(t, c, 4))
	} else {
		assert.Equal(t, "\x01\x02", read(t, c, 2))
		write(t, c, "\x02")
	}
	var challenge [16]byte
	copy(challenge[:], read(t, c, 16))
	response := vnc.Respond(password, challenge)
	write(t, c, string(response[:]))
}

func TestRespond_IsWhatVNCComputes(t *testing.T) {
	t.Parallel()
	// Known answers of DES: the key of zeros, and one of the variable key test, whose
	// first bit is the last of the first character.
	var challenge [16]byte
	for password, want := range map[string]string{"": "8ca64de9c1b123a7", "\x01": "95a8d72813daa94d"} {
		got := vnc.Respond(password, challenge)
		assert.Equal(t, want+want, hex.EncodeToString(got[:]))
	}
	long, short := vnc.Respond("passwordAndMore", challenge), vnc.Respond("password", challenge)
	assert.Equal(t, short, long, "eight characters count")
	assert.NotEqual(t, short, vnc.Respond("Password", challenge))
}

func TestVNC_RefusesAndRecords(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"RFB 003.003\n": "\x00\x00\x00\x01",
		"RFB 003.007\n": "\x00\x00\x00\x01",
		"RFB 003.008\n": "\x00\x00\x00\x01\x00\x00\x00\x16Authentication failure",
	} {
		b := traptest.New(t, vnc.New, traptest.Options{Service: "vnc"})
		c := b.Dial(5900)
		login(t, c, version, "password")
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
		assert.Equal(t, version[:11], traptest.Fields(b.Wait("version"))["client_version"])
		f := traptest.Fields(b.Wait("auth_response"))
		assert.Equal(t, "password", f["password"], "an answer to a password that everybody tries is known")
		assert.Equal(t, "failed", f["status"])
		assert.Equal(t, "$vnc$*"+f["challenge"]+"*"+f["response"], f["john"])
	}
	b := traptest.New(t, vnc.New, traptest.Options{Service: "vnc"})
	login(t, b.Dial(5900), "RFB 003.008\n", "a rare 1")
	assert.NotContains(t, traptest.Fields(b.Wait("auth_response")), "password", "what isn't known is not invented")
}

func TestVNC_LetsInByTheSettingAndRecordsKeys(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, vnc.New, traptest.Options{Service: "vnc", Config: trap.Config{"password": "s3cret"}})
	c := b.Dial(5900)
	login(t, c, "RFB 003.008\n", "s3cret")
	assert.Equal(t, "\x00\x00\x00\x00", read(t, c, 4))
	write(t, c, "\x01")
	assert.Contains(t, read(t, c, 24+len("srv-web-07:1 (root)")), "srv-web-07:1 (root)")
	write(t, c, "\x04\x01\x00\x00\x00\x00\x00l\x04\x01\x00\x00\x00\x00\x00s\x04\x01\x00\x00\x00\x00\xff\x0d")
	require.NoError(t, c.Close())
	assert.Equal(t, "ls\n", traptest.Fields(b.Wait("keys"))["text"])
}

func TestVNC_NoClientOfVNC(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, vnc.New, traptest.Options{Service: "vnc"})
	write(t, b.Dial(5900), "GET / HTTP/1.1\r\n\r\n")
	assert.Equal(t, hex.EncodeToString([]byte("GET / HTTP/1")), traptest.Fields(b.Wait("malformed"))["data"])
}

func TestNmap_NamesVNC(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("nmap"); err != nil {
		t.Skip("nmap is not installed")
	}
	b := traptest.New(t, vnc.New, traptest.Options{Service: "vnc"})
	_, port, err := net.SplitHostPort(b.Listen(5900))
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "nmap", "-Pn", "-sT", "-sV", "-p", port, "127.0.0.1").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "VNC (protocol 3.8)")
}
