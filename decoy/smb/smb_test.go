package smb_test

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/md4" //nolint:staticcheck // it is what NTLM does

	"decnet/decoy/ntlmtrap"
	"decnet/decoy/smb"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func bench(t *testing.T, id trap.Identity) *traptest.Bench {
	t.Helper()
	return traptest.New(t, smb.New, traptest.Options{Service: "smb", Identity: id})
}

func concat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func framed(b []byte) []byte { return append([]byte{0, 0, byte(len(b) >> 8), byte(len(b))}, b...) }

func message1(command byte, uid, tid uint16, words, data []byte) []byte {
	b := make([]byte, 32)
	copy(b, "\xffSMB")
	b[4], b[9] = command, 0x18
	binary.LittleEndian.PutUint16(b[10:], 0x4001)
	binary.LittleEndian.PutUint16(b[24:], tid)
	binary.LittleEndian.PutUint16(b[28:], uid)
	b = append(append(b, byte(len(words)/2)), words...)
	return framed(append(binary.LittleEndian.AppendUint16(b, uint16(len(data))), data...))
}

func negotiate1(dialects ...string) []byte {
	var data []byte
	for _, d := range dialects {
		data = append(data, "\x02"+d+"\x00"...)
	}
	return message1(0x72, 0, 0, nil, data)
}

func setup1Plain() []byte {
	return message1(0x73, 0, 0, make([]byte, 26), []byte("\x00\x00Windows 2000 2195\x00Windows 2000 5.0\x00"))
}

func tree1() []byte {
	words := make([]byte, 8)
	words[6] = 1
	return message1(0x75, 0x0800, 0, words, []byte("\x00\\\\10.0.0.5\\IPC$\x00?????\x00"))
}

func peek() []byte {
	words := make([]byte, 32)
	words[26], words[28] = 2, 0x23
	return message1(0x25, 0x0800, 0x0801, words, []byte("\\PIPE\\\x00"))
}

func negotiate2(dialects ...uint16) []byte {
	b := make([]byte, 64+36)
	copy(b, "\xfeSMB")
	b[4], b[64], b[66] = 64, 36, byte(len(dialects))
	for _, d := range dialects {
		b = binary.LittleEndian.AppendUint16(b, d)
	}
	return framed(b)
}

func ask(t *testing.T, c net.Conn, msg []byte) []byte {
	t.Helper()
	_, err := c.Write(msg)
	require.NoError(t, err)
	head := make([]byte, 4)
	_, err = io.ReadFull(c, head)
	require.NoError(t, err)
	b := make([]byte, binary.BigEndian.Uint32(head))
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	return b
}

func TestSMB1_AScannerOfMS17010FindsAVulnerableWindows7(t *testing.T) {
	t.Parallel()
	b := bench(t, trap.Identity{System: "windows", Archetype: "windows-workstation"})
	c := b.Dial(445)
	ask(t, c, negotiate1("LANMAN1.0", "NT LM 0.12"))
	assert.Contains(t, string(ask(t, c, setup1Plain())), "Windows 7 Professional 7601 Service Pack 1\x00")
	assert.Zero(t, binary.LittleEndian.Uint32(ask(t, c, tree1())[5:]))
	assert.EqualValues(t, 0xc0000205, binary.LittleEndian.Uint32(ask(t, c, peek())[5:]), "STATUS_INSUFF_SERVER_RESOURCES")
	trans2 := make([]byte, 30)
	trans2[28] = 0x0e
	assert.EqualValues(t, 0xc0000002, binary.LittleEndian.Uint32(ask(t, c, message1(0x32, 0x0800, 0x0801, trans2, []byte("payload")))[5:]))
	require.NoError(t, c.Close())

	assert.Equal(t, "LANMAN1.0, NT LM 0.12", traptest.Fields(b.Wait("negotiate"))["dialects"])
	auth := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, "anonymous", auth["mechanism"])
	assert.Equal(t, "Windows 2000 2195", auth["native_os"])
	assert.Equal(t, `\\10.0.0.5\IPC$`, traptest.Fields(b.Wait("tree_connect"))["path"])
	probes := b.WaitN("exploit_probe", 2)
	assert.Equal(t, "ms17-010", traptest.Fields(probes[0])["name"])
	assert.Equal(t, "doublepulsar", traptest.Fields(probes[1])["name"])
	assert.Equal(t, "true", traptest.Fields(b.Wait("file_upload"))["kept"], "what the exploit carries is kept")
}

func TestSMB1_ALaterSambaKnowsNoSuchDialect(t *testing.T) {
	t.Parallel()
	c := bench(t, trap.Identity{}).Dial(445)
	answer := ask(t, c, negotiate1("NT LM 0.12"))
	assert.Equal(t, []byte{1, 0xff, 0xff}, answer[32:35])
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestSMB_SessionServiceOfPort139(t *testing.T) {
	t.Parallel()
	b := bench(t, trap.Identity{})
	c := b.Dial(139)
	name := func(s string) string {
		var out []byte
		for len(s) < 16 {
			s += " "
		}
		for _, x := range []byte(s) {
			out = append(out, 'A'+x>>4, 'A'+x&15)
		}
		return "\x20" + string(out) + "\x00"
	}
	_, err := c.Write([]byte("\x81\x00\x00\x44" + name("*SMBSERVER") + name("KALI")))
	require.NoError(t, err)
	got := make([]byte, 4)
	_, err = io.ReadFull(c, got)
	require.NoError(t, err)
	assert.Equal(t, []byte{0x82, 0, 0, 0}, got)
	assert.Equal(t, "KALI", traptest.Fields(b.Wait("session_request"))["calling"])
	answer := ask(t, c, negotiate2(0x0202, 0x0311))
	assert.Equal(t, []byte{0x11, 0x03}, answer[68:70])
}

func TestSMB_MalformedMessagesEndTheSession(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"http":     "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"too long": "\x00\xff\xff\xff",
		"no smb":   "\x00\x00\x00\x04abcd",
		"short":    "\x00\x00\x00\x21\xffSMB" + string(make([]byte, 29)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bench(t, trap.Identity{})
			c := b.Dial(445)
			_, err := io.WriteString(c, in)
			require.NoError(t, err)
			_, err = c.Read(make([]byte, 1))
			require.Error(t, err)
			assert.NotEmpty(t, traptest.Fields(b.Wait("malformed"))["data"])
		})
	}
}

// run runs a client and returns what it says.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	out, _ := exec.CommandContext(t.Context(), name, args...).CombinedOutput() // its exit code is what some ask for
	return string(out)
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return p
}

// cracks says whether a password fits a line of hashcat's mode 5600.
func cracks(t *testing.T, line, password string) bool {
	t.Helper()
	parts := strings.Split(line, ":")
	require.Len(t, parts, 6)
	sum := func(key []byte, data ...[]byte) []byte {
		h := hmac.New(md5.New, key)
		for _, d := range data {
			h.Write(d)
		}
		return h.Sum(nil)
	}
	var hexed [3][]byte
	for i, p := range parts[3:] {
		b, err := hex.DecodeString(p)
		require.NoError(t, err)
		hexed[i] = b
	}
	nt := md4.New()
	nt.Write(ntlmtrap.UTF16(password))
	key := sum(nt.Sum(nil), ntlmtrap.UTF16(strings.ToUpper(parts[0])+parts[2]))
	return hmac.Equal(sum(key, hexed[0], hexed[2]), hexed[1])
}

func TestSmbclient(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, share, user string
		id                trap.Identity
		said, status      string
	}{
		{"a wrong password at Windows", "C$", "CORP/bob%Secret1", trap.Identity{System: "windows"}, "NT_STATUS_LOGON_FAILURE", "failed"},
		{"Samba makes a guest", "C$", "bob%Secret1", trap.Identity{}, "NT_STATUS_BAD_NETWORK_NAME", "guest"},
		{"a Red Hat Samba does not", "C$", "bob%Secret1", trap.Identity{Distro: "rocky9"}, "NT_STATUS_LOGON_FAILURE", "failed"},
		{"nobody at Windows", "ADMIN$", "%", trap.Identity{System: "windows"}, "NT_STATUS_ACCESS_DENIED", "success"},
		{"old Windows", "C$", "bob%Secret1", trap.Identity{System: "windows", Archetype: "windows-workstation"}, "NT_STATUS_LOGON_FAILURE", "failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := bench(t, test.id)
			said := run(t, "smbclient", "//127.0.0.1/"+test.share, "-p", port(t, b.Listen(445)), "-U", test.user, "-c", "ls", "--option=client min protocol=NT1")
			assert.Contains(t, said, test.said)
			auth := traptest.Fields(b.Wait("auth"))
			assert.Equal(t, test.status, auth["status"])
			if auth["username"] != "" {
				assert.Equal(t, "bob", auth["username"])
				assert.Regexp(t, `^bob::(CORP|WORKGROUP|SRV-WEB-07)?:[0-9a-f]{16}:[0-9a-f]{32}:0101[0-9a-f]+$`, auth["hashcat"])
				assert.True(t, cracks(t, auth["hashcat"], "Secret1"), "the password fits what was recorded")
				assert.False(t, cracks(t, auth["hashcat"], "Secret2"))
			}
		})
	}
}
