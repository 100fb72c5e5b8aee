package main

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBinary runs what was built, as make smoke does: real arguments, a real
// environment and real signals.
func TestBinary(t *testing.T) {
	t.Parallel()
	binary := os.Getenv("DECNET_BINARY")
	if binary == "" {
		t.Skip("DECNET_BINARY names no binary; make smoke builds one and runs this")
	}
	version, err := exec.CommandContext(t.Context(), binary, "version").Output()
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^commit \S+`, string(version))

	dir := t.TempDir()
	logFile := filepath.Join(dir, "decnet.log")
	appendLine(t, logFile, sshLine(t, "203.0.113.7", "uname"))
	cmd := exec.CommandContext(t.Context(), binary, "serve", "--data-dir", filepath.Join(dir, "data"), "--ingest", logFile)
	cmd.Env = append(os.Environ(), "DECNET_API_PORT=0", "DECNET_API_HOST=127.0.0.1", "DECNET_ADMIN_PASSWORD="+adminPassword, "DECNET_LOG_LEVEL=error")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	m := regexp.MustCompile(`^decnet answers on (\S+)\n$`).FindStringSubmatch(line)
	require.NotNil(t, m, line)

	p := &program{url: m[1]}
	code, text := p.client(t).status(t, http.MethodGet, "/readyz", nil)
	require.Equal(t, http.StatusOK, code, text)
	c := p.admin(t)
	eventually(t, "the line is stored", func() bool {
		var page logPage
		c.get(t, "/api/v1/logs?search=attacker:203.0.113.7", &page)
		return page.Total == 1
	})
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), "a stop that was asked for is no failure")
}
