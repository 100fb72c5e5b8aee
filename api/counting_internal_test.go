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
	a := newAdmission(Admission{Reads: 1, Patience: time.Minute}, time.Now, slog.New(slog.DiscardHandler))
	c := newCounting(owner{}, nil, a.crowded)
	require.NoError(t, a.reads.enter(t.Context()))
	assert.Equal(t, time.Second, c.rest(time.Second), "one works, nobody waits")
	entered := make(chan error)
	go func() { entered <- a.reads.enter(t.Context()) }()
	require.Eventually(t, a.crowded, 10*time.Second, time.Millisecond)
	assert.Equal(t, crowdedRest*time.Second, c.rest(time.Second))
	a.reads.leave()
	require.NoError(t, <-entered)
	a.reads.leave()
	assert.Equal(t, time.Second, c.rest(time.Second))
}
