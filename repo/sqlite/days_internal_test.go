package sqlite

import (
	"database/sql/driver"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestQuarters packs days, and adds and takes them as the functions in SQL do.
func TestQuarters(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(20261124, 1))
	random := func() (q quarters) {
		for range r.IntN(len(q) + 20) {
			q[r.IntN(len(q))] += 1 + r.Int64N(1<<r.IntN(40))
		}
		return q
	}
	for range 200 {
		a, b := random(), random()
		var sum, read quarters
		read.add(a.pack(), 1)
		assert.Equal(t, a, read)
		for i := range sum {
			sum[i] = a[i] + b[i]
		}
		packed := quartersSum([]driver.Value{a.pack(), b.pack()})
		assert.Equal(t, sum.pack(), packed)
		assert.Equal(t, b.pack(), quartersLess([]driver.Value{packed, a.pack()}))
	}
	full := quarters{0: 1, quartersOfDay - 1: math.MaxInt64}
	var read quarters
	read.add(full.pack(), 1)
	assert.Equal(t, full, read)
	assert.Empty(t, quartersLess([]driver.Value{full.pack(), full.pack()}), "a day without events is an empty row, which goes")
	assert.Empty(t, quartersLess([]driver.Value{nil, full.pack()}), "nothing counts below zero")
}

// TestQuarters_Damaged reads rows that no writer of ours made: they count what can
// be read, and nothing outside of the day.
func TestQuarters_Damaged(t *testing.T) {
	t.Parallel()
	for name, packed := range map[string]string{
		"cut in a count": "\x00\x01\x00\x80",
		"cut before one": "\x00\x01\x00",
		"beyond the day": "\x00\x01\x5f\x07",
		"far beyond":     "\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x07",
		"endless number": "\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		var q quarters
		q.add([]byte(packed), 1)
		assert.Equal(t, quarters{0: 1}, q, name)
	}
	assert.Empty(t, quartersOf([]driver.Value{"96:1,-1:1,12,12:x,:3"}), "what is no quarter of a day")
	assert.Equal(t, (&quarters{95: 3}).pack(), quartersOf([]driver.Value{"95:1,96:1,95:2"}))
}
