package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

type stats struct {
	TotalLogs       int64 `json:"total_logs"`
	UniqueAttackers int64 `json:"unique_attackers"`
}

type logPage struct {
	Total int64 `json:"total"`
	Data  []struct {
		ID         int64  `json:"id"`
		AttackerIP string `json:"attacker_ip"`
		RawLine    string `json:"raw_line"`
	} `json:"data"`
}

func TestServe_ANewDatabaseGetsAnAdministratorWhoMustChangeThePassword(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	p := launch(t, dir, nil)
	require.NotEmpty(t, p.password)
	assert.Equal(t, os.FileMode(0o700), mode(t, dir))
	for _, name := range []string{"decnet.db", secretFileName} {
		assert.Equal(t, os.FileMode(0o600), mode(t, filepath.Join(dir, name)), name)
	}

	c := p.client(t)
	assert.True(t, c.login(t, "admin", p.password).MustChangePassword)
	code, text := c.status(t, http.MethodGet, "/api/v1/stats", nil)
	assert.Equal(t, http.StatusForbidden, code, text)
	code, text = c.status(t, http.MethodPost, "/api/v1/auth/change-password",
		map[string]string{"old_password": p.password, "new_password": adminPassword})
	require.Equal(t, http.StatusOK, code, text)
	assert.False(t, c.login(t, "admin", adminPassword).MustChangePassword)
	var s stats
	c.get(t, "/api/v1/stats", &s)
	assert.Zero(t, s)

	require.Equal(t, exitOK, p.end(t))
	assert.NotContains(t, p.stderr.String(), p.password, "the password is not in the log")

	again := launch(t, dir, nil)
	assert.Empty(t, again.password, "the second start prints no password")
	assert.False(t, again.client(t).login(t, "admin", adminPassword).MustChangePassword)
	eventually(t, "the old token works again", func() bool {
		old := again.client(t)
		old.token = c.token
		code, _ := old.status(t, http.MethodGet, "/api/v1/stats", nil)
		return code == http.StatusOK
	})
}

func TestServe_AConfiguredAdministratorNeedNotChangeThePassword(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir(), map[string]string{"DECNET_ADMIN_USER": "boss", "DECNET_ADMIN_PASSWORD": adminPassword})
	assert.Empty(t, p.password)
	assert.False(t, p.client(t).login(t, "boss", adminPassword).MustChangePassword)
	require.Equal(t, exitOK, p.end(t))
	assert.NotContains(t, p.stdout.String()+p.stderr.String(), adminPassword)
}

func TestServe_FollowsALogIntoListsAndStream(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "not", "yet", "there.log")
	p := launch(t, dir, withAdmin(), "--ingest-log-file", file, "--batch-max-wait-ms=1")
	c := p.admin(t)
	events := openStream(t, c, "/api/v1/stream")
	events.next(t, "stats")

	appendLine(t, file, sshLine(t, "203.0.113.7", "uname -a"))
	rows := events.next(t, "logs")
	assert.Contains(t, rows, "uname -a")
	var page logPage
	c.get(t, "/api/v1/logs?search=attacker:203.0.113.7", &page)
	require.Len(t, page.Data, 1, "what the stream showed can be read")
	assert.EqualValues(t, 1, page.Total)

	appendLine(t, file, sshLine(t, "203.0.113.8", "id"))
	assert.Contains(t, events.next(t, "logs"), "203.0.113.8")
	c.get(t, "/api/v1/logs?search=id", &page)
	assert.EqualValues(t, 1, page.Total)
}

func TestServe_ReadsEachLineOnceAcrossRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "decnet.log")
	args := []string{"--ingest", file, "--batch-max-wait-ms=1"}
	for i := range 3 {
		appendLine(t, file, sshLine(t, "203.0.113.7", "whoami"))
		p := launch(t, dir, withAdmin(), args...)
		c := p.admin(t)
		var page logPage
		eventually(t, "the line is there", func() bool {
			c.get(t, "/api/v1/logs?search=whoami", &page)
			return page.Total >= int64(i+1)
		})
		assert.EqualValues(t, i+1, page.Total)
		require.Equal(t, exitOK, p.end(t))
	}
}

func TestServe_EndsOpenStreamsWhenItStops(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir(), withAdmin())
	events := openStream(t, p.admin(t), "/api/v1/stream")
	events.next(t, "stats")
	require.Equal(t, exitOK, p.end(t))
	assert.NotContains(t, p.stderr.String(), "cut off", "a stream must not use up the time that others have to drain")
	events.end(t)
}

// hang begins a request that never ends.
func hang(t *testing.T, p *program) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte("POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"))
	require.NoError(t, err)
	// The server asks for the body once the handler reads it.
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue")
	return conn
}

func TestServe_ASecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	p := launch(t, t.TempDir(), withAdmin())
	conn := hang(t, p)
	p.signals <- os.Interrupt
	eventually(t, "the first signal is seen", func() bool { return strings.Contains(p.stderr.String(), "second signal") })
	select {
	case <-p.exit:
		require.Fail(t, "the first signal must let requests end")
	default:
	}
	p.signals <- os.Interrupt
	assert.Equal(t, exitInterrupted, p.wait(t))
	require.NoError(t, conn.Close())
}

func TestServe_LeavesNothingBehindWhenThePortIsInUse(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)

	dir := t.TempDir()
	code, stdout, stderr := command(t, "", "serve", "--data-dir", dir, "--api-port", port)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, taken.Addr().String()+" is in use")
	assert.Contains(t, stderr, "--api-port")
	assert.Empty(t, stdout, "no password for a service that did not start")
	assert.NoFileExists(t, filepath.Join(dir, "decnet.db"))
	// The lock is free again, and so the same directory can be served.
	assert.NotEmpty(t, launch(t, dir, nil).password)
}

func TestServe_UndoesAStartThatFailsLate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "decnet.db"), []byte("this is no database, whatever its name says"), 0o600))
	p := begin(t, dir, nil)
	assert.Equal(t, exitFailed, p.wait(t))
	assert.Contains(t, p.stderr.String(), "decnet.db")
	assert.Empty(t, p.stdout.String())
	require.NoError(t, os.Remove(filepath.Join(dir, "decnet.db")))
	launch(t, dir, nil)
}

func TestServe_ASignalDuringTheStartIsNoFailure(t *testing.T) {
	t.Parallel()
	c := parseServe(t, nil, "--data-dir", t.TempDir(), "--api-port=0")
	ctx, cancel := context.WithCancel(t.Context())
	var out lockedBuffer
	a := newApp(c, appEnv{log: discard(), out: &out, bcryptCost: bcrypt.MinCost, now: func() time.Time {
		cancel() // the database asks for the time as the first administrator is stored
		return time.Now()
	}})
	require.NoError(t, a.run(ctx))
	assert.NotContains(t, out.String(), "answers on")
	release, err := lockDatabase(filepath.Join(c.DataDir, "decnet.db"))
	require.NoError(t, err, "all is undone")
	require.NoError(t, release())
}

func TestServe_TwoCannotShareADatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := launch(t, dir, withAdmin())
	second := begin(t, dir, withAdmin())
	assert.Equal(t, exitFailed, second.wait(t))
	assert.Contains(t, second.stderr.String(), "another decnet serves the database")
	first.admin(t)
}

func TestServe_RefusesAWeakSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	weak := strings.Repeat("password", 5)
	p := begin(t, dir, map[string]string{"DECNET_JWT_SECRET": weak})
	assert.Equal(t, exitUsage, p.wait(t))
	assert.Contains(t, p.stderr.String(), "DECNET_JWT_SECRET")
	assert.NotContains(t, p.stderr.String(), weak)
	assert.NoFileExists(t, filepath.Join(dir, "decnet.db"))
}

func TestServe_MetricsTellHowTheIngestGoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "decnet.log")
	appendLine(t, file, sshLine(t, "203.0.113.7", "id"))
	appendLine(t, file, "{this is no JSON")
	appendLine(t, file, sshLine(t, "203.0.113.7", "ls"))
	vars := withAdmin()
	vars["DECNET_METRICS_TOKEN"] = "0123456789abcdef"
	p := launch(t, dir, vars, "--ingest", file, "--batch-max-wait-ms=1")
	c := p.client(t)
	code, _ := c.status(t, http.MethodGet, "/metrics", nil)
	require.Equal(t, http.StatusUnauthorized, code)
	c.token = "0123456789abcdef"
	var text string
	label := `{source="` + file + `"`
	eventually(t, "all is read", func() bool {
		_, text = c.status(t, http.MethodGet, "/metrics", nil)
		return strings.Contains(text, "decnet_ingest_lines_total{result=\"accepted\",source=\""+file+"\"} 2\n")
	})
	assert.Contains(t, text, "decnet_ingest_lines_total{result=\"rejected\",source=\""+file+"\"} 1\n")
	assert.Regexp(t, `(?m)^decnet_ingest_rejects_total\{reason="[a-z_]+",source="[^"]+"\} 1$`, text)
	assert.Contains(t, text, "decnet_ingest_lag_bytes"+label+"} 0\n")
	assert.Contains(t, text, "decnet_ingest_lag_seconds"+label+"} 0\n")
	assert.Regexp(t, `(?m)^decnet_ingest_batches_total [1-3]$`, text)
	assert.Regexp(t, `(?m)^decnet_database_size_bytes [1-9]`, text)
	assert.Regexp(t, `(?m)^decnet_database_connections\{pool="write",state="idle"\} `, text)
	assert.Contains(t, text, "decnet_build_info{")
	assert.Contains(t, text, "go_goroutines ")
}

func TestServe_HealthShowsTheIngester(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var health struct {
		Status     string
		Components map[string]struct{ Status, Detail string }
	}
	launch(t, dir, withAdmin()).admin(t).get(t, "/api/v1/health", &health)
	assert.Equal(t, "healthy", health.Status)
	assert.Equal(t, "ok", health.Components["ingestion_worker"].Status, "it waits for sensors")

	p := launch(t, t.TempDir(), withAdmin(), "--ingest", filepath.Join(dir, "later.log"))
	p.admin(t).get(t, "/api/v1/health", &health)
	assert.Equal(t, "healthy", health.Status, "a log that is not there yet is no fault")
	assert.Equal(t, "ok", health.Components["ingestion_worker"].Status)

	broken := filepath.Join(dir, "broken.log.gz")
	require.NoError(t, os.WriteFile(broken, []byte("this is not gzip"), 0o600))
	p = launch(t, t.TempDir(), withAdmin(), "--ingest", broken)
	c := p.admin(t)
	eventually(t, "the fault shows", func() bool {
		code, text := c.status(t, http.MethodGet, "/api/v1/health", nil)
		require.NoError(t, json.Unmarshal([]byte(text), &health))
		return code == http.StatusServiceUnavailable
	})
	assert.Equal(t, "failing", health.Components["ingestion_worker"].Status)
	assert.Contains(t, health.Components["ingestion_worker"].Detail, broken)
}
