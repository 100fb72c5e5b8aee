package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"decnet/decoy/trap"
)

// patience bounds every wait of these tests; only a failing test takes so long.
const patience = 20 * time.Second

// lockedBuffer is a buffer that the program writes and the test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// program is a run of the whole program inside the test.
type program struct {
	signals chan os.Signal
	exit    chan int
	stderr  lockedBuffer
	// stdout is complete once exit was received.
	stdout lockedBuffer
	// url and password are what was printed; password is "" when none was.
	url, password string
}

// command runs a command to its end.
func command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(process{
		args: args, getenv: env(nil), stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs,
		signals: make(chan os.Signal), bcryptCost: bcrypt.MinCost,
	})
	return code, out.String(), errs.String()
}

// launch starts serve on a free port with a data directory, and waits until it
// answers. The test's end stops it.
func launch(t *testing.T, dir string, vars map[string]string, args ...string) *program {
	t.Helper()
	p := begin(t, dir, vars, args...)
	require.NotEmptyf(t, p.url, "decnet did not start: %s", p.stderr.String())
	return p
}

// begin is launch for a program that may end before it answers.
func begin(t *testing.T, dir string, vars map[string]string, args ...string) *program {
	t.Helper()
	return beginWith(t, nil, dir, vars, args...)
}

// beginWith is begin for a program whose decoys imitate what the test says.
func beginWith(t *testing.T, makers map[string]trap.Maker, dir string, vars map[string]string, args ...string) *program {
	t.Helper()
	p := &program{signals: make(chan os.Signal, 2), exit: make(chan int, 1)}
	lines, stdout := io.Pipe()
	go func() {
		code := run(process{
			args:       append([]string{"serve", "--api-port=0", "--data-dir", dir}, args...),
			getenv:     env(vars),
			stdin:      strings.NewReader(""),
			stdout:     io.MultiWriter(&p.stdout, stdout),
			stderr:     &p.stderr,
			signals:    p.signals,
			bcryptCost: bcrypt.MinCost,
			makers:     makers,
		})
		_ = stdout.Close()
		p.exit <- code
	}()
	t.Cleanup(func() {
		p.signals <- os.Interrupt
		select {
		case <-p.exit:
		case <-time.After(patience):
			t.Error("decnet did not stop")
		}
		if t.Failed() {
			t.Log(p.stderr.String())
		}
	})
	scanner := bufio.NewScanner(lines)
	for p.url == "" && scanner.Scan() {
		if m := regexp.MustCompile(`^decnet answers on (\S+)$`).FindStringSubmatch(scanner.Text()); m != nil {
			p.url = m[1]
		}
		if m := regexp.MustCompile(`^Password, .*: (\S+)$`).FindStringSubmatch(scanner.Text()); m != nil {
			p.password = m[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return p
}

// end sends a signal and returns the exit code.
func (p *program) end(t *testing.T) int {
	t.Helper()
	p.signals <- syscall.SIGTERM
	return p.wait(t)
}

// wait returns the exit code.
func (p *program) wait(t *testing.T) int {
	t.Helper()
	select {
	case code := <-p.exit:
		p.exit <- code // for the cleanup
		return code
	case <-time.After(patience):
		require.FailNow(t, "decnet did not stop", p.stderr.String())
		return -1
	}
}

// client speaks to a program.
type client struct {
	http  *http.Client
	base  string
	token string
}

func (p *program) client(t *testing.T) *client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{http: &http.Client{Transport: transport}, base: p.url}
}

// send makes a request; a body that is not nil goes as JSON.
func (c *client) send(t *testing.T, method, path string, body any) *http.Response {
	t.Helper()
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		require.NoError(t, err)
		reader = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, c.base+path, reader)
	require.NoError(t, err)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// status sends a request and returns the status and the body.
func (c *client) status(t *testing.T, method, path string, body any) (int, string) {
	t.Helper()
	resp := c.send(t, method, path, body) //nolint:bodyclose // send closes it when the test ends
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// get reads a JSON answer into v.
func (c *client) get(t *testing.T, path string, v any) {
	t.Helper()
	code, text := c.status(t, http.MethodGet, path, nil)
	require.Equalf(t, http.StatusOK, code, "GET %s: %s", path, text)
	require.NoErrorf(t, json.Unmarshal([]byte(text), v), "GET %s: %s", path, text)
}

type login struct {
	AccessToken        string `json:"access_token"`
	MustChangePassword bool   `json:"must_change_password"`
}

// login takes a token for the requests that follow.
func (c *client) login(t *testing.T, name, password string) login {
	t.Helper()
	code, text := c.status(t, http.MethodPost, "/api/v1/auth/login", map[string]string{"username": name, "password": password})
	require.Equal(t, http.StatusOK, code, text)
	var l login
	require.NoError(t, json.Unmarshal([]byte(text), &l))
	c.token = l.AccessToken
	return l
}

// admin is a client of an administrator whose password is configured.
func (p *program) admin(t *testing.T) *client {
	t.Helper()
	c := p.client(t)
	c.login(t, "admin", adminPassword)
	return c
}

const adminPassword = "correct horse battery"

// withAdmin configures that administrator.
func withAdmin() map[string]string {
	return map[string]string{"DECNET_ADMIN_PASSWORD": adminPassword}
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	eventuallyWithin(t, patience, 20*time.Millisecond, what, ok)
}

// eventuallyWithin waits for what takes longer, or is not cheap to ask for.
func eventuallyWithin(t *testing.T, most, pause time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(most)
	defer deadline.Stop()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			require.FailNow(t, "waited in vain until "+what)
		}
	}
}

// appendLine adds a line to a log file.
func appendLine(t *testing.T, path, line string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(line + "\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// sshLine is an event in the collector's format.
func sshLine(t *testing.T, attacker, command string) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"timestamp": "2026-04-17T19:30:11Z", "decky": "decoy-01", "service": "ssh", "event_type": "command",
		"attacker_ip": attacker, "fields": map[string]string{"command": command}, "msg": "",
		"raw_line": "command " + command + " from " + attacker,
	})
	require.NoError(t, err)
	assert.NotContains(t, string(b), "\n")
	return string(b)
}
