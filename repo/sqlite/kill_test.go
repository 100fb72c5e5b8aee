package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

// childPath names the database in the environment of the process that is killed.
const childPath = "DECNET_TEST_KILL_PATH"

// TestKill_Child is the other process of TestKill_LosesNothing: it commits until
// it is killed, and says after each commit how many there were.
func TestKill_Child(t *testing.T) {
	t.Parallel()
	path := os.Getenv(childPath)
	if path == "" {
		t.Skip("runs in another process only")
	}
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, CheckpointPages: 20})
	require.NoError(t, err)
	for n := 1; ; n++ {
		b := someEvents(10)
		b.Positions = []repo.Position{{Source: "a", Offset: int64(n)}}
		require.NoError(t, s.Commit(t.Context(), b))
		_, err = fmt.Fprintln(os.Stdout, n)
		require.NoError(t, err)
	}
}

// TestKill_LosesNothing kills a process between and in the middle of commits:
// what it said was committed is there, rows and read position agree, and nothing
// is there in part.
func TestKill_LosesNothing(t *testing.T) {
	t.Parallel()
	for _, wait := range []int{1, 7, 40} {
		path := filepath.Join(t.TempDir(), "x.db")
		said := runAndKill(t, path, wait)
		s := open(t, path)
		st, err := s.Stats(t.Context())
		require.NoError(t, err)
		positions, err := s.Positions(t.Context())
		require.NoError(t, err)
		require.Len(t, positions, 1)
		commits := positions[0].Offset
		assert.GreaterOrEqual(t, commits, int64(said))
		assert.Equal(t, repo.Stats{Logs: 10 * commits, Attackers: 10, ActiveDeckies: 1}, st)
		logs, err := s.LogsAfter(t.Context(), 0, repo.LogFilter{}, 100_000)
		require.NoError(t, err)
		assert.Len(t, logs, int(10*commits))
		hist, err := s.CountLogs(t.Context(), repo.LogFilter{End: logs[len(logs)-1].Time})
		require.NoError(t, err)
		assert.Equal(t, 10*commits, hist)
	}
}

// runAndKill lets the child commit some times, kills it at once and returns how
// many commits it told of.
func runAndKill(t *testing.T, path string, commits int) (said int) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestKill_Child$")
	cmd.Env = append(os.Environ(), childPath+"="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		require.NoError(t, err, "the child failed: %s", lines.Text())
		if said = n; n == commits {
			kill()
		}
	}
	require.Error(t, cmd.Wait(), "it was killed")
	require.GreaterOrEqual(t, said, commits)
	return said
}
