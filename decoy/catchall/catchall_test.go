package catchall_test

import (
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/catchall"
	"decnet/decoy/traptest"
)

func TestCatchall_RecordsFirstBytesAsTheyCame(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, catchall.New, traptest.Options{Service: "catchall"})
	sent := "GET / HTTP/1.0\r\n\x00\xff" + strings.Repeat("x", 5000)
	c := b.Dial(4444)
	_, err := io.WriteString(c, sent)
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Empty(t, got, "it answers nothing")
	f := traptest.Fields(b.Wait("data"))
	assert.Equal(t, "5018", f["bytes"])
	assert.Equal(t, sent[:1024], f["text"])
	assert.Equal(t, hex.EncodeToString([]byte(sent[:1024])), f["hex"])
	assert.Equal(t, "http", f["protocol"])

	assert.Empty(t, b.Ask(4444, []byte("CNXN")))
	assert.Equal(t, "adb", traptest.Fields(b.WaitN("data", 2)[1])["protocol"])
}

func TestGuess(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "\x16\x03\x01\x02": "tls", "SSH-2.0-Go\r\n": "ssh", "\x00\x00\x00\x2f\xffSMB": "smb", "\x03\x00\x00\x13\x0e\xe0\x00\x00": "rdp",
		"OPTIONS sip:x SIP/2.0": "sip", "OPTIONS / HTTP/1.1": "http", "*1\r\n$4\r\n": "redis", "\x10\x10\x00\x04MQTT": "mqtt", "hello": "",
	} {
		assert.Equal(t, want, catchall.Guess([]byte(in)), "%q", in)
	}
}
