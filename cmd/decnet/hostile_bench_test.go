//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkHostile is decnet serve with eight decoys under 10 000 connections of a
// hostile client, who keeps as many of them as he gets, while four clients ask
// the API. Server, attacker and those who ask are three processes; the attacker
// has the lowest priority, since elsewhere he would have a machine of his own.
//
// peak-MB is the largest memory of the server in all. p99-ratio is the API's
// 99th percentile once all connections were opened, divided by that before the
// first; p99-opening-ratio is that of the time in which a thousand a second are
// opened. Both are medians of several rounds. shed counts those that were refused.
//
// It is for Linux, which tells the memory of a process and lets all of
// 127.0.0.0/8 be a source of connections.
//
// In mixed all kinds of hostility go to all services; in ssh all exchange keys,
// announce the largest packet that SSH has, or know the password and send what
// nothing in the decoy reads, which costs it the most.
func BenchmarkHostile(b *testing.B) {
	if testing.Short() {
		b.Skip("it takes a minute and 10 000 file descriptors")
	}
	b.Run("mixed", func(b *testing.B) {
		benchHostile(b, "127.211.", []string{silent, drip, noise, flood, shake},
			"http,https,ftp", "ssh,telnet", "mysql,postgres,redis", "smtp,pop3,imap", "smb,rdp,ldap,vnc", "docker_api,elasticsearch,k8s", "ssh,http,https", "sip,telnet,ssh")
	})
	b.Run("ssh", func(b *testing.B) {
		benchHostile(b, "127.212.", []string{shake, flood, fill}, "ssh", "ssh", "ssh", "ssh", "ssh", "ssh", "ssh", "ssh")
	})
}

// hostileConnections is how many there are in a run.
const hostileConnections = 10_000

func benchHostile(b *testing.B, network string, kinds []string, services ...string) {
	b.Helper()
	connections := min(hostileConnections, fileLimit(b)-500)
	if connections < hostileConnections {
		b.Logf("the limit of open files of this process lets %d connections be opened, not %d", connections, hostileConnections)
	}
	dir := b.TempDir()
	binary := filepath.Join(dir, "decnet")
	out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoErrorf(b, err, "%s", out)
	for b.Loop() {
		v := startVictim(b, binary, filepath.Join(b.TempDir(), "data"), fleetOf(network, services))
		v.attack(b, hostility{Connections: connections, PerSecond: 1000, Again: 200, Network: network, Kinds: kinds})
		v.stop(b)
	}
}

// fileLimit is how many files a process of ours may open, raised as far as it goes.
func fileLimit(b *testing.B) int {
	b.Helper()
	var l syscall.Rlimit
	require.NoError(b, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l))
	if most := uint64(hostileConnections + 1000); l.Max < most {
		raised := syscall.Rlimit{Cur: most, Max: most}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
			return int(most)
		}
	}
	return int(l.Max)
}

// fleetOf is a deployment of a decky for each list of services.
func fleetOf(network string, services []string) string {
	var ini strings.Builder
	fmt.Fprintf(&ini, "[general]\nnet = %s0.0/24\n", network)
	for i, s := range services {
		fmt.Fprintf(&ini, "[d%d]\nip = %s0.%d\nservices = %s\n[d%d.ssh]\npassword = %s\n", i, network, 10+i, s, i, adminPassword)
	}
	return ini.String()
}

// victim is decnet serve as a process.
type victim struct {
	cmd        *exec.Cmd
	log        *lockedBuffer
	url, token string
	http       *http.Client
}

// startVictim starts the program with a fleet and the events of a real capture.
func startVictim(b *testing.B, binary, data, ini string) *victim {
	b.Helper()
	require.NoError(b, os.MkdirAll(data, 0o700))
	file := filepath.Join(data, "fleet.ini")
	require.NoError(b, os.WriteFile(file, []byte(ini), 0o600))
	v := &victim{log: &lockedBuffer{}}
	v.http = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: askers}}
	v.cmd = exec.CommandContext(b.Context(), binary, "serve", "--data-dir", data, "--api-port=0", "--decoys="+file, "--decoy-port-offset=20000",
		"--ingest", filepath.Join("..", "..", "examples", "cowrie", "tpot-2025-10-24.jsonl"))
	v.cmd.Env = append(os.Environ(), "DECNET_ADMIN_PASSWORD="+adminPassword)
	v.cmd.Stderr = v.log
	stdout, err := v.cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, v.cmd.Start())
	b.Cleanup(func() { _ = v.cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoErrorf(b, err, "%s", v.log)
	v.url = strings.TrimSpace(strings.TrimPrefix(line, "decnet answers on "))

	login, err := json.Marshal(map[string]string{"username": "admin", "password": adminPassword})
	require.NoError(b, err)
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, v.url+"/api/v1/auth/login", bytes.NewReader(login))
	require.NoError(b, err)
	r.Header.Set("Content-Type", "application/json")
	var got struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(b, v.do(r, &got))
	v.token = got.AccessToken
	for page := (struct{ Total int }{}); page.Total < 2000; { // its own capture is read
		require.NoError(b, v.get(b, "/api/v1/logs", &page))
	}
	return v
}

func (v *victim) stop(b *testing.B) {
	b.Helper()
	v.http.CloseIdleConnections()
	require.NoError(b, v.cmd.Process.Signal(syscall.SIGTERM))
	require.NoErrorf(b, v.cmd.Wait(), "%s", v.log)
}

func (v *victim) do(r *http.Request, into any) error {
	answer, err := v.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %s", r.Method, r.URL.Path, answer.StatusCode, text)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(text, into)
	}
	return err
}

func (v *victim) get(b *testing.B, path string, into any) error {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, v.url+path, http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+v.token)
	return v.do(r, into)
}

// How the API is asked: by so many at once, who wait between two questions as
// people who look at a dashboard do (only less long), in rounds.
const (
	askers    = 4
	askEvery  = 10 * time.Millisecond
	roundTime = 3 * time.Second
)

// p99 asks /health and /logs by turns for rounds, and returns the median of the
// 99th percentiles of the times of their answers.
func (v *victim) p99(b *testing.B, rounds int) time.Duration {
	b.Helper()
	all := make([]time.Duration, rounds)
	for i := range all {
		all[i] = v.round(b)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (v *victim) round(b *testing.B) time.Duration {
	b.Helper()
	var wg sync.WaitGroup
	took := make([][]time.Duration, askers)
	failed := make([]error, askers)
	for i := range askers {
		wg.Go(func() {
			end := time.NewTimer(roundTime)
			defer end.Stop()
			tick := time.NewTicker(askEvery)
			defer tick.Stop()
			for n := 0; failed[i] == nil; n++ {
				select {
				case <-end.C:
					return
				case <-tick.C:
				}
				path := "/api/v1/health"
				if n%2 == 0 {
					path = fmt.Sprintf("/api/v1/logs?limit=50&offset=%d", n/2%20*50)
				}
				began := time.Now()
				failed[i] = v.get(b, path, nil)
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	wg.Wait()
	for _, err := range failed {
		require.NoError(b, err)
	}
	times := slices.Concat(took...)
	slices.Sort(times)
	return times[len(times)*99/100]
}

// listenersOf are all TCP ports, and how many connections they have and refused.
func (v *victim) listenersOf(b *testing.B) (all []target, open, shed int64) {
	b.Helper()
	var status struct {
		Listeners []struct {
			Service, Network, Address string
			Open, Shed                int64
		}
	}
	require.NoError(b, v.get(b, "/api/v1/fleet/status", &status))
	for _, l := range status.Listeners {
		if l.Network == "tcp" {
			all = append(all, target{l.Service, l.Address})
			open, shed = open+l.Open, shed+l.Shed
		}
	}
	return all, open, shed
}

// attack lets the attacker loose and reports what comes of it.
func (v *victim) attack(b *testing.B, h hostility) {
	b.Helper()
	h.Targets, _, _ = v.listenersOf(b)
	v.p99(b, 1) // it warms up
	idle := v.p99(b, 5)
	before := peakOf(v.cmd.Process.Pid)

	a := startAttacker(b, h)
	opening := v.p99(b, h.Connections/h.PerSecond/int(roundTime.Seconds()))
	line, err := a.out.ReadString('\n')
	require.NoError(b, err)
	opened := opened(b, line)
	attacked := v.p99(b, 5)
	_, open, shed := v.listenersOf(b)
	b.Logf("%s; idle p99 %v, while opening %v, then %v; memory before %.0f MB; %d sessions open, %d refused",
		strings.TrimSpace(line), idle, opening, attacked, before/1e6, open, shed)
	b.ReportMetric(peakOf(v.cmd.Process.Pid)/1e6, "peak-MB")
	b.ReportMetric(float64(attacked)/float64(idle), "p99-ratio")
	b.ReportMetric(float64(opening)/float64(idle), "p99-opening-ratio")
	b.ReportMetric(float64(idle)/1e6, "idle-p99-ms")
	b.ReportMetric(float64(opened), "opened")
	b.ReportMetric(float64(open), "open")
	b.ReportMetric(float64(shed), "shed")
	a.stop(b)
}

func opened(b *testing.B, line string) (n int) {
	b.Helper()
	_, err := fmt.Sscanf(line, "opened %d", &n)
	require.NoErrorf(b, err, "%q", line)
	return n
}

// attacker is the hostile client as a process.
type attacker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startAttacker(b *testing.B, h hostility) *attacker {
	b.Helper()
	order, err := json.Marshal(h)
	require.NoError(b, err)
	a := &attacker{cmd: exec.CommandContext(b.Context(), os.Args[0])}
	a.cmd.Env = append(os.Environ(), asAttacker+"=1")
	a.cmd.Stderr = os.Stderr
	a.in, err = a.cmd.StdinPipe()
	require.NoError(b, err)
	out, err := a.cmd.StdoutPipe()
	require.NoError(b, err)
	a.out = bufio.NewReader(out)
	require.NoError(b, a.cmd.Start())
	b.Cleanup(func() { _ = a.cmd.Process.Kill() })
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, a.cmd.Process.Pid, 19)
	_, err = a.in.Write(append(order, '\n'))
	require.NoError(b, err)
	return a
}

func (a *attacker) stop(b *testing.B) {
	b.Helper()
	require.NoError(b, a.in.Close())
	_, err := io.Copy(io.Discard, a.out)
	require.NoError(b, err)
	require.NoError(b, a.cmd.Wait())
}
