package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/trap"
	"decnet/fleet"
	"decnet/fleet/docker"
)

// TestDocker_RunsTheFleetOnARealEngine needs one that may be changed, and a test
// binary without C, which is what runs in the containers:
//
//	CGO_ENABLED=0 DECNET_TEST_DOCKER=unix:///var/run/docker.sock go test -run TestDocker ./cmd/decnet
//
// DECNET_TEST_DOCKER_NETWORK is bridge when not given; in other networks the host
// does not reach the containers, and only the engine's word is taken.
func TestDocker_RunsTheFleetOnARealEngine(t *testing.T) {
	t.Parallel()
	engine, kind := os.Getenv("DECNET_TEST_DOCKER"), os.Getenv("DECNET_TEST_DOCKER_NETWORK")
	if engine == "" {
		t.Skip("no engine was given in DECNET_TEST_DOCKER")
	}
	if kind == "" {
		kind = networkBridge
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "fleet.ini")
	require.NoError(t, os.WriteFile(file, []byte("[general]\nnet=10.231.7.0/24\ngw=10.231.7.1\ninterface=eth0\n[bastion]\nip=10.231.7.9\nservices=ssh\n[db]\narchetype=database-server\nservices=redis,mysql\nnmap_os=windows\n"), 0o600))
	data := filepath.Join(dir, "data")
	start := func(makers map[string]trap.Maker) *program {
		p := beginWith(t, makers, data, withAdmin(), "--decoys="+file, "--driver=docker", "--docker-network="+kind, "--docker-host="+engine)
		require.NotEmptyf(t, p.url, "decnet did not start: %s", p.stderr.String())
		return p
	}
	p := start(greeters())
	c := p.admin(t)
	_, health := c.status(t, http.MethodGet, "/api/v1/health", nil)
	assert.Contains(t, health, `"docker":{"status":"ok"`)
	assert.Contains(t, health, `"decoys":{"status":"ok","detail":"3 listeners"}`)
	if kind == networkBridge {
		_, conn := knock(t, "10.231.7.9:22")
		_, err := io.WriteString(conn, "root toor\n")
		require.NoError(t, err)
		var page struct {
			Data []struct{ Username, Password, Decky string }
		}
		eventually(t, "the password is known", func() bool {
			c.get(t, "/api/v1/credentials", &page)
			return len(page.Data) == 1
		})
		eventually(t, "the attempt shows", func() bool { return c.fleet(t)[0].LastLoginAttempt > 0 })
		eventually(t, "the connection is counted", func() bool {
			_, text := c.status(t, http.MethodGet, "/api/v1/fleet/status", nil)
			return strings.Contains(text, `"total":1`)
		})
	}
	before := c.fleet(t)

	// What fails inside a container is told outside, and the fleet of before goes on.
	code, text := c.status(t, http.MethodPost, "/api/v1/deckies/deploy", map[string]string{"ini_content": "[new]\nservices=ssh\n[db]\nservices=vnc\n"})
	assert.Equal(t, http.StatusConflict, code)
	assert.Contains(t, text, `decky \"db\", service \"vnc\": it does not want to`)
	assert.Equal(t, before, c.fleet(t))
	code, text = c.status(t, http.MethodPost, "/api/v1/deckies/db/mutate", nil)
	require.Equal(t, http.StatusOK, code, text)
	after := c.fleet(t)
	assert.NotEqual(t, before[1].Services, after[1].Services)
	if kind == networkBridge {
		knock(t, "10.231.7.9:22")
		for _, l := range fleet.Listeners(after[1].Services) {
			knock(t, net.JoinHostPort(after[1].IP, fmt.Sprint(l.Number)))
		}
	}
	require.Equal(t, exitOK, p.end(t))

	p = start(greeters())
	assert.Equal(t, after, p.admin(t).fleet(t), "a restart keeps it")
	code, text = p.admin(t).status(t, http.MethodPost, "/api/v1/deckies/deploy?replace=true", map[string]string{"ini_content": "[last]\nservices=ssh\n"})
	require.Equal(t, http.StatusOK, code, text)
	code, text = p.admin(t).status(t, http.MethodDelete, "/api/v1/deckies/last", nil)
	require.Equal(t, http.StatusOK, code, text)
	require.Equal(t, exitOK, p.end(t))
}

// TestDecoy_RunsOneDeckyAndReports: what a container runs, without one.
func TestDecoy_RunsOneDeckyAndReports(t *testing.T) {
	t.Parallel()
	onLoopback(t, 4)
	dir := t.TempDir()
	describe := func(name string, d fleet.Decky) string {
		b, err := json.Marshal(d)
		require.NoError(t, err)
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	report := func() (r docker.Report) {
		eventually(t, "there is a report", func() bool {
			b, err := os.ReadFile(filepath.Join(dir, docker.StatusFile))
			return err == nil && json.Unmarshal(b, &r) == nil
		})
		return r
	}
	start := func(config string) (chan os.Signal, chan int, *lockedBuffer) {
		signals, exit, stderr := make(chan os.Signal, 1), make(chan int, 1), &lockedBuffer{}
		go func() {
			exit <- run(process{
				args: []string{"decoy", "--config", config, "--dir", dir}, getenv: env(nil), stdin: strings.NewReader(""),
				stdout: io.Discard, stderr: stderr, signals: signals, makers: greeters(), now: time.Now,
			})
		}()
		return signals, exit, stderr
	}
	free := fleet.Decky{Name: "a", IP: "127.77.4.9", Services: []string{"mysql", "postgres"}, Hostname: "h"}
	signals, exit, _ := start(describe("one.json", free))
	r := report()
	assert.Equal(t, "one.json", r.Config)
	assert.Empty(t, r.Error)
	require.Len(t, r.Listeners, 2)
	greeting, conn := knock(t, "127.77.4.9:3306")
	assert.Equal(t, "h mysql\n", greeting)
	_, err := io.WriteString(conn, "root toor\n")
	require.NoError(t, err)
	eventually(t, "it is in the journal", func() bool {
		journal, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
		return err == nil && strings.Contains(string(journal), "toor")
	})

	require.NoError(t, os.Remove(filepath.Join(dir, docker.StatusFile)))
	_, second, stderr := start(describe("two.json", free))
	assert.Equal(t, exitFailed, <-second)
	r = report()
	assert.Equal(t, "two.json", r.Config)
	assert.Equal(t, "mysql", r.Service)
	assert.Contains(t, r.Error, "in use")
	assert.Contains(t, stderr.String(), "in use")
	signals <- os.Interrupt
	assert.Equal(t, exitOK, <-exit)
	refused(t, "127.77.4.9:3306")

	_, broken, _ := start(filepath.Join(dir, "nothing.json"))
	assert.Equal(t, exitFailed, <-broken)
}
