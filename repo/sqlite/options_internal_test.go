package sqlite

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestOptions_Defaults are what Options says, for what is not set and what makes no sense.
func TestOptions_Defaults(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {Readers: -1, CheckpointPages: -1, CacheKiB: -1, SearchRows: -1, BusyTimeout: -1}} {
		o = o.withDefaults()
		assert.NotNil(t, o.Log)
		assert.WithinDuration(t, time.Now(), o.Now(), time.Minute)
		assert.Equal(t, max(4, 2*runtime.GOMAXPROCS(0)), o.Readers)
		assert.Equal(t, []int{16384, 32768, 150_000}, []int{o.CheckpointPages, o.CacheKiB, int(o.SearchRows)})
		assert.Equal(t, 5*time.Second, o.BusyTimeout)
	}
	o := Options{Readers: 1, CheckpointPages: 2, CacheKiB: 3, SearchRows: 4, BusyTimeout: 5}.withDefaults()
	assert.Equal(t, []int{1, 2, 3, 4, 5}, []int{o.Readers, o.CheckpointPages, o.CacheKiB, int(o.SearchRows), int(o.BusyTimeout)})
}
