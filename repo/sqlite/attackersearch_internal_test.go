package sqlite

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestAttackerSearches_KnowsLateChangesOnly: what changed is known of the last commits,
// and of none across one that another process made.
func TestAttackerSearches_KnowsLateChangesOnly(t *testing.T) {
	t.Parallel()
	const last = 2 * changesKept
	s := newAttackerSearches()
	for v := range int64(last) {
		s.changed(v+1, []int64{v + 1, -v})
	}
	assert.Len(t, s.changes, changesKept, "memory is bounded")
	ids, ok := s.since(last-2, last)
	assert.True(t, ok)
	assert.Equal(t, []int64{last - 1, 2 - last, last, 1 - last}, ids)
	ids, ok = s.since(last, last)
	assert.True(t, ok)
	assert.Empty(t, ids)
	ids, ok = s.since(last-changesKept, last)
	assert.True(t, ok)
	assert.Len(t, ids, 2*changesKept)
	for name, version := range map[string]int64{"too long ago": last - changesKept - 1, "never": 0} {
		_, ok = s.since(version, last)
		assert.False(t, ok, name)
	}
	_, ok = s.since(last, last+1)
	assert.False(t, ok, "another process wrote")
	s.changed(last+2, nil)
	_, ok = s.since(last, last+2)
	assert.False(t, ok, "another process wrote before")
	_, ok = s.since(last+1, last+2)
	assert.True(t, ok)
}

// TestAttackerSearches_OfTheFirstVersion: where nothing was ever changed nothing is
// known of it either.
func TestAttackerSearches_OfTheFirstVersion(t *testing.T) {
	t.Parallel()
	s := newAttackerSearches()
	s.changed(1, []int64{7})
	_, ok := s.since(0, 1)
	assert.False(t, ok)
}
