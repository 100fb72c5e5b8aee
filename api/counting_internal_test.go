package api

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCounting_RestsLongerWhereRequestsWait: whoever wants a page comes before those
// who want a total.
func TestCounting_RestsLongerWhereRequestsWait(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"read", "search"} {
		a := newAdmission(Admission{Reads: 1, Searches: 1, Patience: time.Minute}, time.Now, slog.New(slog.DiscardHandler))
		g := map[string]*gate{"read": a.reads, "search": a.searches}[kind]
		c := newCounting(owner{}, nil, a.crowded)
		require.NoError(t, g.enter(t.Context()))
		assert.Equal(t, time.Second, c.rest(time.Second), "one works, nobody waits")
		entered := make(chan error)
		go func() { entered <- g.enter(t.Context()) }()
		require.Eventually(t, a.crowded, 10*time.Second, time.Millisecond, kind)
		assert.Equal(t, crowdedRest*time.Second, c.rest(time.Second))
		g.leave()
		require.NoError(t, <-entered)
		g.leave()
		assert.Equal(t, time.Second, c.rest(time.Second))
	}
}
