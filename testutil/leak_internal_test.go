package testutil

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver
)

func TestUnused_RowsThatWereNotClosedAreFound(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	rows, err := db.QueryContext(t.Context(), "SELECT 1 UNION SELECT 2")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	require.ErrorContains(t, unused(db.Stats()), "1 database connections are still in use")
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close()) //nolint:sqlclosecheck // that it was open until now is what is tested
	assert.NoError(t, unused(db.Stats()))
}

// A world that is alone is checked by counting, one among others by its label;
// either way a goroutine that the test leaves behind is named.
func TestGoroutines_OneLeftBehindIsFound(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]int64{"alone": 0, "among others": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			count := 7
			c := &census{running: func() int { return count }}
			c.made.Store((1 + others) << 40) // no number of a real world
			c.open.Add(others)
			g := c.watch()
			release, done := leaveBehind()
			count++
			require.ErrorContains(t, g.gone(), "leftBehind")
			close(release)
			<-done
			count--
			require.NoError(t, eventually(g.gone))
			g.ended()
			assert.Equal(t, others, c.open.Load())
		})
	}
}

// leaveBehind begins a goroutine that ends once release is closed, and then
// closes done. It runs when leaveBehind returns.
func leaveBehind() (release, done chan struct{}) {
	release, done = make(chan struct{}), make(chan struct{})
	runs := make(chan struct{})
	go leftBehind(runs, release, done)
	<-runs
	return release, done
}

func leftBehind(runs, release, done chan struct{}) {
	defer close(done)
	close(runs)
	<-release
}

// The count is believed only where no other world was there: one that began
// later, or that was open before, could hide a leak by ending goroutines.
func TestGoroutines_CountIsBelievedOnlyAlone(t *testing.T) {
	t.Parallel()
	c := &census{running: func() int { return 0 }} // it never shows a leak
	c.made.Store(3 << 40)                          // no number of a real world
	first := c.watch()
	release, done := leaveBehind()
	require.NoError(t, first.gone(), "alone: counted")
	second := c.watch()
	require.ErrorContains(t, first.gone(), "leftBehind", "another began: looked at")
	require.NoError(t, second.gone(), "what another world left is not blamed on this one")
	close(release)
	<-done
	first.ended()
	second.ended()
}
