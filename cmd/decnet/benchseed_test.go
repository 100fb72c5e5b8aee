package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

const seedEnd = "2026-11-24T12:00:00Z"

// stored are the raw lines of a database, in the order in which they were stored.
func stored(t *testing.T, path string) []string {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	rows, err := store.LogsAfter(t.Context(), 0, repo.LogFilter{}, 1_000_000)
	require.NoError(t, err)
	lines := make([]string, len(rows))
	for i := range rows {
		lines[i] = rows[i].RawLine
	}
	return lines
}

// seedCommand runs bench seed and returns what it says, if it succeeds.
func seedCommand(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := command(t, "", append([]string{"bench", "seed"}, args...)...)
	require.Equal(t, exitOK, code, stderr)
	return stdout
}

func TestBenchSeed_MakesWhatIsMissingAndNoMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	grown, whole := filepath.Join(dir, "grown.db"), filepath.Join(dir, "whole.db")
	out := seedCommand(t, "--rows=1500", "--end="+seedEnd, "--database", grown)
	assert.Contains(t, out, "1500 = 1500 accepted + 0 duplicate + 0 rejected + 0 ignored")
	assert.Len(t, stored(t, grown), 1500)

	for _, rows := range []string{"1500", "20"} {
		out = seedCommand(t, "--rows="+rows, "--database", grown)
		assert.Contains(t, out, "has 1500 events of seed 1 already, up to "+seedEnd)
	}
	assert.Len(t, stored(t, grown), 1500, "nothing was made again")

	seedCommand(t, "--rows=3200", "--database", grown) // the end is remembered
	seedCommand(t, "--rows=3200", "--end="+seedEnd, "--db-url", whole)
	assert.Equal(t, stored(t, whole), stored(t, grown))

	out = seedCommand(t, "--rows=700", "--seed=2", "--end="+seedEnd, "--database", grown)
	assert.Contains(t, out, "700 accepted", "another seed has a count of its own")
	assert.Len(t, stored(t, grown), 3900)
}

func TestBenchSeed_IsWholeAndChecked(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	seedCommand(t, "--rows=5000", "--data-dir", dir)
	code, stdout, stderr := command(t, "", "check", "--data-dir", dir)
	assert.Equal(t, exitOK, code, stderr)
	assert.Contains(t, stdout, "looked at 5000 events")
}

// TestBenchSeed_GoesOnAfterAnInterruption stops it as soon as something is
// stored.
func TestBenchSeed_GoesOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "cut.db")
	const rows = "45000"
	signals, exit := make(chan os.Signal, 2), make(chan int, 1)
	var stdout, stderr lockedBuffer
	go func() {
		exit <- run(process{
			args: []string{"bench", "seed", "--rows=" + rows, "--end=" + seedEnd, "--database", path}, getenv: env(nil),
			stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, signals: signals,
		})
	}()
	// The first batch is a large one.
	eventuallyWithin(t, 5*patience, 200*time.Millisecond, "rows are stored", func() bool {
		if _, err := os.Stat(path); err != nil {
			return false
		}
		store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
		if err != nil {
			return false
		}
		defer store.Close() //nolint:errcheck // it was only read
		n, err := store.LastLogID(t.Context())
		return err == nil && n > 0
	})
	signals <- os.Interrupt
	select {
	case code := <-exit:
		require.Contains(t, []int{exitInterrupted, exitOK}, code, stderr.String())
	case <-time.After(5 * patience):
		require.FailNow(t, "bench seed did not stop")
	}
	before := len(stored(t, path))
	seedCommand(t, "--rows="+rows, "--database", path)
	whole := filepath.Join(dir, "whole.db")
	seedCommand(t, "--rows="+rows, "--end="+seedEnd, "--database", whole)
	assert.Equal(t, stored(t, whole), stored(t, path), "%d were there after the interruption", before)
}

func TestBenchSeed_RefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "decnet.db")
	seedCommand(t, "--rows=100", "--end="+seedEnd, "--database", path)

	code, _, stderr := command(t, "", "bench", "seed", "--rows=200", "--end=2026-01-01T00:00:00Z", "--database", path)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "that end at "+seedEnd)

	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	_, err = store.Purge(t.Context())
	require.NoError(t, err)
	require.NoError(t, store.Close())
	code, _, stderr = command(t, "", "bench", "seed", "--rows=100", "--database", path)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "has lost some since")
}

func TestBenchSeed_DoesNotMixWithRealEvents(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	code, _, stderr := command(t, sshLine(t, "203.0.113.9", "id")+"\n", "import", "--data-dir", dir, "-")
	require.Equal(t, exitOK, code, stderr)
	code, _, stderr = command(t, "", "bench", "seed", "--rows=100", "--data-dir", dir)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "has 1 events that were not made up")
	assert.Len(t, stored(t, filepath.Join(dir, "decnet.db")), 1)
	seedCommand(t, "--rows=100", "--force", "--data-dir", dir)
	seedCommand(t, "--rows=150", "--data-dir", dir)
	assert.Len(t, stored(t, filepath.Join(dir, "decnet.db")), 151)
}

func TestBenchSeed_TellsAllFaultsOfItsOptions(t *testing.T) {
	t.Parallel()
	code, _, stderr := command(t, "", "bench", "seed", "--rows=0", "--end=yesterday", "--db-type=mysql")
	assert.Equal(t, exitUsage, code)
	for _, text := range []string{"--rows", "--end", "--db-type"} {
		assert.Contains(t, stderr, text)
	}
}

func TestBenchSeed_ShowsHowFarItIs(t *testing.T) {
	t.Parallel()
	text := seedProgress(2_500_000, 0, 10_000_000, 100*time.Second)
	assert.Contains(t, text, " 25 %  2500000 of 10000000 events, 25000 a second, 5m0s left")
	text = seedProgress(1_000_000, 8_000_000, 10_000_000, 40*time.Second)
	assert.Contains(t, text, " 90 %  9000000 of 10000000 events, 25000 a second, 40s left", "what was there is done, but was not done in this time")
	assert.NotContains(t, seedProgress(0, 0, 10, 0), "left")
	assert.True(t, bytes.HasPrefix([]byte(text), []byte("[##")))
}
