package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkStart starts the program on a database of so many events: start-ms is
// the time from before the exec to the first answer of /readyz; idle-MB the resident
// memory idleAfter later, of which anon-MB are not pages of files; binary-MB the size
// of the program as make build makes it.
func BenchmarkStart(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "decnet")
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoErrorf(b, err, "%s", out)
	file, err := os.Stat(binary)
	require.NoError(b, err)
	for _, rows := range curveRows(b) {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			dir := seededDir(b, rows)
			startOnce(b, binary, dir) // makes the user and the secret, and migrates
			var started time.Duration
			var memory residentMemory
			runs := 0
			b.ResetTimer()
			for ; b.Loop(); runs++ {
				took, used := startOnce(b, binary, dir)
				started += took
				memory = used
			}
			b.ReportMetric(0, "ns/op") // it counts the wait for an idle process and the stop
			b.ReportMetric(started.Seconds()*1e3/float64(runs), "start-ms")
			b.ReportMetric(memory.all/1e6, "idle-MB")
			b.ReportMetric(memory.anonymous/1e6, "anon-MB")
			b.ReportMetric(float64(file.Size())/1e6, "binary-MB")
		})
	}
}

// idleAfter is how long after its first answer a process counts as idle.
const idleAfter = 2 * time.Second

// startOnce runs serve until it has answered and was idle, and stops it.
func startOnce(b *testing.B, binary, dir string) (took time.Duration, used residentMemory) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), binary, "serve", "--data-dir", dir)
	cmd.Env = append(os.Environ(), "DECNET_API_PORT=0", "DECNET_API_HOST=127.0.0.1", "DECNET_ADMIN_PASSWORD="+adminPassword, "DECNET_LOG_LEVEL=error")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	began := time.Now()
	require.NoError(b, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "decnet answers on ")
	require.Truef(b, ok, "%q", line)
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+"/readyz", nil)
	require.NoError(b, err)
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	require.NoError(b, err)
	require.NoError(b, answer.Body.Close())
	require.Equal(b, http.StatusOK, answer.StatusCode)
	took = time.Since(began)
	<-time.After(idleAfter)
	used = residentOf(cmd.Process.Pid)
	require.NoError(b, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(b, cmd.Wait())
	return took, used
}

// residentMemory is what a process has in memory, in bytes.
type residentMemory struct{ all, anonymous float64 }

// residentOf asks /proc; elsewhere it is 0.
func residentOf(pid int) (m residentMemory) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		kB, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		switch name {
		case "VmRSS":
			m.all = kB * 1024
		case "RssAnon":
			m.anonymous = kB * 1024
		}
	}
	return m
}
