package sqlite

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// randomAttempts are quarters of an hour in which somebody tried, of few or of many
// days.
func randomAttempts(r *rand.Rand) []int64 {
	list := make([]int64, 1+r.IntN(600)*(1+r.IntN(4)))
	days := 1 + r.Int64N(int64(1+r.IntN(900)))
	for i := range list {
		list[i] = 20_000*quartersOfDay + r.Int64N(days*quartersOfDay)
		if r.IntN(400) == 0 {
			list[i] = []int64{0, lastQuarter, 1, quartersOfDay}[r.IntN(4)]
		}
	}
	return list
}

// TestAttemptTimes_OrderDoesNotMatter adds attempts in any order, through the packed
// form now and then: the form in the end is the same, and its sum is their number.
func TestAttemptTimes_OrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 8))
	for range 150 {
		list := randomAttempts(r)
		var want []byte
		for order := range 4 {
			switch order {
			case 1:
				slices.Sort(list)
			case 2:
				slices.Reverse(list)
			default:
				r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			}
			var times attemptTimes
			for i, q := range list {
				times.add(q, 1)
				if i%97 == 0 {
					var again attemptTimes
					require.True(t, again.decode(times.encode(nil)))
					times = again
				}
			}
			assert.EqualValues(t, len(list), times.sum())
			got := times.encode(nil)
			if want == nil {
				want = got
			}
			require.Equal(t, want, got)
		}
	}
}

// TestAttemptTimes_Within compares spans with counting attempt by attempt: by
// quarters on the two newest days, by days before them. What is older than the days
// that are kept counts where all of it is in the span.
func TestAttemptTimes_Within(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 8))
	for range 300 {
		list := randomAttempts(r)
		slices.Sort(list)
		var times attemptTimes
		days := []int64{}
		for _, q := range list {
			times.add(q, 1)
			if day := q / quartersOfDay; len(days) == 0 || days[len(days)-1] != day {
				days = append(days, day)
			}
		}
		oldest, fine := days[max(0, len(days)-keptDays)], days[max(0, len(days)-fineDays)]
		for range 20 {
			a, b := list[r.IntN(len(list))]+r.Int64N(3)-1, list[r.IntN(len(list))]+r.Int64N(3)-1
			a, b = max(0, min(a, b)), min(lastQuarter, max(a, b))
			s := span{a*quarter + r.Int64N(quarter), b * quarter}
			s.last = max(s.first, s.last+r.Int64N(quarter))
			if s.last > repo.MaxUnixNano {
				s.first, s.last = min(s.first, repo.MaxUnixNano), repo.MaxUnixNano
			}
			a, b = s.first/quarter, s.last/quarter
			var want, before, in, until int64
			for _, q := range list {
				day := q / quartersOfDay
				whole := day >= a/quartersOfDay && day <= b/quartersOfDay
				switch {
				case day < oldest:
					before++
					until = (day+1)*quartersOfDay - 1
					if q >= a && q <= b {
						in++
					}
				case day >= fine && q >= a && q <= b, day < fine && whole:
					want++
				}
			}
			all := a <= list[0] && b >= until
			if all {
				want += before
			}
			n, unsure := times.within(s, list[0]*quarter)
			assert.Equal(t, want, n)
			if all || before == 0 {
				assert.Zero(t, unsure)
			} else if in > 0 {
				assert.Equal(t, before, unsure)
			}
		}
		n, unsure := times.within(whole(), list[0]*quarter)
		assert.EqualValues(t, len(list), n)
		assert.Zero(t, unsure)
		n, _ = times.within(span{repo.MaxUnixNano, 0}, 0)
		assert.Zero(t, n, "nothing is within an empty span, though it may be widened")
	}
}

// TestAttemptTimes_IsBounded: a credential that is tried all the time for years
// takes some kilobytes, and one that is tried once a few bytes.
func TestAttemptTimes_IsBounded(t *testing.T) {
	t.Parallel()
	var times attemptTimes
	for q := range 3 * 365 * quartersOfDay {
		times.add(20_000*quartersOfDay+q, 1_000)
	}
	assert.Less(t, len(times.encode(nil)), 2_500)
	assert.Equal(t, 3*365*quartersOfDay*1_000, times.sum())
	times.clear()
	times.add(20_000*quartersOfDay, 1)
	assert.Less(t, len(times.encode(nil)), 8)
}

// TestAttemptTimes_OfOldDays: until when the attempts were of which no day is kept
// decides whether a span has all of them.
func TestAttemptTimes_OfOldDays(t *testing.T) {
	t.Parallel()
	const firstDay = 20_000
	var times attemptTimes
	for day := range int64(keptDays + 2) {
		times.add((firstDay+day)*quartersOfDay+5, 1)
	}
	assert.Len(t, times.days, keptDays-fineDays)
	began := (firstDay*quartersOfDay + 5) * quarter
	end := (firstDay + 2) * quartersOfDay * quarter // of the second day
	for _, tc := range []struct{ last, n, unsure int64 }{
		{end - 1, 2, 0}, {end - quarter - 1, 0, 2}, {end - quarter, 2, 0}, {began - 1, 0, 0},
	} {
		n, unsure := times.within(span{0, tc.last}, began)
		assert.Equal(t, []int64{tc.n, tc.unsure}, []int64{n, unsure}, tc.last-end)
	}
	n, unsure := times.within(span{end, repo.MaxUnixNano}, began)
	assert.EqualValues(t, keptDays, n)
	assert.Zero(t, unsure)
}

// TestAttemptTimes_RefusesWhatNobodyWrote: two days of quarters, then days before them,
// not more than are kept.
func TestAttemptTimes_RefusesWhatNobodyWrote(t *testing.T) {
	t.Parallel()
	const day = 20_000
	fine := []attemptsAt{{day * quartersOfDay, 1}, {day*quartersOfDay - 1, 1}}
	days := func(from int64, n int) (list []attemptsAt) {
		for i := range int64(n) {
			list = append(list, attemptsAt{from - i, 1})
		}
		return list
	}
	for name, tc := range map[string]struct {
		times attemptTimes
		good  bool
	}{
		"few":                {attemptTimes{quarters: fine[:1]}, true},
		"as many as can be":  {attemptTimes{quarters: fine, days: days(day-2, keptDays-fineDays)}, true},
		"one day too many":   {attemptTimes{quarters: fine, days: days(day-2, keptDays-fineDays+1)}, false},
		"a day of quarters":  {attemptTimes{quarters: fine, days: days(day-1, 1)}, false},
		"a later day":        {attemptTimes{quarters: fine, days: days(day+1, 1)}, false},
		"days too early":     {attemptTimes{quarters: fine[:1], days: days(day-2, 1)}, false},
		"three fine days":    {attemptTimes{quarters: append(fine[:2:2], attemptsAt{(day - 2) * quartersOfDay, 1})}, false},
		"quarters backwards": {attemptTimes{quarters: []attemptsAt{fine[1], fine[1]}}, false},
		"none in a quarter":  {attemptTimes{quarters: []attemptsAt{{day, 0}}}, false},
	} {
		var read attemptTimes
		assert.Equal(t, tc.good, read.decode(tc.times.encode(nil)), name)
	}
}

// TestTimesOf_OldRow: of a row without times the first and the last attempt are
// known, and the others count only where all of them do.
func TestTimesOf_OldRow(t *testing.T) {
	t.Parallel()
	day := int64(24 * time.Hour)
	at := 20_000*day + 5*quarter
	for _, tc := range []struct {
		name                   string
		attempts, first, last  int64
		span                   span
		wantWithin, wantUnsure int64
	}{
		{"one", 1, at, at, span{at, at}, 1, 0},
		{"one, before it", 1, at, at, span{at - day, at - quarter}, 0, 0},
		{"two", 2, at, at + 9*day, span{at, at + day}, 1, 0},
		{"many at once", 7, at, at + 1, span{at, at}, 7, 0},
		{"many", 7, at, at + 9*day, span{at, at + 9*day}, 7, 0},
		{"many of one day", 7, at, at + 2*quarter, span{at, at + 2*quarter}, 7, 0},
		{"many of one day, the last", 7, at, at + 2*quarter, span{at + 2*quarter, at + day}, 1, 5},
		{"many, between", 7, at, at + 9*day, span{at + day, at + 8*day}, 0, 5},
		{"many, the last", 7, at, at + 9*day, span{at + 9*day, at + 20*day}, 1, 5},
		{"many, the first", 7, at, at + 9*day, span{0, at + 8*day}, 1, 5},
		{"many, after", 7, at, at + 9*day, span{at + 10*day, math.MaxInt64}, 0, 0},
		{"many, before", 7, at, at + 9*day, span{0, at - day}, 0, 0},
		{"damage", -7, at, at, span{0, math.MaxInt64}, 0, 0},
	} {
		for _, packed := range [][]byte{nil, {}, {0xff}} {
			var times attemptTimes
			timesOf(packed, tc.attempts, tc.first, tc.last, &times)
			assert.Equal(t, max(tc.attempts, 0), times.sum(), tc.name)
			n, unsure := times.within(tc.span, tc.first)
			assert.Equal(t, tc.wantWithin, n, tc.name)
			assert.Equal(t, tc.wantUnsure, unsure, tc.name)
		}
	}
}

// FuzzAttemptTimes: what damage makes of the column is refused, or is a form that
// encode could have written.
func FuzzAttemptTimes(f *testing.F) {
	var times attemptTimes
	for i := range int64(500) {
		times.add((20_000+i)*quartersOfDay+i%quartersOfDay, 1+i)
	}
	f.Add(times.encode(nil))
	f.Add([]byte{0, 1, 7, 1, 3, 1})
	f.Add([]byte{5, 9, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var times, again attemptTimes
		if !times.decode(b) {
			return
		}
		packed := times.encode(nil)
		assert.LessOrEqual(t, len(packed), len(b))
		require.True(t, again.decode(packed))
		assert.GreaterOrEqual(t, times.sum(), int64(0))
		assert.Equal(t, times.sum(), again.sum())
		times.add(lastQuarter, 1)
		n, _ := times.within(whole(), 0)
		assert.Equal(t, again.sum()+1, n)
	})
}
