package ingest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
	"decnet/repo/sqlite"
)

// childEnv makes the test binary an ingester instead; its value is the database
// and the log, separated by a newline.
const childEnv = "DECNET_INGEST_TEST_CHILD"

// reportingSink tells the parent of each commit.
type reportingSink struct {
	*sqlite.Store
	out io.Writer
}

func (s *reportingSink) Commit(ctx context.Context, b *repo.Batch) error {
	err := s.Store.Commit(ctx, b)
	_, printErr := fmt.Fprintf(s.out, "committed %d\n", len(b.Events))
	return errors.Join(err, printErr)
}

// runChild ingests until it has caught up, or is killed.
func runChild() int {
	db, log, _ := strings.Cut(os.Getenv(childEnv), "\n")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	store, err := sqlite.Open(ctx, sqlite.Options{Path: db})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	in, err := ingest.New(ingest.Options{
		Sink:    &reportingSink{store, os.Stdout},
		Sources: []ingest.Source{{Path: log, Follow: true}}, BatchSize: killLines / 100,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	<-in.CaughtUp()
	cancel()
	if err := <-done; err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestKill_TwentyTimesLosesAndDoublesNothing ingests tens of thousands of
// lines into a database on disk in a process that is killed (SIGKILL) at 20 random
// moments, and compares all of the store with that of a run that nobody disturbed.
func TestKill_TwentyTimesLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	const seed, kills = 4, 20
	dir := t.TempDir()
	log := filepath.Join(dir, "cowrie.json")
	require.NoError(t, os.WriteFile(log, capture(seed, killLines), 0o600))

	killed := filepath.Join(dir, "killed.db")
	rng := rand.New(rand.NewPCG(seed, 5))
	for n := range kills {
		delay := time.Duration(rng.IntN(20)) * time.Millisecond
		atCommit := func() bool { return rng.IntN(2) == 0 }
		require.True(t, runChildProcess(t, killed, log, atCommit, delay), "kill %d came too late", n+1)
	}
	require.False(t, runChildProcess(t, killed, log, func() bool { return false }, 0))

	whole := filepath.Join(dir, "whole.db")
	store := openStore(t, whole)
	ingestAll(t, ingest.Options{Sink: store, Sources: []ingest.Source{{Path: log}}})
	want := dump(t, store)
	require.Greater(t, len(want.Logs), killLines*8/10)
	got := dump(t, openStore(t, killed))
	assert.Len(t, got.Logs, len(want.Logs))
	for i := range min(len(want.Logs), len(got.Logs)) {
		require.Equal(t, want.Logs[i], got.Logs[i], "row %d", i)
	}
	want.Logs, got.Logs = nil, nil
	assert.Equal(t, want, got)
}

// runChildProcess starts a child and kills it some time after a commit that
// isTime chose; it reports whether it had to.
func runChildProcess(t *testing.T, db, log string, isTime func() bool, delay time.Duration) (killed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+db+"\n"+log)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if !killed && isTime() {
			<-time.After(delay) // anywhere in the work on the next batches
			require.NoError(t, cmd.Process.Kill())
			killed = true
		}
	}
	if err := cmd.Wait(); !killed {
		require.NoError(t, err)
	}
	return killed
}

// contents is all of a store but wall times.
type contents struct {
	Logs      []repo.Log
	Stats     repo.Stats
	Bounties  []repo.Bounty
	Attackers []repo.Attacker
	Commands  map[string][]repo.Command
	Rejects   []repo.Reject
	Positions []repo.Position
	Sessions  []repo.Session
	Buckets   []repo.Bucket
}

func dump(t *testing.T, s *sqlite.Store) contents {
	t.Helper()
	ctx := t.Context()
	c := contents{Commands: map[string][]repo.Command{}}
	var err error
	for after := int64(0); ; after = c.Logs[len(c.Logs)-1].ID {
		page, err := s.LogsAfter(ctx, after, repo.LogFilter{}, 1000)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		c.Logs = append(c.Logs, page...)
	}
	c.Stats, err = s.Stats(ctx)
	require.NoError(t, err)
	c.Bounties, err = s.Bounties(ctx, repo.BountyQuery{Limit: 1 << 20})
	require.NoError(t, err)
	c.Attackers, err = s.Attackers(ctx, repo.AttackerQuery{Limit: 1 << 20})
	require.NoError(t, err)
	for i := range c.Attackers {
		c.Attackers[i].UpdatedAt = time.Time{}
		c.Commands[c.Attackers[i].IP], _, err = s.Commands(ctx, c.Attackers[i].UUID, repo.CommandQuery{Limit: 1 << 20})
		require.NoError(t, err)
	}
	c.Rejects, err = s.Rejects(ctx, 0, 1<<20)
	require.NoError(t, err)
	for i := range c.Rejects {
		c.Rejects[i].SeenAt = time.Time{}
	}
	c.Positions, err = s.Positions(ctx)
	require.NoError(t, err)
	for i := range c.Positions {
		c.Positions[i].UpdatedAt = time.Time{}
	}
	c.Sessions, err = s.OpenSessions(ctx)
	require.NoError(t, err)
	c.Buckets, err = s.Histogram(ctx, repo.LogFilter{}, 15*time.Minute)
	require.NoError(t, err)
	return c
}
