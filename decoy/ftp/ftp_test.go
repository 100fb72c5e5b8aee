package ftp_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

func TestFTP_AnonymousVisitorsFindTheirWay(t *testing.T) {
	t.Parallel()
	b := newBench(t, traptest.Options{})
	got := talk(t, b.Dial(21), "USER anonymous", "PASS mozilla@example.com", "PWD", "CWD pub", "PWD", "CWD nonsense", "SIZE README", "TYPE I",
		"STOR ../up/shell.php", "RETR nothing", "LIST", "PASV", "EPSV", "RETR ../pub/nothing", "PORT 127,0,0,1,0,80", "EPRT |1|127.0.0.1|80|", "SITE EXEC id", "FEAT", "SYST", "XYZ", "QUIT")
	assert.Equal(t, []string{
		"220 (vsFTPd 3.0.3)", "331 Please specify the password.", "230 Login successful.", `257 "/" is the current directory`,
		"250 Directory successfully changed.", `257 "/pub" is the current directory`, "550 Failed to change directory.",
	}, got[:7])
	assert.Regexp(t, `^213 \d+$`, got[7])
	assert.Equal(t, []string{"200 Switching to Binary mode.", "425 Use PORT or PASV first.", "550 Failed to open file.", "425 Use PORT or PASV first."}, got[8:12])
	assert.Regexp(t, `^227 Entering Passive Mode \(10,0,0,5,\d+,\d+\)\.$`, got[12])
	assert.Regexp(t, `^229 Entering Extended Passive Mode \(\|\|\|\d+\|\)$`, got[13])
	assert.Equal(t, []string{"550 Failed to open file.", "550 Permission denied.", "550 Permission denied.", "550 Permission denied.", "211 End", "215 UNIX Type: L8", "500 Unknown command.", "221 Goodbye."}, got[14:])
	assert.Equal(t, "/up/shell.php", traptest.Fields(b.Wait("upload_attempt"))["path"])
	assert.Equal(t, "/pub/nothing", traptest.Fields(b.Wait("download_attempt"))["path"])
	assert.Equal(t, "mozilla@example.com", traptest.Fields(b.Wait("auth_attempt"))["password"])
}

// visitor is a client with a second connection.
type visitor struct {
	t *testing.T
	b *traptest.Bench
	c net.Conn
	r *bufio.Reader
}

func enter(t *testing.T, b *traptest.Bench) *visitor {
	t.Helper()
	c := b.Dial(21)
	v := &visitor{t: t, b: b, c: c, r: bufio.NewReader(c)}
	v.reply("220 ")
	v.ask("USER ftp", "331 ")
	v.ask("PASS x", "230 ")
	return v
}

func (v *visitor) reply(want string) string {
	v.t.Helper()
	line, err := v.r.ReadString('\n')
	require.NoError(v.t, err)
	require.Truef(v.t, strings.HasPrefix(line, want), "%s, not %s", line, want)
	return line
}

func (v *visitor) ask(line, want string) string {
	v.t.Helper()
	_, err := io.WriteString(v.c, line+"\r\n")
	require.NoError(v.t, err)
	return v.reply(want)
}

// port opens one and returns its address on this host.
func (v *visitor) port() string {
	v.t.Helper()
	var port int
	_, err := fmt.Sscanf(v.ask("EPSV", "229 "), "229 Entering Extended Passive Mode (|||%d|)", &port)
	require.NoError(v.t, err)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// connect goes there from an address of this host.
func (v *visitor) connect(address, from string) (net.Conn, error) {
	v.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.DialContext(v.t.Context(), "tcp", address)
	if err == nil {
		v.t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

// get asks for something that comes over the second connection.
func (v *visitor) get(line string) string {
	v.t.Helper()
	data, err := v.connect(v.port(), "127.0.0.1")
	require.NoError(v.t, err)
	v.ask(line, "150 ")
	got, err := io.ReadAll(data)
	require.NoError(v.t, err)
	v.reply("226 ")
	return string(got)
}

func (v *visitor) put(name, content string) {
	v.t.Helper()
	data, err := v.connect(v.port(), "127.0.0.1")
	require.NoError(v.t, err)
	v.ask("STOR "+name, "150 Ok to send data.")
	_, err = io.WriteString(data, content)
	require.NoError(v.t, err)
	require.NoError(v.t, data.Close())
	v.reply("226 Transfer complete.")
}

func TestFTP_FilesGoOverASecondConnection(t *testing.T) {
	t.Parallel()
	b := newBench(t, traptest.Options{})
	v := enter(t, b)
	assert.Regexp(t, `^drwxrwxrwx    2 0        0            4096 \w{3} \d\d (\d\d:\d\d| \d{4}) incoming\r\ndrwxr-xr-x    2 0        0            4096 \S.* pub\r\n$`, v.get("LIST"))
	assert.Contains(t, v.get("LIST -la pub"), " README\r\n")
	assert.Equal(t, v.get("NLST /pub"), v.get("NLST pub/"), "names only")
	assert.Contains(t, v.get("RETR pub/README"), "File exchange of srv-web-07")
	assert.Empty(t, v.get("LIST /nowhere"))

	shell := "<?php system($_GET['c']);\x00\xff"
	v.put("incoming/../shell.php", shell)
	assert.Contains(t, v.get("LIST"), fmt.Sprintf("-rw-------    1 14       14       %8d Apr 14 09:03 shell.php\r\n", len(shell)))
	v.ask("SIZE shell.php", fmt.Sprintf("213 %d", len(shell)))
	v.ask("RETR shell.php", "550 ")
	up := traptest.Fields(b.Wait("file_upload"))
	assert.Equal(t, "/shell.php", up["filename"])
	kept, err := os.ReadFile(filepath.Join(b.QuarantineDir, up["sha256"]))
	require.NoError(t, err)
	assert.Equal(t, shell, string(kept))
	assert.NotContains(t, enter(t, b).get("LIST"), "shell.php", "nobody else sees it")
	v.port()
	v.ask("STOR incoming", "553 ")
}

func TestFTP_APortIsForOneConnectionOfTheClient(t *testing.T) {
	t.Parallel()
	v := enter(t, newBench(t, traptest.Options{}))
	first := v.port()
	address := v.port()
	_, err := v.connect(first, "127.0.0.1")
	require.Error(t, err, "another port closes the one before")

	stranger, err := v.connect(address, "127.0.0.2")
	if err != nil {
		t.Skipf("this host has one loopback address: %v", err)
	}
	_, err = io.WriteString(v.c, "NLST\r\n")
	require.NoError(t, err)
	_, err = stranger.Read(make([]byte, 1))
	require.Error(t, err, "who is somebody else is sent away")
	data, err := v.connect(address, "127.0.0.1")
	require.NoError(t, err)
	v.reply("150 ")
	got, err := io.ReadAll(data)
	require.NoError(t, err)
	assert.Equal(t, "incoming\r\npub\r\n", string(got))
	v.reply("226 ")
	_, err = v.connect(address, "127.0.0.1")
	require.Error(t, err, "one connection was all")

	address = v.port()
	v.ask("QUIT", "221 ")
	_, err = io.ReadAll(v.r)
	require.NoError(t, err)
	assert.Eventually(t, func() bool {
		c, err := v.connect(address, "127.0.0.1")
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, 10*time.Second, 10*time.Millisecond, "the port closes with the session")
}

// curl is the client of many a script.
func TestFTP_RealClient(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	for name, test := range map[string]struct {
		args   []string
		hellos int
	}{
		"plain": {nil, 0},
		"TLS":   {[]string{"--ssl-reqd", "--insecure"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, traptest.Options{})
			url := "ftp://" + b.Listen(21) + "/"
			file := filepath.Join(t.TempDir(), "bot.sh")
			require.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\n"), 0o600))
			curl := func(args ...string) string {
				args = append(append([]string{"--silent", "--show-error", "--max-time", "20"}, test.args...), args...)
				out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
				require.NoErrorf(t, err, "%s", out)
				return string(out)
			}
			curl("--upload-file", file, url+"incoming/")
			b.WaitN("tls_client_hello", test.hellos)
			up := traptest.Fields(b.Wait("file_upload"))
			assert.Equal(t, "/incoming/bot.sh 10 true", up["filename"]+" "+up["size"]+" "+up["kept"])
			assert.Contains(t, curl(url+"pub/README"), "File exchange")
			assert.Contains(t, curl(url), " pub")
		})
	}
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
