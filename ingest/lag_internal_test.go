package ingest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestLag_OfBusySource is a file that is never read to its end, because it grows all
// the time: it is as far behind as its oldest line that is not stored, and not since
// it began to be busy.
func TestLag_OfBusySource(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 4, 17, 10, 0, 0, 0, time.UTC)
	s := &onBoard{}
	behind := func(size, offset int64) time.Duration {
		s.Size, s.Offset = size, offset
		s.noteLag(func() time.Time { return now })
		if s.BehindSince.IsZero() {
			return 0
		}
		return now.Sub(s.BehindSince)
	}
	assert.Zero(t, behind(0, 0))
	assert.Zero(t, behind(1000, 0), "it came now")
	for second := range int64(600) {
		now = now.Add(time.Second)
		assert.LessOrEqual(t, behind(2000+1000*second, 1000*second), 2*time.Second, "second %d", second)
		assert.GreaterOrEqual(t, behind(2000+1000*second, 1000*second), time.Second)
	}
	size := s.Size
	for range 500 { // nothing is stored, while the file grows
		now = now.Add(time.Second)
		size += 10
		behind(size, s.Offset)
	}
	assert.InDelta(t, 500, behind(size, s.Offset).Seconds(), 5)
	assert.InDelta(t, 250, behind(size, s.Offset+2000+2500).Seconds(), 20, "half of it is stored")
	assert.Zero(t, behind(size, size))
	now = now.Add(time.Hour)
	assert.Zero(t, behind(500, 0), "another file, that came now")
	now = now.Add(time.Minute)
	assert.Equal(t, time.Minute, behind(500, 100))
	now = now.Add(time.Hour)
	assert.Zero(t, behind(400, 100), "another one, while the last was not stored")
	assert.Zero(t, behind(500, 500))
}
