package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/trap"
	"decnet/fleet"
)

// greeter imitates nothing in particular: it greets with its host's name, and
// takes a name and a password.
type greeter struct{}

func (greeter) Serve(_ context.Context, s *trap.Session) {
	_, _ = fmt.Fprintf(s, "%s %s\n", s.Host.Hostname, s.Service)
	line, err := bufio.NewReader(io.LimitReader(s, 1000)).ReadString('\n')
	if user, password, ok := strings.Cut(strings.TrimSpace(line), " "); err == nil && ok {
		s.Record("auth_attempt", trap.Field{Key: "username", Value: user}, trap.Field{Key: "password", Value: password})
	}
}

var errUnwilling = errors.New("it does not want to")

// greeters let decoys imitate four services, and one that never starts.
func greeters() map[string]trap.Maker {
	unwilling := func(trap.Env) (trap.Service, error) { return trap.Service{}, errUnwilling }
	maker := func(trap.Env) (trap.Service, error) { return trap.Service{TCP: greeter{}}, nil }
	return map[string]trap.Maker{"ssh": maker, "redis": maker, "mysql": maker, "postgres": maker, "vnc": unwilling}
}

// onLoopback skips where the host listens on 127.0.0.1 only, and returns the
// first three numbers of a network that this test of this process has alone, with
// a dot behind them: a host runs more than one of them at a time.
func onLoopback(t *testing.T, third int) (network string) {
	t.Helper()
	var config net.ListenConfig
	network = fmt.Sprintf("127.%d.%d.", 64+os.Getpid()%128, third)
	l, err := config.Listen(t.Context(), "tcp", network+"1:0")
	if err != nil {
		t.Skipf("this host has one loopback address: %v", err)
	}
	require.NoError(t, l.Close())
	return network
}

// deception starts a service with decoys.
func deception(t *testing.T, dir string, args ...string) *program {
	t.Helper()
	p := beginWith(t, greeters(), dir, withAdmin(), append([]string{"--decoy-port-offset=20000"}, args...)...)
	require.NotEmptyf(t, p.url, "decnet did not start: %s", p.stderr.String())
	return p
}

// knock connects to a decoy and returns its greeting and how to go on.
func knock(t *testing.T, address string) (greeting string, conn net.Conn) {
	t.Helper()
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	greeting, err = bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	return greeting, conn
}

func (c *client) fleet(t *testing.T) []fleet.Decky {
	t.Helper()
	var all []fleet.Decky
	require.NoError(t, c.deckies(t, &all))
	return all
}

// TestDecoys_WhatAnAttackerDoesIsInTheAPI: from the packet to the credential.
func TestDecoys_WhatAnAttackerDoesIsInTheAPI(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "fleet.ini")
	network := onLoopback(t, 1)
	require.NoError(t, os.WriteFile(file, []byte("[general]\nnet="+network+"0/24\n[bastion]\nip="+network+"9\nservices=ssh\n"), 0o600))
	p := deception(t, filepath.Join(dir, "data"), "--decoys="+file)
	c := p.admin(t)
	host := c.fleet(t)[0].Hostname
	greeting, conn := knock(t, network+"9:20022")
	assert.Equal(t, host+" ssh\n", greeting)
	_, err := io.WriteString(conn, "root toor\n")
	require.NoError(t, err)

	var page struct {
		Data []struct{ Username, Password string }
	}
	eventually(t, "the password is known", func() bool {
		c.get(t, "/api/v1/credentials", &page)
		return len(page.Data) == 1
	})
	assert.Equal(t, "root", page.Data[0].Username)
	assert.Equal(t, "toor", page.Data[0].Password)
	eventually(t, "the attempt shows", func() bool { return c.fleet(t)[0].LastLoginAttempt > 0 })

	var status struct {
		Runs      bool
		Problem   *string
		Listeners []struct {
			Decky, Service, Address string
			Port, Total             int
		}
	}
	c.get(t, "/api/v1/fleet/status", &status)
	assert.True(t, status.Runs)
	assert.Nil(t, status.Problem)
	require.Len(t, status.Listeners, 1)
	assert.Equal(t, network+"9:20022", status.Listeners[0].Address)
	assert.Equal(t, 22, status.Listeners[0].Port)
	assert.Equal(t, 1, status.Listeners[0].Total)
	_, health := c.status(t, http.MethodGet, "/api/v1/health", nil)
	assert.Contains(t, health, `"decoys":{"status":"ok","detail":"1 listeners"}`)
	_, metrics := c.status(t, http.MethodGet, "/metrics", nil)
	assert.Contains(t, metrics, `decnet_decoy_connections_total{decky="bastion",service="ssh"} 1`)
	assert.Contains(t, metrics, `decnet_decoy_listeners{state="running"} 1`)
	assert.Contains(t, p.stderr.String(), "ssh "+network+"9:20022/tcp", "the operator is told where")
	assert.Equal(t, exitOK, p.end(t))
}

// TestDecoys_AreDeployedMutatedAndRemovedWhileTheyRun over the API, on sockets.
func TestDecoys_AreDeployedMutatedAndRemovedWhileTheyRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	network := onLoopback(t, 2)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "decnet-state.json"), []byte(`{"config":{"deckies":[]}}`), 0o600))
	c := deception(t, dir, "--decoys").admin(t)
	assert.Empty(t, c.fleet(t), "a fleet without decoys was somebody's wish")
	deploy := func(text string) (int, string) {
		return c.status(t, http.MethodPost, "/api/v1/deckies/deploy", map[string]string{"ini_content": text})
	}
	code, text := deploy("[general]\nnet=" + network + "0/24\n[db]\nip=" + network + "7\narchetype=database-server\n")
	require.Equal(t, http.StatusOK, code, text)
	for port, service := range map[int]string{23306: "mysql", 25432: "postgres", 26379: "redis"} {
		greeting, _ := knock(t, fmt.Sprintf("%s7:%d", network, port))
		assert.Contains(t, greeting, service)
	}

	// A port that somebody else has: nothing changes, and the answer says which.
	var config net.ListenConfig
	other, err := config.Listen(t.Context(), "tcp", network+"8:20022")
	require.NoError(t, err)
	t.Cleanup(func() { _ = other.Close() })
	before := c.fleet(t)
	code, text = deploy("[a]\nip=" + network + "6\nservices=ssh\n[b]\nip=" + network + "8\nservices=ssh\n")
	assert.Equal(t, http.StatusConflict, code)
	assert.Contains(t, text, `decky \"b\", service \"ssh\"`)
	assert.Equal(t, before, c.fleet(t))
	refused(t, network+"6:20022")

	code, text = c.status(t, http.MethodPost, "/api/v1/deckies/db/mutate", nil)
	require.Equal(t, http.StatusOK, code, text)
	now := c.fleet(t)[0].Services
	for port, service := range map[int]string{23306: "mysql", 25432: "postgres", 26379: "redis"} {
		address := fmt.Sprintf("%s7:%d", network, port)
		if slices.Contains(now, service) {
			knock(t, address)
		} else {
			refused(t, address)
		}
	}
	code, text = c.status(t, http.MethodDelete, "/api/v1/deckies/db", nil)
	require.Equal(t, http.StatusOK, code, text)
	refused(t, network+"7:23306")
	refused(t, network+"7:25432")
	refused(t, network+"7:26379")
}

// refused checks that nobody listens.
func refused(t *testing.T, address string) {
	t.Helper()
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	assert.Error(t, err, address)
}

// TestDecoys_OutliveARestart, with the same names and addresses, and a file that
// did not change undoes nothing.
func TestDecoys_OutliveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "fleet.ini")
	head := "[general]\nnet=" + onLoopback(t, 3) + "0/24\n"
	require.NoError(t, os.WriteFile(file, []byte(head+"[db]\narchetype=database-server\n"), 0o600))
	data := filepath.Join(dir, "data")
	p := deception(t, data, "--decoys="+file)
	c := p.admin(t)
	code, text := c.status(t, http.MethodPost, "/api/v1/deckies/deploy", map[string]string{"ini_content": "[added]\nservices=ssh\n"})
	require.Equal(t, http.StatusOK, code, text)
	code, text = c.status(t, http.MethodPost, "/api/v1/deckies/db/mutate", nil)
	require.Equal(t, http.StatusOK, code, text)
	before := c.fleet(t)
	require.Len(t, before, 2)
	require.Equal(t, exitOK, p.end(t))
	refused(t, before[1].IP+":20022")

	for _, args := range []string{"--decoys", "--decoys=" + file} {
		p = deception(t, data, args)
		assert.Equal(t, before, p.admin(t).fleet(t), args)
		knock(t, before[1].IP+":20022")
		require.Equal(t, exitOK, p.end(t))
	}

	require.NoError(t, os.WriteFile(file, []byte(head+"[db]\narchetype=database-server\n[more]\nservices=redis\n"), 0o600))
	p = deception(t, data, "--decoys="+file)
	after := p.admin(t).fleet(t)
	require.Len(t, after, 2)
	assert.Equal(t, "more", after[1].Name, "the file is the fleet once it changed")
	assert.Equal(t, before[0].Hostname, after[0].Hostname)
}

// TestDecoys_OutliveAKill: whatever was answered is there again, and what the
// decoys saw last is not lost.
func TestDecoys_OutliveAKill(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	network := onLoopback(t, 5)
	require.NoError(t, os.MkdirAll(data, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(data, "decnet-state.json"), []byte(`{"config":{"deckies":[]}}`), 0o600))
	cmd := exec.CommandContext(t.Context(), os.Args[0], "serve", "--data-dir", data, "--decoys", "--decoy-port-offset=20000", "--api-port=0")
	cmd.Env = append(os.Environ(), asProgram+"=1", "DECNET_ADMIN_PASSWORD="+adminPassword, "DECNET_LOG_LEVEL=error")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	c := (&program{url: strings.TrimSpace(strings.TrimPrefix(line, "decnet answers on "))}).admin(t)
	code, text := c.status(t, http.MethodPost, "/api/v1/deckies/deploy", map[string]string{
		"ini_content": "[general]\nnet=" + network + "0/24\n[a]\nservices=ssh\n[b]\narchetype=database-server\n",
	})
	require.Equal(t, http.StatusOK, code, text)
	code, text = c.status(t, http.MethodPost, "/api/v1/deckies/b/mutate", nil)
	require.Equal(t, http.StatusOK, code, text)
	before := c.fleet(t)
	_, conn := knock(t, before[0].IP+":20022")
	_, err = io.WriteString(conn, "root last-words\n")
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1)) // it hangs up once the words are written down
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())

	c = deception(t, data, "--decoys").admin(t)
	after := c.fleet(t)
	for i := range after {
		before[i].LastLoginAttempt = after[i].LastLoginAttempt
	}
	assert.Equal(t, before, after)
	for _, d := range after {
		for _, l := range fleet.Listeners(d.Services) {
			knock(t, fmt.Sprintf("%s:%d", d.IP, l.Number+20000))
		}
	}
	var page struct{ Data []struct{ Password string } }
	eventually(t, "the last words are known", func() bool {
		c.get(t, "/api/v1/credentials", &page)
		return len(page.Data) == 1
	})
	// When it was tried is not: the fleet writes that down some seconds later, and
	// nobody reads the attempt again if it was stored before the kill.
	assert.Equal(t, "last-words", page.Data[0].Password)
}
