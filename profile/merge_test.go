package profile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/profile"
	"decnet/repo"
)

// story are n events of all sorts with gaps of the given shape, in order of time.
// Distinct means that no two have the same time.
func story(rng *rand.Rand, n int, shape func(*rand.Rand) time.Duration, distinct bool) []repo.Event {
	events := mixedEvents(rng, n)
	var after time.Duration
	for i := range events {
		if i > 0 {
			after += shape(rng)
		}
		if distinct {
			after++
		}
		events[i].Time = start().Add(after)
	}
	return events
}

// told folds the events in a given order and a bounty for every fifth second
// that an event of theirs falls in.
func told(events ...repo.Event) *profile.State {
	s := fold(events...)
	for i := range events {
		if second := int(events[i].Time.Unix()); second%5 == 0 {
			b := bountyOf(second / 5)
			b.Time = events[i].Time
			s.AddBounty(b)
		}
	}
	return s
}

// merged merges from the left; the parts stay as they are.
func merged(parts ...*profile.State) *profile.State {
	s := profile.New()
	for _, p := range parts {
		s.Merge(p)
	}
	return s
}

func bytesOf(t *testing.T, s *profile.State) []byte {
	t.Helper()
	b := s.Marshal()
	return b
}

// requireSame compares what is shown and what is stored: what will be shown later.
func requireSame(t *testing.T, want, got *profile.State, what string) {
	t.Helper()
	require.Equal(t, want.Attacker(), got.Attacker(), what)
	require.Equal(t, bytesOf(t, want), bytesOf(t, got), what)
}

// divide deals events out to n parts, each in the order it was in.
func divide(events []repo.Event, n int, part func(i int) int) [][]repo.Event {
	parts := make([][]repo.Event, n)
	for i := range events {
		p := part(i)
		parts[p] = append(parts[p], events[i])
	}
	return parts
}

// dealings are the ways to deal out that do not follow time.
func dealings(rng *rand.Rand, parts int) map[string]func(int) int {
	return map[string]func(int) int{
		"at random":    func(int) int { return rng.IntN(parts) },
		"in turn":      func(i int) int { return i % parts },
		"in runs":      func(i int) int { return i / 40 % parts },
		"few and many": func(int) int { return min(rng.IntN(20), parts-1) },
	}
}

// stir moves every event by less than the chain's length.
func stir(rng *rand.Rand, events []repo.Event) {
	for part := range slices.Chunk(events, 30) {
		rng.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
	}
}

// settled is an attacker without what depends on the gaps, and without the end
// of reconnaissance.
func settled(s *profile.State) repo.Attacker {
	a := s.Attacker()
	b := &a.Behavior
	b.Timing = repo.Timing{EventCount: b.Timing.EventCount, Duration: b.Timing.Duration}
	b.Class, b.BeaconInterval, b.BeaconJitter = "", nil, nil
	b.Tools = slices.DeleteFunc(b.Tools, func(tool string) bool {
		return slices.Contains([]string{"cobalt_strike", "sliver", "havoc", "mythic"}, tool)
	})
	b.Phases.ReconEnd, b.Phases.ExfilLatency = time.Time{}, nil
	return a
}

// withoutRecon is an attacker without the end of reconnaissance.
func withoutRecon(s *profile.State) repo.Attacker {
	a := s.Attacker()
	a.Behavior.Phases.ReconEnd, a.Behavior.Phases.ExfilLatency = time.Time{}, nil
	return a
}

func TestMerge_HalvesThatFollowEachOther(t *testing.T) {
	t.Parallel()
	for name, shape := range shapes() {
		for _, n := range []int{1, 2, 10, profile.MaxChain, profile.MaxChain + 1, 140, 600} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(101, uint64(n)))
				events := story(rng, n, shape, false)
				whole := told(events...)
				for _, k := range []int{0, 1, n / 3, n / 2, n - 1, n, rng.IntN(n + 1)} {
					a, b := told(events[:k]...), told(events[k:]...)
					requireSame(t, whole, merged(a, b), fmt.Sprintf("cut at %d", k))
				}
			})
		}
	}
}

// TestMerge_OrderOfArrivalDoesNotMatter: neither inside the halves nor for which
// of them comes first.
func TestMerge_OrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(103, 104))
			for range 20 {
				n := 1 + rng.IntN(500)
				k := rng.IntN(n + 1)
				events := story(rng, n, shape, true)
				whole := told(events...)
				stir(rng, events[:k])
				stir(rng, events[k:])
				a, b := told(events[:k]...), stored(t, told(events[k:]...))
				// The end of reconnaissance is that of the halves: each may have seen
				// its first transfer behind many other events.
				require.Equal(t, withoutRecon(whole), withoutRecon(merged(a, b)))
				require.Equal(t, withoutRecon(whole), withoutRecon(merged(b, a)))
			}
		})
	}
}

func TestMerge_HalvesOfFewEventsAreExactHoweverDivided(t *testing.T) {
	t.Parallel()
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(105, 106))
			for how, part := range dealings(rng, 2) {
				for range 20 {
					events := story(rng, 1+rng.IntN(profile.MaxChain), shape, true)
					parts := divide(events, 2, part)
					want := withoutRecon(told(events...))
					a, b := told(parts[0]...), told(parts[1]...)
					require.Equal(t, want, withoutRecon(merged(a, b)), how)
					require.Equal(t, want, withoutRecon(merged(b, a)), how)
				}
				// Twice as many, so that the merged chain overflows.
				events := story(rng, 2*profile.MaxChain, shape, true)
				parts := divide(events, 2, func(i int) int { return i % 2 })
				require.Equal(t, withoutRecon(told(events...)),
					withoutRecon(merged(told(parts[0]...), told(parts[1]...))))
			}
		})
	}
}

// TestMerge_FewAmongTheLatestOfMany is a batch that is folded in beside a
// profile.
func TestMerge_FewAmongTheLatestOfMany(t *testing.T) {
	t.Parallel()
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(107, 108))
			for range 20 {
				n := 300 + rng.IntN(300)
				events := story(rng, n, shape, true)
				parts := divide(events, 2, func(i int) int {
					if i > n-profile.MaxChain {
						return rng.IntN(2)
					}
					return 0
				})
				whole := withoutRecon(told(events...))
				many, few := told(parts[0]...), told(parts[1]...)
				require.Equal(t, whole, withoutRecon(merged(many, few)))
				require.Equal(t, whole, withoutRecon(merged(few, many)))
			}
		})
	}
}

// TestMerge_HalvesOfManyEventsThatInterleave: all but the gaps is exact, and the
// gaps are off to one side only.
func TestMerge_HalvesOfManyEventsThatInterleave(t *testing.T) {
	t.Parallel()
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(109, 110))
			for how, part := range dealings(rng, 2) {
				n := 200 + rng.IntN(1000)
				events := story(rng, n, shape, true)
				parts := divide(events, 2, part)
				whole := told(events...)
				a, b := told(parts[0]...), told(parts[1]...)
				for _, got := range []*profile.State{merged(a, b), merged(b, a)} {
					require.Equal(t, settled(whole), settled(got), how)
					want, timing := whole.Attacker().Behavior.Timing, got.Attacker().Behavior.Timing
					const slack = 1e-9
					assert.GreaterOrEqual(t, *timing.Min, *want.Min, how)
					assert.GreaterOrEqual(t, *timing.Max, *want.Max, how)
					assert.GreaterOrEqual(t, *timing.Mean*(1+slack), *want.Mean, how)
					most := 2 * float64(n-1) / float64(n-2)
					assert.LessOrEqual(t, *timing.Mean, most**want.Mean*(1+slack), how)
				}
			}
		})
	}
}

func TestMerge_EndOfReconOfHalvesThatInterleave(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(111, 112))
	for range 100 {
		var events []repo.Event
		for i := range 200 {
			e := step(2*i, "connect")
			if i > 170 && rng.IntN(4) == 0 {
				e.EventType = "download"
			}
			events = append(events, e)
		}
		parts := divide(events, 2, func(i int) int { return i % 2 })
		whole := told(events...).Attacker().Behavior.Phases
		got := merged(told(parts[0]...), told(parts[1]...)).Attacker().Behavior.Phases
		require.Equal(t, whole, got)
	}
}

func TestMerge_WhichTwoComeFirstDoesNotMatter(t *testing.T) {
	t.Parallel()
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(113, 114))
			for range 20 {
				events := story(rng, 3+rng.IntN(600), shape, false)
				cut := []int{rng.IntN(len(events)), rng.IntN(len(events))}
				slices.Sort(cut)
				a, b, c := told(events[:cut[0]]...), told(events[cut[0]:cut[1]]...), told(events[cut[1]:]...)
				requireSame(t, merged(merged(a, b), c), merged(a, merged(b, c)), "one after the other")
			}
			for how, part := range dealings(rng, 3) {
				p := divide(story(rng, 900, shape, false), 3, part)
				a, b, c := told(p[0]...), told(p[1]...), told(p[2]...)
				require.Equal(t, settled(merged(merged(a, b), c)), settled(merged(a, merged(b, c))), how)
				p = divide(story(rng, profile.MaxChain, shape, false), 3, part)
				a, b, c = told(p[0]...), told(p[1]...), told(p[2]...)
				require.Equal(t, withoutRecon(merged(merged(a, b), c)), withoutRecon(merged(a, merged(b, c))), how)
			}
		})
	}
}

func TestMerge_ANewStateChangesNothing(t *testing.T) {
	t.Parallel()
	requireSame(t, profile.New(), merged(profile.New()), "nothing and nothing")
	bounty := profile.New()
	bounty.AddBounty(bountyOf(1))
	requireSame(t, bounty, merged(bounty, profile.New()), "only a bounty")
	requireSame(t, bounty, merged(profile.New(), bounty), "only a bounty")
	for _, n := range []int{1, 5, profile.MaxChain, 500} {
		s := typical(n)
		old := at(-time.Hour, "ssh")
		for range 2 * n { // with a late chain as well
			s.Add(&old)
			old.Time = old.Time.Add(time.Second / 2)
		}
		requireSame(t, s, merged(s), "from the left")
		requireSame(t, s, merged(s, profile.New()), "from the right")
	}
}

func TestMerge_LeavesTheOtherAsItIs(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, 80, 700} {
		for _, shift := range []time.Duration{0, 24 * time.Hour} {
			events := mixedEvents(rand.New(rand.NewPCG(116, uint64(n))), n)
			for i := range events {
				events[i].Time = events[i].Time.Add(shift)
			}
			// The older ones come last: a late chain.
			a, b := typical(n), told(append(events[n/2:], events[:n/2]...)...)
			before := bytesOf(t, b)
			a.Merge(b)
			require.Equal(t, before, bytesOf(t, b))
			// They have no memory in common: events for one do not reach the other.
			for j := range 200 {
				e := at(shift+time.Duration(j)*time.Minute, fmt.Sprintf("service-%d", j))
				e.Decky, e.Command = fmt.Sprintf("other-%d", j), "id"
				e.Traits.OSGuess = fmt.Sprintf("os-%d", j)
				a.Add(&e)
			}
			require.Equal(t, before, bytesOf(t, b))
		}
	}
}

// every is a series of events on a day after start.
func every(gap time.Duration, n, day int) []repo.Event {
	var events []repo.Event
	for i := range n {
		events = append(events, at(time.Duration(day)*24*time.Hour+time.Duration(i)*gap, "ssh"))
	}
	return events
}

// TestMerge_OfOlderFilesReadAfterwards: the jumps back that the states dropped
// stay dropped, no gap inside a file is lost.
func TestMerge_OfOlderFilesReadAfterwards(t *testing.T) {
	t.Parallel()
	const n, slow, quick, slower = 200, 60 * time.Second, 10 * time.Second, 90 * time.Second
	a := fold(append(every(slow, n, 5), every(slower, n, 2)...)...)
	b := fold(append(every(slow, n, 6), every(quick, n, 1)...)...)
	for _, got := range []*profile.State{merged(a, b), merged(b, a)} {
		// The newer of the older files goes on.
		e := at(2*24*time.Hour+n*slower, "ssh")
		got.Add(&e)
		timing := stored(t, got).Attacker().Behavior.Timing
		assert.Equal(t, int64(4*n+1), timing.EventCount)
		sum := (n-1)*(2*slow+quick) + n*slower
		assertClose(t, sum.Seconds()/(4*(n-1)+1), timing.Mean, 1e-12, "mean")
		assertClose(t, slower.Seconds(), timing.Max, 0, "max")
	}
}

// TestMerge_WithAFewLateEvents: what came late is not where the chain begins.
func TestMerge_WithAFewLateEvents(t *testing.T) {
	t.Parallel()
	late := fold(append(every(time.Minute, profile.MaxChain, 5), every(time.Minute, 2, 1)...)...)
	other := fold(every(time.Minute, 200, 1)...)
	for _, got := range []*profile.State{merged(late, other), merged(other, late)} {
		assertClose(t, 60, got.Attacker().Behavior.Timing.Max, 0, "max")
	}
}

// TestMerge_AGapThatSpansTheOther is counted as it was seen, beside those that
// the other has inside it.
func TestMerge_AGapThatSpansTheOther(t *testing.T) {
	t.Parallel()
	a := fold(append(every(time.Second, 100, 0), at(1300*time.Second, "ssh"))...)
	var inside []repo.Event
	for i := range 100 {
		inside = append(inside, at(time.Duration(1099+i)*time.Second, "ssh"))
	}
	b := fold(inside...)
	for _, got := range []*profile.State{merged(a, b), merged(b, a)} {
		timing := got.Attacker().Behavior.Timing
		assertClose(t, 1300-99, timing.Max, 0, "max")
		assertClose(t, (1300.0+1300-1099)/200, timing.Mean, 1e-12, "mean")
	}
}

func TestMerge_StaysInBounds(t *testing.T) {
	t.Parallel()
	crowd := func(part int) *profile.State {
		rng := rand.New(rand.NewPCG(115, uint64(part)))
		s := profile.New()
		for i := range 300 {
			e := at(time.Duration(rng.Int64N(int64(time.Hour))), fmt.Sprintf("%d-%d", i, part))
			e.Decky = fmt.Sprintf("decky-%d", rng.IntN(600))
			e.Command = strings.Repeat("x", rng.IntN(2*profile.MaxCommandText))
			e.Traits.OSGuess = e.Service
			e.Traits.Retransmits = 1 << 62
			s.Add(&e)
			s.AddBounty(&repo.Bounty{
				Type: repo.BountyFingerprint, Time: e.Time,
				Payload: `"` + strings.Repeat("x", rng.IntN(profile.MaxFingerprintSize)) + `"`,
			})
		}
		return s
	}
	a, b, c := crowd(1), crowd(2), crowd(3)
	got := merged(a, b, c)
	requireSame(t, got, stored(t, got), "what is stored can be read")
	shown := got.Attacker()
	assert.Len(t, shown.Services, profile.MaxServices)
	assert.Len(t, shown.Deckies, profile.MaxDeckies)
	assert.Equal(t, int64(math.MaxInt64), shown.Behavior.RetransmitCount)
	assert.LessOrEqual(t, len(bytesOf(t, got)), 300<<10)
	other := merged(a, merged(b, c)).Attacker()
	assert.Equal(t, shown.Services, other.Services)
	assert.Equal(t, shown.Deckies, other.Deckies)
	assert.Equal(t, shown.Behavior.OSGuess, other.Behavior.OSGuess)
}

// TestMerge_DeckiesOfEarliestContactStay though no part saw all of them.
func TestMerge_DeckiesOfEarliestContactStay(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(117, 118))
	var events []repo.Event
	for i := range 3000 {
		e := at(time.Duration(i)*time.Second, "ssh")
		e.Decky = fmt.Sprintf("decky-%d", rng.IntN(900))
		events = append(events, e)
	}
	parts := divide(events, 2, func(int) int { return rng.IntN(2) })
	got := merged(fold(parts[0]...), fold(parts[1]...)).Attacker()
	assert.Equal(t, fold(events...).Attacker().Deckies, got.Deckies)
}

// TestMerge_CenturiesOfGapsAreRefused instead of wrapping around.
func TestMerge_CenturiesOfGapsAreRefused(t *testing.T) {
	t.Parallel()
	s := profile.New()
	for i := range 200 {
		e := at(0, "ssh")
		e.Time = time.Unix(0, repo.MaxUnixNano/200*int64(i))
		s.Add(&e)
	}
	want := *s.Attacker().Behavior.Timing.Mean
	for range 5 {
		s.Merge(s)
		a := stored(t, s).Attacker()
		assert.InEpsilon(t, want, *a.Behavior.Timing.Mean, 0.5)
		assert.LessOrEqual(t, *a.Behavior.Timing.Min, *a.Behavior.Timing.Mean)
	}
	assert.Equal(t, int64(200<<5), s.Attacker().EventCount)
}

func BenchmarkMerge(b *testing.B) {
	for _, n := range []int{5, 50, 1000, 20000} {
		one, other := typical(n), typical(n+1)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				merged(one, other) // two merges
			}
		})
	}
}
