package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo/sqlite"
)

// benchLines is how many lines an ingest benchmark reads: three months of a real
// Cowrie.
const benchLines = 105_454

// benchCapture returns lines of a real capture: those three months, or the file
// that DECNET_BENCH_CAPTURE names, again and again. Each copy has times, sessions
// and attackers of its own, so that it is no repetition to what reads it. Copies
// begin with the given number.
func benchCapture(b *testing.B, copyNumber, lines int) []byte {
	b.Helper()
	path := os.Getenv("DECNET_BENCH_CAPTURE")
	if path == "" {
		path = filepath.Join("..", "..", "ingest", "testdata", "cowrie", "sweetie-2019-12_2020-02.jsonl.gz")
	}
	f, err := os.Open(path)
	require.NoError(b, err)
	defer f.Close() //nolint:errcheck // it was only read
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		r, err = gzip.NewReader(f)
		require.NoError(b, err)
	}
	data, err := io.ReadAll(r)
	require.NoError(b, err)
	all := bytes.SplitAfter(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	all[len(all)-1] = append(bytes.Clone(all[len(all)-1]), '\n')
	change := newCopier(copyNumber)
	var out bytes.Buffer
	for i := range lines {
		if i > 0 && i%len(all) == 0 {
			copyNumber++
			change = newCopier(copyNumber)
		}
		out.Write(change.line(all[i%len(all)]))
	}
	return out.Bytes()
}

// copier makes a line of another day and another attacker.
type copier struct {
	day             time.Duration
	net             string
	stamp, addr, id *regexp.Regexp
}

func newCopier(n int) *copier {
	return &copier{
		day: time.Duration(n) * 24 * time.Hour, net: strconv.Itoa(n % 200),
		stamp: regexp.MustCompile(`"timestamp": ?"([^"]*)"`),
		addr:  regexp.MustCompile(`"src_ip": ?"\d+\.`),
		id:    regexp.MustCompile(`"session": ?"[0-9a-f]{4}`),
	}
}

func (c *copier) line(line []byte) []byte {
	if c.day == 0 {
		return line
	}
	line = c.stamp.ReplaceAllFunc(line, func(m []byte) []byte {
		text := string(c.stamp.FindSubmatch(m)[1])
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return m
		}
		return []byte(`"timestamp":"` + t.Add(c.day).Format("2006-01-02T15:04:05.000000Z") + `"`)
	})
	line = c.addr.ReplaceAll(line, []byte(`"src_ip":"`+c.net+`.`))
	return c.id.ReplaceAll(line, fmt.Appendf(nil, `"session":"%04x`, int(c.day/(24*time.Hour))))
}

// BenchmarkIngest is the way of 105 454 lines of Cowrie from a file to the commit,
// with all that is kept of them, into an empty database and into one of a
// million events. The bare driver inserts the rows that came of it into a table
// with the same indexes, parsed already: of/bare is the share of its speed that
// is left when everything else is done, too. peak-MB is the largest memory of
// decnet import with the same lines.
func BenchmarkIngest(b *testing.B) {
	for _, before := range []int{0, 1_000_000} {
		if before > 0 && testing.Short() {
			continue
		}
		b.Run(fmt.Sprintf("into=%d", before), func(b *testing.B) { benchIngest(b, before) })
	}
}

func benchIngest(b *testing.B, before int) {
	b.Helper()
	dir := b.TempDir()
	filled, bareFilled := filepath.Join(dir, "filled.db"), filepath.Join(dir, "bare.db")
	for done := 0; done < before; done += benchLines {
		ingestInto(b, filled, benchCapture(b, 1000+done/1000, min(benchLines, before-done)))
	}
	lines := benchCapture(b, 0, benchLines)
	if before > 0 {
		makeBare(b, filled, bareFilled)
	}
	var events int
	var spent, bare time.Duration
	peak := importMemory(b, filled, lines)
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		path, barePath := filepath.Join(dir, "store.db"), filepath.Join(dir, "driver.db")
		copyFile(b, filled, path)
		copyFile(b, bareFilled, barePath)
		b.StartTimer()
		n, took := ingestInto(b, path, lines)
		b.StopTimer()
		bare += insertBare(b, path, barePath, n)
		events += n
		spent += took
		require.NoError(b, os.Remove(path))
		require.NoError(b, os.Remove(barePath))
		b.StartTimer()
	}
	rate, bareRate := float64(events)/spent.Seconds(), float64(events)/bare.Seconds()
	b.ReportMetric(rate, "events/s")
	b.ReportMetric(bareRate, "bare/s")
	b.ReportMetric(rate/bareRate, "of/bare")
	b.ReportMetric(peak/1e6, "peak-MB")
}

// ingestInto reads the lines into the database and returns how many events
// came of them, and how long that took.
func ingestInto(b *testing.B, database string, lines []byte) (int, time.Duration) {
	b.Helper()
	input := filepath.Join(b.TempDir(), "cowrie.json")
	require.NoError(b, os.WriteFile(input, lines, 0o600))
	store, err := sqlite.Open(b.Context(), sqlite.Options{Path: database})
	require.NoError(b, err)
	began := time.Now()
	in, err := ingest.New(ingest.Options{Sink: store, Sources: []ingest.Source{{Path: input}}})
	require.NoError(b, err)
	require.NoError(b, in.Run(b.Context()))
	took := time.Since(began)
	require.NoError(b, store.Close())
	require.NoError(b, os.Remove(input))
	status := in.Status()
	return int(status.Accepted), took
}

const bareSchema = `CREATE TABLE logs (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, decky TEXT NOT NULL,
	service TEXT NOT NULL, event_type TEXT NOT NULL, attacker_ip TEXT NOT NULL, raw_line TEXT NOT NULL, fields TEXT NOT NULL,
	msg TEXT NOT NULL, trace_id TEXT NOT NULL, span_id TEXT NOT NULL, original BLOB) STRICT;
CREATE INDEX logs_time ON logs (time); CREATE INDEX logs_attacker ON logs (attacker_ip, time);
CREATE INDEX logs_service ON logs (service, time); CREATE INDEX logs_decky ON logs (decky, time);
CREATE INDEX logs_event ON logs (event_type, time);`

const columns = "time, decky, service, event_type, attacker_ip, raw_line, fields, msg, trace_id, span_id, original"

func openBare(b *testing.B, path string) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_busy_timeout=5000&_txlock=immediate&_pragma=journal_mode(WAL)"+
		"&_pragma=synchronous(NORMAL)&_pragma=wal_autocheckpoint(16384)&_pragma=cache_size(-65536)")
	require.NoError(b, err)
	db.SetMaxOpenConns(1)
	return db
}

// makeBare copies the events of a database into one of the bare driver.
func makeBare(b *testing.B, from, to string) {
	b.Helper()
	db := openBare(b, to)
	_, err := db.ExecContext(b.Context(), bareSchema)
	require.NoError(b, err)
	_, err = db.ExecContext(b.Context(), "ATTACH ? AS old", from)
	require.NoError(b, err)
	_, err = db.ExecContext(b.Context(), "INSERT INTO logs ("+columns+") SELECT "+columns+" FROM old.logs ORDER BY id")
	require.NoError(b, err)
	require.NoError(b, db.Close())
}

// insertBare inserts the last n events of a database through the bare driver, in
// transactions of the same size, and returns how long that took.
func insertBare(b *testing.B, from, to string, n int) time.Duration {
	b.Helper()
	source := openBare(b, from)
	rows, err := source.QueryContext(b.Context(), "SELECT "+columns+" FROM logs ORDER BY id DESC LIMIT ?", n)
	require.NoError(b, err)
	values := make([][]any, 0, n)
	for rows.Next() {
		var at int64
		var text [9]string
		var original []byte
		require.NoError(b, rows.Scan(&at, &text[0], &text[1], &text[2], &text[3], &text[4], &text[5], &text[6], &text[7], &text[8], &original))
		row := []any{at}
		for _, s := range text {
			row = append(row, s)
		}
		values = append(values, append(row, original))
	}
	require.NoError(b, rows.Err())
	require.NoError(b, rows.Close()) //nolint:sqlclosecheck // now, since the next transaction waits for it
	require.NoError(b, source.Close())

	db := openBare(b, to)
	_, err = db.ExecContext(b.Context(), strings.ReplaceAll(strings.ReplaceAll(bareSchema, "CREATE TABLE", "CREATE TABLE IF NOT EXISTS"),
		"CREATE INDEX", "CREATE INDEX IF NOT EXISTS"))
	require.NoError(b, err)
	ctx := context.Background() //nolint:usetesting // a context that can end costs the driver a goroutine a row
	began := time.Now()
	for len(values) > 0 {
		batch := values[max(0, len(values)-ingest.DefaultBatchSize):] // they are newest first
		values = values[:len(values)-len(batch)]
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(b, err)
		insert, err := tx.PrepareContext(ctx, "INSERT INTO logs ("+columns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
		require.NoError(b, err)
		for i := len(batch) - 1; i >= 0; i-- {
			_, err := insert.ExecContext(ctx, batch[i]...)
			require.NoError(b, err)
		}
		require.NoError(b, insert.Close()) //nolint:sqlclosecheck // at the end of each transaction
		require.NoError(b, tx.Commit())
	}
	took := time.Since(began)
	require.NoError(b, db.Close())
	return took
}

// copyFile copies a database that nobody has open; one that does not exist
// stays so.
func copyFile(b *testing.B, from, to string) {
	b.Helper()
	in, err := os.Open(from)
	if os.IsNotExist(err) {
		return
	}
	require.NoError(b, err)
	defer in.Close() //nolint:errcheck // it was only read
	out, err := os.Create(to)
	require.NoError(b, err)
	_, err = io.Copy(out, in)
	require.NoError(b, err)
	require.NoError(b, out.Close())
}

// importMemory is the largest memory that decnet import has while it reads the
// lines into a copy of the database, in bytes.
func importMemory(b *testing.B, filled string, lines []byte) float64 {
	b.Helper()
	dir := b.TempDir()
	binary, input := filepath.Join(dir, "decnet"), filepath.Join(dir, "cowrie.json")
	out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoErrorf(b, err, "%s", out)
	require.NoError(b, os.WriteFile(input, lines, 0o600))
	data := filepath.Join(dir, "data")
	require.NoError(b, os.Mkdir(data, 0o700))
	copyFile(b, filled, filepath.Join(data, "decnet.db"))
	cmd := exec.CommandContext(b.Context(), binary, "import", "--data-dir", data, input)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(b, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for peak := 0.0; ; {
		select {
		case err := <-ended:
			require.NoErrorf(b, err, "%s", &output)
			return peak
		case <-look.C:
			peak = max(peak, peakOf(cmd.Process.Pid))
		}
	}
}

// peakOf is the largest resident memory that a running process had so far, in
// bytes, where the system tells it in /proc; elsewhere 0. What the system tells
// of a process that ended is no use: it counts what its parent had.
func peakOf(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kB * 1024
		}
	}
	return 0
}
