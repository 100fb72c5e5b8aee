package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestBoard_SumsUpThoseThatWereSilentTheLongest: anybody may connect, so the board
// has an end; and no line is lost from the sums.
func TestBoard_SumsUpThoseThatWereSilentTheLongest(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_000_000_000, 0)
	b := newBoard(func() time.Time { return at })
	lines := int64(0)
	line := func(id int, of *push) {
		at = at.Add(time.Second)
		lines++
		p := &progress{kind: KindFile, reasons: map[string]int64{}, ignored: map[string]int64{}}
		p.add(&span{chunk: chunk{
			push: of, counts: Counts{Lines: 1, Rejected: 1}, rejects: []repo.Reject{{Reason: "r"}}, ignored: []string{"i"}, readAt: at,
			pos: repo.Position{Source: map[bool]string{true: "file-1"}[of == nil]},
		}}, nil)
		b.stored(at, map[int]*progress{id: p})
	}
	pushed := &push{}
	sensors := []int{b.stream(KindSensor, "sensor 0")}
	line(sensors[0], pushed)
	line(b.add(SourceStatus{Path: "named.json", Kind: KindFile, State: StateDone}, false), nil)
	line(b.connect("198.51.100.1"), pushed)
	for name, state := range map[string]State{"done": StateDone, "waiting": StateWaiting, "reading": StateReading} {
		id := b.stream(KindFile, name)
		b.source(id, func(s *SourceStatus) { s.State = state })
		line(id, nil)
	}
	for len(b.order) < maxSources {
		sensors = append(sensors, b.stream(KindSensor, fmt.Sprint("sensor ", len(sensors))))
		line(sensors[len(sensors)-1], pushed)
	}
	for n := range 4 {
		if n == 3 {
			line(sensors[1], pushed) // then sensor 2 is silent the longest
		}
		line(b.stream(KindSensor, fmt.Sprint("new ", n)), pushed)
	}
	line(sensors[0], pushed) // what was on its way
	b.disconnect(sensors[0], nil)

	sources := map[string]SourceStatus{}
	st := b.snapshot()
	var all int64
	for _, s := range st.Sources {
		sources[s.Kind+" "+s.Path] = s
		all += s.Lines
	}
	assert.Len(t, st.Sources, maxSources+2)
	assert.Equal(t, lines, st.Lines)
	assert.Equal(t, lines, all)
	for _, kept := range []string{"file named.json", "syslog 198.51.100.1", "file reading", "sensor sensor 1", "sensor sensor 3", "sensor new 3"} {
		assert.Contains(t, sources, kept)
	}
	for _, gone := range []string{"sensor sensor 0", "file done", "file waiting", "sensor sensor 2"} {
		assert.NotContains(t, sources, gone)
	}
	files, others := sources["file others"], sources["sensor others"]
	assert.EqualValues(t, 2, files.Lines)
	require.EqualValues(t, 3, others.Lines)
	assert.Equal(t, map[string]int64{"r": 3}, others.RejectedBy)
	assert.Equal(t, map[string]int64{"i": 3}, others.IgnoredBy)
}

func TestMeter_CountsTheLastMinute(t *testing.T) {
	t.Parallel()
	var m meter
	now := time.Unix(1_000_000_000, 0)
	for second := range 300 {
		m.add(now, 2)
		if second >= 60 {
			assert.InDelta(t, 1.92, m.rate(now), 0.09, "the slot that is under way is not full")
		}
		now = now.Add(time.Second)
	}
	assert.InDelta(t, 1, m.rate(now.Add(30*time.Second)), 0.17)
	assert.Zero(t, m.rate(now.Add(time.Minute)))
	m.add(now.Add(-time.Hour), 60)
	assert.InDelta(t, 1, m.rate(now.Add(time.Minute)), 0.001, "a clock that was set back")
	assert.Zero(t, m.rate(now.Add(time.Hour)))
}
