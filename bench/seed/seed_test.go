package seed_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/bench/seed"
	"decnet/ingest"
	"decnet/repo"
)

// end is where the time of these tests ends.
func end() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

func generator(t *testing.T, s uint64) *seed.Generator {
	t.Helper()
	g, err := seed.New(seed.Config{Seed: s, End: end()})
	require.NoError(t, err)
	return g
}

// text is the first n lines of a seed.
func text(t *testing.T, s uint64, n int64) string {
	t.Helper()
	b, err := io.ReadAll(generator(t, s).Lines(n))
	require.NoError(t, err)
	return string(b)
}

func TestGenerator_TheSameSeedGivesTheSameLines(t *testing.T) {
	t.Parallel()
	const n = 5_300
	lines := text(t, 1, n)
	assert.Equal(t, n, strings.Count(lines, "\n"))
	assert.Equal(t, lines, text(t, 1, n))
	assert.Equal(t, lines, text(t, 1, 3*n)[:len(lines)], "the first lines of a longer run")
	assert.NotEqual(t, lines, text(t, 2, n))
}

func TestGenerator_GoesOnAtAnyLine(t *testing.T) {
	t.Parallel()
	const n = 4_200
	all := strings.Split(text(t, 7, n), "\n")
	g := generator(t, 7)
	for _, row := range []int64{0, 1, 999, 1000, 1001, 4_199, 2_500, 2_499, 0} {
		g.GoTo(row)
		require.Equal(t, row, g.Row())
		assert.Equalf(t, all[row], string(g.Next()), "line %d", row)
		if row+1 < n {
			assert.Equalf(t, all[row+1], string(g.Next()), "the line behind %d", row)
		}
	}
}

func TestLines_AreTheSameForAnyBuffer(t *testing.T) {
	t.Parallel()
	const n = 1_100
	want := text(t, 3, n)
	small, err := io.ReadAll(iotest.OneByteReader(generator(t, 3).Lines(n)))
	require.NoError(t, err)
	assert.Equal(t, want, string(small))
	halves, err := io.ReadAll(iotest.HalfReader(generator(t, 3).Lines(n)))
	require.NoError(t, err)
	assert.Equal(t, want, string(halves))
}

// events reads lines as the service does.
func events(t *testing.T, g *seed.Generator, n int64) []repo.Event {
	t.Helper()
	formats := ingest.Formats()
	var list []repo.Event
	for line := range bytes.Lines(must(io.ReadAll(g.Lines(n)))(t)) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		i := 0
		for !formats[i].Sniff(line) {
			i++
			require.Lessf(t, i, len(formats), "no format knows %s", line)
		}
		records, err := formats[i].Parse(line)
		require.NoErrorf(t, err, "%s", line)
		require.Lenf(t, records, 1, "%s", line)
		list = append(list, records[0].Event)
	}
	return list
}

// times reads only when lines were written.
func times(t *testing.T, g *seed.Generator, n int64) []time.Time {
	t.Helper()
	list := make([]time.Time, n)
	for i := range list {
		_, rest, ok := bytes.Cut(g.Next(), []byte(`"timestamp":"`))
		require.True(t, ok)
		at, err := time.Parse(time.RFC3339, string(rest[:bytes.IndexByte(rest, '"')]))
		require.NoError(t, err)
		list[i] = at
	}
	return list
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

func TestGenerator_EveryLineIsAnEventOfAnAttacker(t *testing.T) {
	t.Parallel()
	found, services, bounties := map[string]int{}, map[string]int{}, map[string]int{}
	commands := 0
	for _, e := range events(t, generator(t, 1), 10_000) {
		require.NotEqual(t, repo.UnknownAttacker, e.AttackerIP, e.RawLine)
		assert.Truef(t, e.Time.Before(end()) && !e.Time.Before(end().Add(-seed.DefaultSpan)), "%v is outside of the span", e.Time)
		found[e.EventType]++
		services[e.Service]++
		if e.Command != "" {
			commands++
		}
		for _, b := range e.Bounties {
			bounties[b.Type]++
		}
	}
	for _, s := range []string{"ssh", "telnet", "http", "ftp", "smb", "mysql", "redis"} {
		assert.Positivef(t, services[s], "events of %s", s)
	}
	for _, e := range []string{
		"connect", "connection", "disconnect", "client_version", "kex", "client_kex", "login_failed", "login_success",
		"auth_attempt", "command", "file_download", "request", "session_params", "log_closed",
	} {
		assert.Positivef(t, found[e], "events of the type %s", e)
	}
	for _, b := range []string{repo.BountyCredential, repo.BountyFingerprint, repo.BountyPayload} {
		assert.Positivef(t, bounties[b], "bounties: %s", b)
	}
	assert.Greater(t, commands, 250)
}

func TestGenerator_TimeIsFullAndEven(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{1_000, 5_000, 10_000, 50_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			days := make([]int64, 30)
			var last time.Time
			for _, at := range times(t, generator(t, 1), n) {
				days[at.Sub(end().Add(-seed.DefaultSpan))/(24*time.Hour)]++
				if at.After(last) {
					last = at
				}
			}
			for day, events := range days {
				switch {
				case n >= 50_000: // a block lasts a day at most
					assert.InDeltaf(t, n/30, events, float64(n/30)*0.8, "day %d of %v", day, days)
				case n >= 10_000:
					assert.Positivef(t, events, "day %d of %v", day, days)
				}
			}
			if n < 10_000 {
				return // a block lasts weeks: its last attacker may be gone before its end
			}
			assert.Less(t, end().Sub(last), 12*time.Hour)
		})
	}
}

func TestGenerator_TimeRisesWithinASweep(t *testing.T) {
	t.Parallel()
	var before time.Time
	falls := 0
	for _, at := range times(t, generator(t, 1), 20_000) {
		if at.Before(before) {
			falls++
		}
		before = at
	}
	assert.Equal(t, 4, falls, "at 1 000, 2 000, 5 000 and 10 000 lines the time begins anew")
}

func TestNew_RefusesANegativeSpan(t *testing.T) {
	t.Parallel()
	_, err := seed.New(seed.Config{End: end(), Span: -time.Hour})
	assert.Error(t, err)
}
