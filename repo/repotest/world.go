package repotest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// day is when most events of the suite happen.
func day() time.Time { return time.Date(2026, 4, 17, 0, 0, 0, 0, time.UTC) }

// event is an ordinary event at an offset from day.
func event(after time.Duration, change ...func(*repo.Event)) repo.Event {
	e := repo.Event{Log: repo.Log{
		Time: day().Add(after), Decky: "decky-01", Service: "ssh", EventType: "login_attempt",
		AttackerIP: "192.0.2.1", RawLine: "login attempt", Fields: `{"port":22}`,
	}}
	for _, c := range change {
		c(&e)
	}
	return e
}

func commit(t *testing.T, s Store, events ...repo.Event) {
	t.Helper()
	require.NoError(t, s.Commit(t.Context(), &repo.Batch{Events: events}))
}

// randomEvents makes n events with few values, so that filters choose some, and
// with times that are equal or lie on the edges of buckets now and then.
func randomEvents(r *rand.Rand, n int) []repo.Event {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	events := make([]repo.Event, n)
	at := day()
	for i := range events {
		switch r.IntN(5) {
		case 0: // the same time again
		case 1:
			at = day().Add(time.Duration(r.IntN(72*60)) * time.Minute)
		case 2:
			at = day().Add(time.Duration(r.IntN(72*60))*time.Minute - 1)
		default:
			at = day().Add(time.Duration(r.Int64N(int64(72 * time.Hour))))
		}
		events[i] = repo.Event{Log: repo.Log{
			Time: at, Decky: pick("decky-01", "decky-02", "DECKY-03", "ünï"), Service: pick("ssh", "http", "smb"),
			EventType:  pick("login_attempt", "request", "connect"),
			AttackerIP: pick("192.0.2.1", "192.0.2.22", "2001:db8::1", repo.UnknownAttacker),
			RawLine:    randomText(r), Fields: randomFields(r), Msg: pick("", "hello"),
		}}
	}
	return events
}

// alphabet has what engines trip over: case, wildcards, quotes, NUL, bytes that
// are not UTF-8, letters whose case is not ASCII.
func alphabet() []string {
	return []string{
		"a", "A", "b", "B", "é", "É", "%", "_", "\\", "'", `"`, "\x00", "\xff", "\x80", "ſ", "K", "k", " ", "ssh", "*", "?", "[", "\n",
	}
}

func randomText(r *rand.Rand) string {
	var s string
	for range r.IntN(7) {
		s += alphabet()[r.IntN(len(alphabet()))]
	}
	return s
}

func randomFields(r *rand.Rand) string {
	values := []string{
		`443`, `"443"`, `4.430e2`, `true`, `null`, `"null"`, `""`, `{"a":[1,2]}`, `[]`, `"é%_"`, `"\u00e9%_"`, `"a\u0000b"`, `-0`, `"\""`, `1e400`,
		`12345678901234567890`, `"K"`, `"k"`,
	}
	s, sep := "{", ""
	for _, key := range []string{"port", "Port", "user_name", "0", `\u0070ort2`, "nested"} {
		if r.IntN(2) == 0 {
			s += sep + `"` + key + `":` + values[r.IntN(len(values))]
			sep = ","
		}
	}
	return s + "}"
}

func randomExpr(r *rand.Rand, depth int) repo.Expr {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	switch n := r.IntN(8); {
	case n < 2 && depth > 0:
		var and repo.And
		for range r.IntN(4) {
			and = append(and, randomExpr(r, depth-1))
		}
		return and
	case n < 4:
		return repo.Equals{
			Column: repo.Column(pick("decky", "service", "event", "attacker", "service", "nonsense")),
			Value: pick("ssh", "SSH", "decky-01", "decky-03", "DECKY-03", "ünï", "request", "192.0.2.1", "2001:db8::1", repo.UnknownAttacker,
				"", "\x00", "\xff", "ssh\x00"),
		}
	case n < 6:
		return repo.FieldEquals{
			Key: pick("port", "Port", "PORT", "user_name", "0", "port2", "nested", "absent", "user%name"),
			Value: pick("443", "4.430e2", "true", "null", "", `{"a":[1,2]}`, `{"a": [1,2]}`, "[]", "é%_", "É%_", "a\x00b", "-0", "0", `"`, "1e400",
				"12345678901234567890", "12345678901234567891", "k", "K", "\xff"),
		}
	default:
		return repo.Contains{Text: randomText(r)}
	}
}

// newestFirst are the events that a filter chooses, as package repo defines it.
func newestFirst(events []repo.Event, f repo.LogFilter) []repo.Log {
	list := []repo.Log{}
	for i := range events {
		if f.Match(&events[i].Log) {
			list = append(list, events[i].Log)
		}
	}
	slices.SortFunc(list, func(a, b repo.Log) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID))
	})
	return list
}

// naiveHistogram counts events without any index.
func naiveHistogram(events []repo.Event, f repo.LogFilter, interval time.Duration) []repo.Bucket {
	counts := map[int64]int64{}
	for i := range events {
		if l := &events[i].Log; f.Match(l) {
			counts[l.Time.UnixNano()/int64(interval)]++
		}
	}
	buckets := []repo.Bucket{}
	for n, count := range counts {
		buckets = append(buckets, repo.Bucket{Start: time.Unix(0, n*int64(interval)).UTC(), Count: count})
	}
	slices.SortFunc(buckets, func(a, b repo.Bucket) int { return a.Start.Compare(b.Start) })
	return buckets
}

// assertLogs checks that listing and counting a filter agree with want.
func assertLogs(t *testing.T, s Store, f repo.LogFilter, want []repo.Log, what ...any) {
	t.Helper()
	got, err := s.Logs(t.Context(), repo.LogQuery{LogFilter: f, Limit: len(want) + 10})
	require.NoError(t, err, what...)
	assert.Equal(t, want, got, what...)
	n, err := s.CountLogs(t.Context(), f)
	require.NoError(t, err, what...)
	assert.Equal(t, int64(len(want)), n, what...)
}

// dump reads everything that can be read, to compare before and after.
func dump(t *testing.T, s Store) string {
	t.Helper()
	ctx := t.Context()
	const all = 1000
	var out string
	add := func(v any, err error) {
		t.Helper()
		require.NoError(t, err)
		out += fmt.Sprintf("%+v\n", v)
	}
	st, err := s.Stats(ctx)
	add(st, err)
	logs, err := s.Logs(ctx, repo.LogQuery{Limit: all})
	add(logs, err)
	last, err := s.LastLogID(ctx)
	add(last, err)
	hist, err := s.Histogram(ctx, repo.LogFilter{}, time.Minute)
	add(hist, err)
	hist, err = s.Histogram(ctx, repo.LogFilter{}, 24*time.Hour)
	add(hist, err)
	bounties, err := s.Bounties(ctx, repo.BountyQuery{Limit: all})
	add(bounties, err)
	n, err := s.CountBounties(ctx, repo.BountyFilter{Type: repo.BountyCredential})
	add(n, err)
	attackers, err := s.Attackers(ctx, repo.AttackerQuery{Limit: all})
	require.NoError(t, err)
	for i := range attackers {
		// Pointers would print as addresses.
		a := &attackers[i]
		add([]any{a.UUID, a.FirstSeen, a.LastSeen, a.EventCount, a.Services, a.Deckies, a.BountyCount, a.Commands, a.UpdatedAt, a.Behavior.Class}, nil)
		commands, total, err := s.Commands(ctx, a.UUID, repo.CommandQuery{Limit: 200})
		add([]any{commands, total}, err)
	}
	for _, service := range []string{"ssh", "http", "smb"} {
		n, err = s.CountLogs(ctx, repo.LogFilter{Search: repo.Equals{Column: repo.ColumnService, Value: service}})
		add(n, err)
		n, err = s.CountAttackers(ctx, repo.AttackerFilter{Service: service})
		add(n, err)
	}
	users, err := s.Users(ctx)
	add(users, err)
	positions, err := s.Positions(ctx)
	add(positions, err)
	sessions, err := s.OpenSessions(ctx)
	add(sessions, err)
	rejects, err := s.Rejects(ctx, 0, all)
	add(rejects, err)
	n, err = s.CountRejects(ctx)
	add(n, err)
	rejects, n, err = s.RejectPage(ctx, repo.RejectQuery{Limit: all})
	add([]any{rejects, n}, err)
	credentials, err := s.Credentials(ctx, repo.CredentialQuery{Limit: all})
	add(credentials, err)
	n, err = s.CountCredentials(ctx, repo.CredentialFilter{})
	add(n, err)
	sensors, err := s.Sensors(ctx)
	add(sensors, err)
	return out
}
