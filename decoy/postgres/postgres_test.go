package postgres_test

import (
	"encoding/binary"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/postgres"
	"decnet/decoy/traptest"
)

func newBench(t *testing.T) *traptest.Bench {
	t.Helper()
	return traptest.New(t, postgres.New, traptest.Options{Service: "postgres"})
}

// message is a body behind its length, and a type if there is one.
func message(kind string, body string) []byte {
	b := binary.BigEndian.AppendUint32([]byte(kind), uint32(len(body)+4))
	return append(b, body...)
}

func startup(parameters ...string) []byte {
	return message("", "\x00\x03\x00\x00"+strings.Join(parameters, "\x00")+"\x00\x00")
}

func send(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	_, err := c.Write(b)
	require.NoError(t, err)
}

func TestPostgres_AsksForThePasswordAndRefusesIt(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.Dial(5432)
	send(t, c, startup("user", "post\xffgres", "database", "shop"))
	asked := make([]byte, 9)
	_, err := io.ReadFull(c, asked)
	require.NoError(t, err)
	assert.Equal(t, []byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}, asked)
	send(t, c, message("p", "hunter2\x00"))
	answer, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Equal(t, "E", string(answer[:1]))
	assert.Equal(t, len(answer)-1, int(binary.BigEndian.Uint32(answer[1:5])))
	assert.Contains(t, string(answer), "SFATAL\x00VFATAL\x00C28P01\x00Mpassword authentication failed for user \"post\xffgres\"\x00")

	auth := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, "post\xffgres", auth["username"])
	assert.Equal(t, "hunter2", auth["password"])
	assert.Equal(t, "shop", auth["database"])
	assert.Equal(t, "shop", traptest.Fields(b.Wait("startup"))["database"])
}

func TestPostgres_SaysWhatIsWrongAsARealOne(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		send []byte
		says string
	}{
		"no user":      {startup("database", "shop"), "C28000\x00Mno PostgreSQL user name specified in startup packet"},
		"version 2":    {message("", "\x00\x02\x00\x00x\x00"), "C0A000\x00Munsupported frontend protocol 2.0: server supports 3.0 to 3.0"},
		"huge":         {[]byte{0xff, 0xff, 0xff, 0xff}, "C08P01\x00Minvalid length of startup packet"},
		"HTTP":         {[]byte("GET / HTTP/1.0\r\n\r\n"), "C08P01\x00Minvalid length of startup packet"},
		"no end":       {message("", "\x00\x03\x00\x00user\x00x"), "invalid startup packet layout"},
		"no password":  {append(startup("user", "x"), message("Q", "SELECT 1\x00")...), "expected password response, got message type 81"},
		"not a length": {[]byte{0, 0, 0, 3}, "invalid length"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newBench(t).Dial(5432)
			send(t, c, test.send)
			answer, _ := io.ReadAll(c) // it may be reset, with bytes that nobody read
			assert.Contains(t, string(answer), test.says)
		})
	}
}

// What the real client concludes: that it is a server, with TLS or without, and
// that the password is wrong.
func TestPostgres_ARealClient(t *testing.T) {
	t.Parallel()
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	for _, mode := range []string{"disable", "prefer", "require"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			host, port, err := net.SplitHostPort(b.Listen(5432))
			require.NoError(t, err)
			cmd := exec.CommandContext(t.Context(), psql, "-w", "host="+host+" port="+port+" user=admin dbname=shop sslmode="+mode, "-c", "SELECT 1")
			cmd.Env = []string{"PGPASSWORD=p4ss", "HOME=" + t.TempDir(), "PATH=/usr/bin:/bin", "LC_ALL=C"}
			out, err := cmd.CombinedOutput()
			require.Error(t, err)
			assert.Contains(t, string(out), `FATAL:  password authentication failed for user "admin"`)
			auth := traptest.Fields(b.Wait("auth"))
			assert.Equal(t, "admin p4ss", auth["username"]+" "+auth["password"])
		})
	}
}
