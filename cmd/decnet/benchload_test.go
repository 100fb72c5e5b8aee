package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/bench/load"
)

// passwordFile holds a password, as --password-file wants it.
func passwordFile(t *testing.T, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(path, []byte(password+"\n"), 0o600))
	return path
}

func TestBenchLoad_MeasuresAServiceAndChecksIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	seedCommand(t, "--rows=3000", "--data-dir", dir)
	p := launch(t, dir, withAdmin())
	file := filepath.Join(t.TempDir(), "report.json")
	code, stdout, stderr := command(t, "", "bench", "load", "--url", p.url, "--password-file", passwordFile(t, adminPassword),
		"--users=4", "--duration=700ms", "--think=0ms-2ms", "--sample-every=1", "--json", file)
	require.Equal(t, exitOK, code, stdout+stderr)
	assert.Contains(t, stdout, "logs?search=ssh")
	assert.Contains(t, stdout, "mix: 4 users")
	assert.Contains(t, stdout, "The service took", "what /metrics tells")

	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var report load.Report
	require.NoError(t, json.Unmarshal(raw, &report))
	assert.Zero(t, report.Total.Failed)
	assert.Positive(t, report.Total.Count)
	require.NotNil(t, report.Service)
	assert.Positive(t, report.Service.RSSMost)
	assert.NotContains(t, string(raw)+stdout+stderr, adminPassword)
}

// TestBenchLoad_Feeds: what comes in under load is understood, and none of it is lost.
func TestBenchLoad_Feeds(t *testing.T) {
	t.Parallel()
	dir, live := t.TempDir(), filepath.Join(t.TempDir(), "live.log")
	require.NoError(t, os.Chmod(dir, 0o700))
	seedCommand(t, "--rows=3000", "--data-dir", dir)
	p := launch(t, dir, withAdmin(), "--ingest-log-file", live)
	file := filepath.Join(t.TempDir(), "report.json")
	code, stdout, stderr := command(t, "", "bench", "load", "--url", p.url, "--password-file", passwordFile(t, adminPassword),
		"--users=2", "--duration=1500ms", "--think=5ms-20ms", "--feed", live, "--feed-rate=400", "--json", file)
	require.Equal(t, exitOK, code, stdout+stderr)
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	var report load.Report
	require.NoError(t, json.Unmarshal(raw, &report))
	require.NotNil(t, report.Fed)
	assert.Positive(t, report.Fed.Lines)
	assert.Zero(t, report.Fed.Rejected)
	assert.Contains(t, stdout, "lines came in")
	c := p.admin(t)
	var page logPage
	eventually(t, "all lines are events", func() bool {
		c.get(t, "/api/v1/logs?limit=1", &page)
		return page.Total == 3000+report.Fed.Lines
	})

	code, _, stderr = command(t, "", "bench", "load", "--password-file", passwordFile(t, adminPassword), "--feed", t.TempDir())
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "feed")
	code, _, stderr = command(t, "", "bench", "load", "--feed-rate=0")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, stderr, "--feed-rate")
}

func TestBenchLoad_TellsWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := command(t, "", "bench", "load", "--url=http://127.0.0.1:1", "--password-file", passwordFile(t, "a-long-secret"))
	assert.Equal(t, exitFailed, code)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, "log in at http://127.0.0.1:1")
	assert.NotContains(t, stderr, "a-long-secret")
}

func TestBenchLoad_TellsAllFaultsOfItsOptions(t *testing.T) {
	t.Parallel()
	code, _, stderr := command(t, "", "bench", "load", "--users=-1", "--think=50ms-10ms", "--sample-every=0", "--duration=-1s", "--timeout=0s")
	assert.Equal(t, exitUsage, code)
	for _, text := range []string{"$DECNET_BENCH_PASSWORD", "--users", "--think", "--sample-every", "--duration", "--timeout"} {
		assert.Contains(t, stderr, text)
	}
	code, _, stderr = command(t, "", "bench", "load", "--mode=wild")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, stderr, "mode")
}
