package ftp_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/ftp"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func newBench(t *testing.T, o traptest.Options) *traptest.Bench {
	t.Helper()
	o.Service = "ftp"
	return traptest.New(t, ftp.New, o)
}

// talk sends lines and returns the last line of each reply, the greeting first.
func talk(t *testing.T, c net.Conn, lines ...string) []string {
	t.Helper()
	r := bufio.NewReader(c)
	read := func() string {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return err.Error()
			}
			if len(line) > 3 && line[3] == ' ' && line[0] != ' ' {
				return strings.TrimRight(line, "\r\n")
			}
		}
	}
	replies := []string{read()}
	for _, line := range lines {
		_, err := io.WriteString(c, line+"\r\n")
		require.NoError(t, err)
		replies = append(replies, read())
	}
	return replies
}

func TestFTP_RefusesPasswordsAndTellsOfThem(t *testing.T) {
	t.Parallel()
	b := newBench(t, traptest.Options{})
	c := b.Dial(21)
	assert.Equal(t, []string{
		"220 (vsFTPd 3.0.3)", "530 Please login with USER and PASS.", "503 Login with USER first.", "331 Please specify the password.",
		"530 Login incorrect.", "331 Please specify the password.", "530 Login incorrect.", "331 Please specify the password.", "530 Login incorrect.",
	}, talk(t, c, "LIST", "PASS x", "USER admin", "PASS p\xff w", "USER root", "PASS ", "USER x", "PASS y"))
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "three are enough")
	tried := b.WaitN("auth_attempt", 3)
	first, second := traptest.Fields(tried[0]), traptest.Fields(tried[1])
	assert.Equal(t, "admin:p\xff w", first["username"]+":"+first["password"])
	assert.Equal(t, "root:", second["username"]+":"+second["password"])
	assert.NotEmpty(t, first["src_ip"])
	assert.Equal(t, "admin", traptest.Fields(b.Wait("user"))["username"])
}

func TestFTP_AnonymousVisitorsFindFilesAndGetNone(t *testing.T) {
	t.Parallel()
	b := newBench(t, traptest.Options{})
	got := talk(t, b.Dial(21), "USER anonymous", "PASS mozilla@example.com", "PWD", "CWD pub", "PWD", "CWD nonsense", "SIZE README", "TYPE I",
		"STOR ../up/shell.php", "RETR nothing", "LIST", "PASV", "EPSV", "SITE EXEC id", "FEAT", "SYST", "XYZ", "QUIT")
	assert.Equal(t, []string{
		"220 (vsFTPd 3.0.3)", "331 Please specify the password.", "230 Login successful.", `257 "/" is the current directory`,
		"250 Directory successfully changed.", `257 "/pub" is the current directory`, "550 Failed to change directory.",
	}, got[:7])
	assert.Regexp(t, `^213 \d+$`, got[7])
	assert.Equal(t, []string{"200 Switching to Binary mode.", "550 Permission denied.", "550 Failed to open file.", "425 Use PORT or PASV first."}, got[8:12])
	assert.Regexp(t, `^227 Entering Passive Mode \(10,0,0,5,\d+,\d+\)\.$`, got[12])
	assert.Regexp(t, `^229 Entering Extended Passive Mode \(\|\|\|\d+\|\)$`, got[13])
	assert.Equal(t, []string{"550 Permission denied.", "211 End", "215 UNIX Type: L8", "500 Unknown command.", "221 Goodbye."}, got[14:])
	assert.Equal(t, "/up/shell.php", traptest.Fields(b.Wait("upload_attempt"))["path"])
	assert.Equal(t, "/pub/nothing", traptest.Fields(b.Wait("download_attempt"))["path"])
	assert.Equal(t, "mozilla@example.com", traptest.Fields(b.Wait("auth_attempt"))["password"])
}

func TestFTP_TLS(t *testing.T) {
	t.Parallel()
	b := newBench(t, traptest.Options{})
	c := b.Dial(21)
	assert.Equal(t, []string{"220 (vsFTPd 3.0.3)", "504 Unknown AUTH type.", "234 Proceed with negotiation."}, talk(t, c, "AUTH GSSAPI", "AUTH TLS"))
	s := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, s.HandshakeContext(t.Context()))
	_, err := io.WriteString(s, "USER bob\r\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(s).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "331 Please specify the password.\r\n", line)
}

func TestFTP_GreetsAsWhatItIs(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]traptest.Options{
		"220 JD FTP Server Ready":   {Identity: trap.Identity{Archetype: "printer"}},
		"220 (vsFTPd 3.0.5)":        {Identity: trap.Identity{Distro: "rocky9"}},
		"220 Microsoft FTP Service": {Identity: trap.Identity{System: "windows"}},
		"220 ours  230 in":          {Config: trap.Config{"banner": "ours\r\n230 in"}},
	} {
		assert.Equal(t, want, talk(t, newBench(t, o).Dial(21))[0])
	}
}
