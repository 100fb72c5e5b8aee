package sqlite_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

// TestHistogram_OfAValueByMinutes reads the rows, of which it may read so many; by
// quarters of an hour they are counted already.
func TestHistogram_OfAValueByMinutes(t *testing.T) {
	t.Parallel()
	s := clone(t, template(t), sqlite.Options{SearchRows: 20})
	f := repo.LogFilter{Search: repo.Equals{Column: repo.ColumnService, Value: "ssh"}}
	require.NoError(t, s.Commit(t.Context(), someEvents(100)))
	bars, err := s.Histogram(t.Context(), f, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, []repo.Bucket{{Start: huntDay(), Count: 60}, {Start: huntDay().Add(time.Minute), Count: 40}}, bars)
	require.NoError(t, s.Commit(t.Context(), someEvents(1)))
	_, err = s.Histogram(t.Context(), f, time.Minute)
	require.ErrorIs(t, err, repo.ErrTooBroad)
	bars, err = s.Histogram(t.Context(), f, time.Hour)
	require.NoError(t, err)
	assert.Equal(t, []repo.Bucket{{Start: huntDay(), Count: 101}}, bars)
}

// TestHistogram_FromWithinWhatExpired: the minutes that the range has whole are shown
// as they were, wherever it begins.
func TestHistogram_FromWithinWhatExpired(t *testing.T) {
	t.Parallel()
	s := clone(t, template(t), sqlite.Options{})
	require.NoError(t, s.Commit(t.Context(), someEvents(12*60)))
	_, _, err := s.Expire(t.Context(), huntDay().Add(10*time.Minute+30*time.Second), 1000)
	require.NoError(t, err)
	for first := range 12 {
		start := huntDay().Add(time.Duration(first) * time.Minute)
		var want []repo.Bucket
		for minute := first; minute < 12; minute++ {
			want = append(want, repo.Bucket{Start: huntDay().Add(time.Duration(minute) * time.Minute), Count: 60})
		}
		bars, err := s.Histogram(t.Context(), repo.LogFilter{Start: start}, time.Minute)
		require.NoError(t, err)
		assert.Equal(t, want, bars)
	}
}
