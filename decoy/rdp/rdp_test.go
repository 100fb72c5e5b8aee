package rdp_test

import (
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/ber"
	"decnet/decoy/ntlmtrap"
	"decnet/decoy/rdp"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

// request is a connection request as mstsc sends it.
func request(cookie string, negotiates bool, protocols byte) []byte {
	b := append([]byte{0xe0, 0, 0, 0x0a, 0x0b, 0}, cookie...)
	if negotiates {
		b = append(b, 1, 0, 8, 0, protocols, 0, 0, 0)
	}
	b = append([]byte{byte(len(b))}, b...)
	return append([]byte{3, 0, 0, byte(len(b) + 4)}, b...)
}

func send(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	_, err := c.Write(b)
	require.NoError(t, err)
}

func confirm(t *testing.T, c net.Conn) []byte {
	t.Helper()
	b := make([]byte, 19)
	_, err := io.ReadFull(c, b)
	require.NoError(t, err)
	assert.Equal(t, []byte{3, 0, 0, 19, 14, 0xd0, 0x0a, 0x0b}, b[:8])
	return b[11:]
}

func bench(t *testing.T, system string) *traptest.Bench {
	t.Helper()
	return traptest.New(t, rdp.New, traptest.Options{Service: "rdp", Identity: trap.Identity{System: system, Hostname: "WIN-SRV07"}})
}

func ts(token []byte) []byte {
	return ber.Wrap(ber.Sequence, ber.Wrap(0xa0, ber.Int(ber.Integer, 6)),
		ber.Wrap(0xa1, ber.Wrap(ber.Sequence, ber.Wrap(ber.Sequence, ber.Wrap(0xa0, ber.Wrap(ber.Octets, token))))))
}

// login makes an AUTHENTICATE_MESSAGE.
func login(user, domain string, nt []byte) []byte {
	b := append([]byte("NTLMSSP\x00\x03\x00\x00\x00"), make([]byte, 52)...)
	b[60] = 1
	for at, value := range map[int][]byte{20: nt, 28: ntlmtrap.UTF16(domain), 36: ntlmtrap.UTF16(user)} {
		binary.LittleEndian.PutUint16(b[at:], uint16(len(value)))
		binary.LittleEndian.PutUint32(b[at+4:], uint32(len(b)))
		b = append(b, value...)
	}
	return b
}

func TestRDP_NetworkLevelAuthenticationIsRecordedAndRefused(t *testing.T) {
	t.Parallel()
	b := bench(t, "windows")
	c := b.Dial(3389)
	send(t, c, request("Cookie: mstshash=hello\r\n", true, 3))
	assert.Equal(t, []byte{2, 0x1f, 8, 0, 2, 0, 0, 0}, confirm(t, c))
	over := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, over.HandshakeContext(t.Context()))
	assert.Equal(t, "WIN-SRV07", over.ConnectionState().PeerCertificates[0].Subject.CommonName)
	send(t, over, ts(append([]byte("NTLMSSP\x00\x01\x00\x00\x00"), 0xb7, 0x82, 0x08, 0xe2)))
	answer, err := ber.Read(over, 4096)
	require.NoError(t, err)
	_, token, err := rdp.ParseTSRequest(answer)
	require.NoError(t, err)
	challenge, kind := ntlmtrap.Find(token)
	require.EqualValues(t, 2, kind)
	send(t, over, ts(login("Administrator", "CORP", make([]byte, 60))))
	answer, err = ber.Read(over, 4096)
	require.NoError(t, err)
	assert.Equal(t, "300da003020106a4060204c000006d", hex.EncodeToString(answer), "STATUS_LOGON_FAILURE")

	r := b.Wait("connection_request")
	assert.Equal(t, "hello", traptest.Fields(r)["username"])
	assert.Equal(t, "src_ip", r.Fields[0].Key)
	f := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, "Administrator", f["username"])
	assert.Equal(t, "5600", f["hashcat_mode"])
	assert.Equal(t, hex.EncodeToString(challenge[24:32]), f["challenge"], "the challenge that was sent")
	b.Wait("tls_client_hello")
}

func TestRDP_RefusesWhatTheRealOneRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		system  string
		request []byte
		want    string
	}{
		"Windows without NLA":          {"windows", request("", true, 1), "0300080005000000"},
		"Windows, classic":             {"windows", request("", true, 0), "0300080005000000"},
		"xrdp, classic":                {"linux", request("", true, 0), "0300080001000000"},
		"who doesn't negotiate at all": {"windows", request("Cookie: mstshash=a\r\n", false, 0), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := bench(t, test.system).Dial(3389)
			send(t, c, test.request)
			if test.want != "" {
				assert.Equal(t, test.want, hex.EncodeToString(confirm(t, c)))
			}
			_, err := c.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
		})
	}
}

func TestRDP_TellsWhoComesWithoutNLA(t *testing.T) {
	t.Parallel()
	b := bench(t, "linux")
	c := b.Dial(3389)
	send(t, c, request("", true, 1))
	assert.Equal(t, []byte{2, 0, 8, 0, 1, 0, 0, 0}, confirm(t, c))
	over := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	core := make([]byte, 216)
	binary.LittleEndian.PutUint16(core, 0xc001)
	binary.LittleEndian.PutUint32(core[20:], 2600)
	copy(core[24:], ntlmtrap.UTF16("KALI"))
	body := append([]byte("\x7f\x65Duca\x80\xd8"), core...)
	send(t, over, append([]byte{3, 0, 0, byte(len(body) + 4)}, body...))
	f := traptest.Fields(b.Wait("client_info"))
	assert.Equal(t, "KALI", f["client_name"])
	assert.Equal(t, "2600", f["client_build"])
}

func TestRDP_OtherBytesAreRecorded(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"GET / HTTP/1.1\r\n\r\n", "\x03\x00\xff\xff", "\x03\x00\x00\x05\x00", "\x03\x00\x00\x0b\x06\xd0\x00\x00\x00\x00\x00"} {
		b := bench(t, "windows")
		c := b.Dial(3389)
		send(t, c, []byte(in))
		_, err := c.Read(make([]byte, 1))
		require.Error(t, err)
		assert.NotEmpty(t, traptest.Fields(b.Wait("data"))["hex"])
	}
}

func TestNmap_NamesRDP(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("nmap"); err != nil {
		t.Skip("nmap is not installed")
	}
	_, port, err := net.SplitHostPort(bench(t, "windows").Listen(3389))
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "nmap", "-Pn", "-sT", "-p", port, "--script", "+rdp-ntlm-info", "127.0.0.1").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "NetBIOS_Computer_Name: WIN-SRV07")
	assert.Contains(t, string(out), "Product_Version: 10.0.14393")
}
