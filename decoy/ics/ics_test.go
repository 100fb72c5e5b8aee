package ics_test

import (
	"encoding/hex"
	"io"
	"net"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/ics"
	"decnet/decoy/traptest"
)

func bench(t *testing.T) *traptest.Bench {
	t.Helper()
	return traptest.New(t, ics.New, traptest.Options{Service: "conpot"})
}

// ask sends a request to unit 1 and returns the answer without its head.
func ask(t *testing.T, c net.Conn, pdu string) string {
	t.Helper()
	_, err := io.WriteString(c, "\x12\x34\x00\x00\x00"+string(rune(len(pdu)+1))+"\x01"+pdu)
	require.NoError(t, err)
	head := make([]byte, 7)
	_, err = io.ReadFull(c, head)
	require.NoError(t, err)
	assert.Equal(t, "\x12\x34\x00\x00", string(head[:4]))
	b := make([]byte, int(head[5])-1)
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	return string(b)
}

func TestModbus(t *testing.T) {
	t.Parallel()
	b := bench(t)
	c := b.Dial(502)
	assert.Equal(t, "\x2b\x0e\x01\x81\x00\x00\x03\x00\x07Siemens\x01\x07SIMATIC\x02\x06S7-200", ask(t, c, "\x2b\x0e\x01\x00"))
	first := ask(t, c, "\x03\x00\x00\x00\x20")
	assert.Len(t, first, 2+64)
	assert.Equal(t, first, ask(t, c, "\x03\x00\x00\x00\x20"), "the values don't jump")
	assert.Len(t, ask(t, c, "\x01\x00\x00\x00\x09"), 2+2)
	assert.Equal(t, "\x06\x00\x01\x00\x63", ask(t, c, "\x06\x00\x01\x00\x63"))
	assert.Equal(t, "\x83\x02", ask(t, c, "\x03\xff\xff\x00\x01"))
	assert.Equal(t, "\x83\x03", ask(t, c, "\x03\x00\x00\x00\x00"))
	assert.Equal(t, "\x90\x03", ask(t, c, "\x10\x00\x00\x00\x01\x02\x00"))
	assert.Equal(t, "\xda\x01", ask(t, c, "\x5a\x00"))
	assert.Equal(t, "device_identification", traptest.Fields(b.Wait("modbus"))["name"])
	f := traptest.Fields(b.WaitN("modbus", 5)[4])
	assert.Equal(t, []string{"write_register", "1", "1", "99"}, []string{f["name"], f["unit"], f["address"], f["value"]})
}

func TestModbus_OtherBytesEndTheSession(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x01\x00\x00\xff\xff\x01", "\x00\x01\x00\x00\x00\x01\x01"} {
		b := bench(t)
		c := b.Dial(502)
		_, err := io.WriteString(c, in)
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		require.Error(t, err)
		assert.Equal(t, hex.EncodeToString([]byte(in[:7])), traptest.Fields(b.Wait("malformed"))["data"])
	}
}

func TestPanel(t *testing.T) {
	t.Parallel()
	b := bench(t)
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n":                         "302 Found",
		"GET /index.html HTTP/1.1\r\nUser-Agent: zgrab/0.x\r\n\r\n": "SIMATIC S7-200",
		"GET /x HTTP/1.0\r\n\r\n":                                   "404 Not Found",
	} {
		c := b.Dial(80)
		_, err := io.WriteString(c, request)
		require.NoError(t, err)
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		assert.Contains(t, string(got), want)
	}
	b.WaitN("request", 3)
	_, err := io.WriteString(b.Dial(80), "\x16\x03\x01\n")
	require.NoError(t, err)
	b.Wait("malformed")
}

func TestNmap_FindsTheController(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("nmap"); err != nil {
		t.Skip("nmap is not installed")
	}
	_, port, err := net.SplitHostPort(bench(t).Listen(502))
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "nmap", "-Pn", "-sT", "-p", port, "--script", "+modbus-discover", "127.0.0.1").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "Siemens SIMATIC S7-200")
}
