package sqlite

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestExpire_KeepsSomePagesFree for what comes next, in proportion to the file, and
// gives back all the others.
func TestExpire_KeepsSomePagesFree(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := loggedStore(t, Options{})
	events := bigEvents(32)
	for i := range events {
		events[i].RawLine = strings.Repeat("x", 1<<20)
	}
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: events}))
	var pages, free, full int64
	look := func() {
		require.NoError(t, s.read.QueryRowContext(ctx, "SELECT p.page_count, f.freelist_count FROM pragma_page_count AS p, pragma_freelist_count AS f").
			Scan(&pages, &free))
	}
	look()
	full = pages
	_, more, err := s.Expire(ctx, time.Unix(16, 0), 100)
	require.NoError(t, err)
	require.False(t, more)
	look()
	assert.InDelta(t, pagesAtOnce, full-pages, 8, "no call takes long")
	for range 10 {
		_, _, err = s.Expire(ctx, time.Unix(16, 0), 100)
		require.NoError(t, err)
	}
	look()
	assert.LessOrEqual(t, free, sparePages+pages/spareShare)
	assert.Greater(t, free, pages/spareShare, "at most one step of a call more is given back")
}

// TestExpire_ExactlyAsManyAsItMay: there is nothing more to do then.
func TestExpire_ExactlyAsManyAsItMay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := loggedStore(t, Options{})
	b := &repo.Batch{Events: bigEvents(3)}
	for range 3 {
		b.Rejects = append(b.Rejects, repo.Reject{SeenAt: time.Unix(1, 0), Line: []byte("x")})
	}
	require.NoError(t, s.Commit(ctx, b))
	removed, more, err := s.Expire(ctx, time.Unix(100, 0), 3)
	require.NoError(t, err)
	assert.EqualValues(t, 3, removed)
	assert.False(t, more)
}

// TestSizeExceeds_OfExactlyThatSize does not.
func TestSizeExceeds_OfExactlyThatSize(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	tp, err := NewTemplate(ctx, nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tp.Close()) })
	s, err := tp.Clone(ctx, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	var size int64
	require.NoError(t, s.read.QueryRowContext(ctx, "SELECT 4096 * (p.page_count - f.freelist_count) FROM pragma_page_count AS p, pragma_freelist_count AS f").
		Scan(&size))
	for less, want := range []bool{false, true} {
		over, err := s.SizeExceeds(ctx, size-int64(less))
		require.NoError(t, err)
		assert.Equal(t, want, over)
	}
}
