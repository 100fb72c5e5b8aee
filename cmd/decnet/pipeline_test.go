package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
)

func TestSources_AFormatBehindThePath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	odd := filepath.Join(dir, "k=v=cowrie")
	require.NoError(t, os.WriteFile(odd, nil, 0o600))
	plain := filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	for text, want := range map[string]ingest.Source{
		plain:                {Path: plain, Format: "dionaea"},
		plain + "=cowrie":    {Path: plain, Format: "cowrie"},
		odd + "=":            {Path: odd, Format: "dionaea"},
		odd + "=decnet":      {Path: odd, Format: "decnet"},
		"a=b":                {Path: "a=b", Format: "dionaea"},
		"=cowrie":            {Path: "=cowrie", Format: "dionaea"},
		"/no/such=dir/x.log": {Path: "/no/such=dir/x.log", Format: "dionaea"},
	} {
		var options ingest.Options
		lines := lineOptions{IngestFormat: "dionaea"}
		require.NoError(t, lines.addSources(&options, []string{text}, false))
		assert.Equal(t, []ingest.Source{want}, options.Sources, text)
	}
	var options ingest.Options
	err := (&lineOptions{}).addSources(&options, []string{plain + "=cowry"}, false)
	require.ErrorContains(t, err, `no format "cowry"`)
	require.ErrorContains(t, err, "cowrie", "it tells which there are")
}

func TestParse_PipelineOptionsThatAreWrong(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--ignore: ":                {"serve", "--ignore=color=red"},
		"--mapping":                 {"import", "--mapping=", "x"},
		"with a port":               {"serve", "--syslog=6514"},
		"need each other":           {"serve", "--syslog=:6514", "--syslog-tls-cert=x"},
		"--syslog-tls-cert needs":   {"serve", "--syslog-tls-cert=x", "--syslog-tls-key=x"},
		"--syslog-max-connections":  {"serve", "--syslog-max-connections=0"},
		"--retain-days":             {"serve", "--retain-days=-1"},
		"--retain-size":             {"serve", "--retain-size=2 apples"},
		"--line must be at least 1": {"explain", "--file=x", "--line=0"},
		"not both":                  {"explain", "--file=x", "line"},
	} {
		_, _, err := parse(args, env(nil), io.Discard, io.Discard)
		require.ErrorContains(t, err, want)
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"": 0, "0": 0, "5000000": 5_000_000, "20GB": 20 << 30, "1.5 GiB": 3 << 29, "800m": 800 << 20, "2T": 2 << 40,
	} {
		got, err := parseSize(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"x", "-1GB", "10", "1PB", "GB", "1GBB", "9e99G", "NaN", "nanG"} {
		_, err := parseSize(text)
		assert.Error(t, err, text)
	}
}

// fakeEvents are a store of events, one byte each, with times in days.
type fakeEvents struct {
	days  []int
	epoch time.Time
	calls []time.Time
	fail  error
}

func (f *fakeEvents) Expire(_ context.Context, before time.Time, limit int) (int64, bool, error) {
	f.calls = append(f.calls, time.Now())
	if err := f.fail; err != nil {
		f.fail = nil
		return 0, false, err
	}
	var n int64
	for len(f.days) > 0 && f.epoch.AddDate(0, 0, f.days[0]).Before(before) && n < int64(limit) {
		f.days = f.days[1:]
		n++
	}
	return n, len(f.days) > 0 && f.epoch.AddDate(0, 0, f.days[0]).Before(before), nil
}

func (f *fakeEvents) SizeExceeds(_ context.Context, bytes int64) (bool, error) {
	return int64(len(f.days)) > bytes, nil
}

func TestRetention_RemovesTheOldInSmallBatches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r    retention
		left int
	}{
		"by age":  {retention{days: 30}, 3100},
		"by size": {retention{size: 5000}, 5000 - 1000},
		"by both": {retention{days: 30, size: 2000}, 2000 - 900},
		"neither": {retention{}, 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeEvents{epoch: time.Now().AddDate(0, 0, -99), fail: errors.New("locked")}
				for n := range 10_000 {
					f.days = append(f.days, n/100)
				}
				if name == "neither" {
					f.fail = nil
				}
				told := 0
				c.r.store, c.r.now, c.r.removed, c.r.log = f, time.Now, func() { told++ }, slog.New(slog.DiscardHandler)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { c.r.run(ctx); close(done) }()
				time.Sleep(10 * time.Minute) //nolint:forbidigo // in a bubble
				cancel()
				<-done
				assert.InDelta(t, c.left, len(f.days), retainLimit)
				assert.LessOrEqual(t, c.left-retainLimit, len(f.days))
				if name == "neither" {
					assert.Zero(t, told)
				} else {
					assert.InDelta(t, 1, told, 1, "the caches are dropped when it is done, not at each step")
					assert.Positive(t, told)
				}
				for i := 1; i < len(f.calls); i++ {
					assert.GreaterOrEqual(t, f.calls[i].Sub(f.calls[i-1]), retainPause, "others get their turn between")
				}
			})
		})
	}
}

// logs makes a directory with 100 good lines and some that are not.
func logs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for n := range 100 {
		appendLine(t, filepath.Join(dir, fmt.Sprintf("%d.log", n%3)), sshLine(t, fmt.Sprintf("203.0.113.%d", n), fmt.Sprint("uname ", n)))
	}
	appendLine(t, filepath.Join(dir, "0.log"), "hello")
	appendLine(t, filepath.Join(dir, "0.log"), "")
	appendLine(t, filepath.Join(dir, "1.log"), sshLine(t, "10.0.0.1", "id"))
	return dir
}

func TestImport_TellsWhatBecameOfEveryLineAndGoesOn(t *testing.T) {
	t.Parallel()
	dir, from := t.TempDir(), logs(t)
	args := []string{"import", "--data-dir", filepath.Join(dir, "data"), "--ignore=10.0.0.0/8", from}
	code, out, errs := command(t, "", args...)
	require.Equal(t, exitOK, code, errs)
	assert.Contains(t, out, "lines        103 = 100 accepted + 0 duplicate + 1 rejected + 2 ignored\n")
	assert.Contains(t, out, "  rejected   1 as not_json\n")
	assert.Contains(t, out, "  ignored    1 as blank\n")
	assert.Contains(t, out, "  ignored    1 as rule 10.0.0.0/8\n")
	assert.Contains(t, out, "attackers    100, 100 of them new\n")
	assert.Contains(t, out, "credentials  0, 0 of them new\n")
	assert.NotContains(t, errs, "\x1b", "no bar where there is no terminal")

	code, out, _ = command(t, "", args...)
	require.Equal(t, exitOK, code)
	assert.Contains(t, out, "lines        0 = ", "nothing is read twice")
	appendLine(t, filepath.Join(from, "2.log"), sshLine(t, "203.0.113.200", "more"))
	_, out, _ = command(t, "", args...)
	assert.Contains(t, out, "lines        1 = 1 accepted")
	assert.Contains(t, out, "attackers    101, 1 of them new\n")

	code, out, _ = command(t, sshLine(t, "203.0.113.201", "x")+"\n", "import", "--data-dir", filepath.Join(dir, "data"), "-")
	require.Equal(t, exitOK, code)
	assert.Contains(t, out, "lines        1 = 1 accepted")

	code, _, errs = command(t, "", "import", "--data-dir", filepath.Join(dir, "data"), filepath.Join(dir, "nothing.log"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, "nothing.log")
}

func TestImport_RefusesADatabaseThatIsServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	launch(t, dir, withAdmin())
	code, _, errs := command(t, "", "import", "--data-dir", dir, logs(t))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, "another decnet serves")
}

func TestProgress_TellsRateAndTimeLeft(t *testing.T) {
	t.Parallel()
	begin := time.Unix(0, 0)
	pr := progress{begin: begin, total: 1000}
	st := ingest.Status{Sources: []ingest.SourceStatus{{Offset: 200}}}
	assert.NotContains(t, pr.text(&st, begin.Add(time.Second)), "left", "nothing is known yet")
	st.Sources[0].Offset, st.Lines = 600, 50
	text := pr.text(&st, begin.Add(10*time.Second))
	assert.Contains(t, text, "[##################............]  60 %  50 lines, 5 a second, 10s left")
	st.SinkError = "The disk is full."
	assert.Contains(t, pr.text(&st, begin.Add(10*time.Second)), "waiting: The disk is full.")
	unknown := progress{begin: begin}
	assert.Equal(t, "50 lines, 5 a second; waiting: The disk is full.", unknown.text(&st, begin.Add(10*time.Second)))
}

func TestExplain_TellsOfALineAndHarmsNoTerminal(t *testing.T) {
	t.Parallel()
	evil := strings.Replace(sshLine(t, "192.168.1.2", "echo"), "echo", `\u001b[2Jcurl`, 2)
	code, out, errs := command(t, "", "explain", evil)
	require.Equal(t, exitOK, code, errs)
	assert.NotContains(t, out, "\x1b")
	assert.Regexp(t, `(?m)^format: +decnet$`, out)
	assert.Regexp(t, `(?m)^result: +one event$`, out)
	assert.Regexp(t, `(?m)^command: +\\u001b\[2Jcurl$`, out)
	assert.Regexp(t, `(?m)^note: .*192\.168\.1\.2 is private`, out)

	dir := t.TempDir()
	file := filepath.Join(dir, "log")
	appendLine(t, file, "first")
	appendLine(t, file, sshLine(t, "203.0.113.7", "id"))
	code, out, _ = command(t, "", "explain", "--file", file, "--line", "2", "--ignore", "service=ssh")
	require.Equal(t, exitOK, code)
	assert.Contains(t, out, "ignored as rule service=ssh")
	_, out, _ = command(t, "", "explain", "--file", file)
	assert.Contains(t, out, "rejected as unknown_format")
	code, _, errs = command(t, "", "explain", "--file", file, "--line", "3")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, "there is no line 3")
	_, out, _ = command(t, "from stdin\n", "explain")
	assert.Contains(t, out, "rejected as")
	code, _, errs = command(t, "", "explain", "--ingest-format=cowry", "x")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, "there is no format")
}

func TestMapping_AddsAFormat(t *testing.T) {
	t.Parallel()
	mapping, err := os.ReadFile("../../ingest/mappings/redishoneypot.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "own.yaml")
	own := regexp.MustCompile(`(?m)^name: .*$`).ReplaceAll(mapping, []byte("name: ownpot"))
	require.NoError(t, os.WriteFile(file, own, 0o600))
	code, _, errs := command(t, "", "explain", "--mapping", file, "--format", "ownpot", "{}")
	assert.Equal(t, exitOK, code, errs)
	require.NoError(t, os.WriteFile(file, []byte("colour: red\n"), 0o600))
	code, _, errs = command(t, "", "explain", "--mapping", file, "{}")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, "own.yaml")
}

func TestBackupAndCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	code, _, errs := command(t, "", "import", "--data-dir", data, logs(t))
	require.Equal(t, exitOK, code, errs)
	copied := filepath.Join(dir, "copy.db")
	code, out, errs := command(t, "", "backup", "--data-dir", data, copied)
	require.Equal(t, exitOK, code, errs)
	assert.Contains(t, out, copied)
	code, _, errs = command(t, "", "backup", "--data-dir", data, copied)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs, "exists")
	for _, db := range []string{filepath.Join(data, "decnet.db"), copied} {
		code, out, errs = command(t, "", "check", "--db-url", db)
		require.Equal(t, exitOK, code, errs)
		assert.Contains(t, out, "looked at 101 events")
	}
}

func TestCheck_FindsAndMends(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, _, errs := command(t, "", "import", "--data-dir", dir, logs(t))
	require.Equal(t, exitOK, code, errs)
	damage(t, filepath.Join(dir, "decnet.db"), "DELETE FROM days")
	code, out, errs := command(t, "", "check", "--data-dir", dir)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "--repair mends it")
	assert.Contains(t, errs, "not as it should be")
	code, out, errs = command(t, "", "check", "--repair", "--data-dir", dir)
	require.Equal(t, exitOK, code, errs)
	assert.Contains(t, out, "All is well")
}

func TestServe_TakesSyslogDirectoriesAndRules(t *testing.T) {
	t.Parallel()
	from := logs(t)
	p := launch(t, t.TempDir(), withAdmin(), "--ingest", from, "--ignore", "10.0.0.0/8", "--syslog=127.0.0.1:0",
		"--retain-days=36500", "--retain-size=1GB")
	m := regexp.MustCompile(`taking syslog over TCP" address=(\S+)`).FindStringSubmatch(p.stderr.String())
	require.NotNil(t, m, p.stderr.String())
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", m[1])
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "<13>1 2026-04-17T19:30:11Z host x - - - %s\n", sshLine(t, "203.0.113.250", "id"))
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	appendLine(t, filepath.Join(from, "new.log"), sshLine(t, "203.0.113.251", "id"))
	c := p.admin(t)
	eventually(t, "all lines are stored", func() bool {
		var stats struct {
			TotalLogs int `json:"total_logs"`
		}
		c.get(t, "/api/v1/stats", &stats)
		return stats.TotalLogs == 102
	})
	_, text := c.status(t, http.MethodGet, "/metrics", nil)
	assert.Contains(t, text, `reason="rule 10.0.0.0/8"`)
	assert.Equal(t, exitOK, p.end(t))
}

func TestServe_TellsWhatIsWrongWithTheCertificate(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	code := run(process{
		args:   []string{"serve", "--api-port=0", "--data-dir", t.TempDir(), "--syslog=127.0.0.1:0", "--syslog-tls-cert=/none", "--syslog-tls-key=/none"},
		getenv: env(nil), stdin: strings.NewReader(""), stdout: &out, stderr: &errs, signals: make(chan os.Signal),
	})
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, errs.String(), "--syslog-tls-cert")
}
