package repotest

import (
	"bytes"
	"context"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

func position(source string) repo.Position {
	return repo.Position{
		Source: source, Path: "/var/log/\xff", Device: math.MaxUint64, Inode: 1 << 63,
		HeadLen: 3, HeadHash: []byte{0, 1, 0xff}, Offset: math.MaxInt64, TailLen: 2, TailHash: []byte{9}, Done: true, Format: "decnet",
		Lines: 10, Accepted: 1, Duplicate: 4, Rejected: 2, Ignored: 3,
	}
}

func testPositions(t *testing.T, s Store) {
	ctx := t.Context()
	a, b := position("a\x00\xff"), repo.Position{Source: "b"}
	require.NoError(t, s.Commit(ctx, &repo.Batch{Positions: []repo.Position{b, a}}))
	a.UpdatedAt, b.UpdatedAt = Now(), Now()
	got, err := s.Positions(ctx)
	require.NoError(t, err)
	assert.Equal(t, []repo.Position{a, b}, got)
	b.Offset, b.Path, b.Format = 7, "new", "cowrie"
	require.NoError(t, s.Commit(ctx, &repo.Batch{Positions: []repo.Position{b}}))
	got, err = s.Positions(ctx)
	require.NoError(t, err)
	assert.Equal(t, []repo.Position{a, b}, got, "one source has one position")
}

func testSessions(t *testing.T, s Store) {
	ctx := t.Context()
	session := func(key string, at time.Duration) repo.Session {
		return repo.Session{Key: key, Service: "ssh", DstPort: 2222, Attacker: "203.0.113.5", OpenedAt: day().Add(at)}
	}
	one, two, three := session("1\xff", 1), session("2", 2), session("3", 3)
	require.NoError(t, s.Commit(ctx, &repo.Batch{Sessions: []repo.Session{one, three, two}}))
	got, err := s.OpenSessions(ctx)
	require.NoError(t, err)
	assert.Equal(t, []repo.Session{three, two, one}, got, "newest first")
	require.NoError(t, s.Commit(ctx, &repo.Batch{
		Sessions: []repo.Session{session("4", 4)}, ClosedSessions: []string{"4", two.Key, "never opened"},
	}))
	one.DstPort, one.Attacker = 0, ""
	require.NoError(t, s.Commit(ctx, &repo.Batch{Sessions: []repo.Session{one}}))
	got, err = s.OpenSessions(ctx)
	require.NoError(t, err)
	assert.Equal(t, []repo.Session{three, one}, got)
}

func testRejects(t *testing.T, s Store) {
	ctx := t.Context()
	list := []repo.Reject{
		{Source: "a", Path: "/p", Offset: 5, Reason: "not_json", Detail: "it ends early", Line: []byte("{\x00\xff"), Size: 3, SeenAt: Now()},
		{Source: "a", Line: bytes.Repeat([]byte{0xff}, repo.MaxRejectLine+1), Size: repo.MaxRejectLine + 1, SeenAt: Now()},
		{Source: "b", Line: []byte{}, SeenAt: Now()},
	}
	require.NoError(t, s.Commit(ctx, &repo.Batch{Rejects: list[:1]}))
	require.NoError(t, s.Commit(ctx, &repo.Batch{Rejects: list[1:]}))
	got, err := s.Rejects(ctx, 0, 10)
	require.NoError(t, err)
	require.Len(t, got, 3)
	for i := range list {
		want := list[i]
		want.ID = int64(i + 1)
		want.Line = want.Line[:min(len(want.Line), repo.MaxRejectLine)]
		assert.True(t, bytes.Equal(want.Line, got[i].Line))
		want.Line, got[i].Line = nil, nil
		assert.Equal(t, want, got[i])
	}
	got, err = s.Rejects(ctx, 1, 1)
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, int64(2), got[0].ID)
	n, err := s.CountRejects(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(3), n)
	for _, c := range []struct {
		query repo.RejectQuery
		want  []int64
		total int64
	}{
		{repo.RejectQuery{Limit: 2}, []int64{3, 2}, 3},
		{repo.RejectQuery{Limit: 2, Offset: 2}, []int64{1}, 3},
		{repo.RejectQuery{Limit: 2, Reason: "not_json"}, []int64{1}, 1},
		{repo.RejectQuery{Limit: 2, Source: "/p"}, []int64{1}, 1},
		{repo.RejectQuery{Limit: 2, Source: "/p", Reason: "other"}, []int64{}, 0},
	} {
		got, total, err := s.RejectPage(ctx, c.query)
		require.NoError(t, err)
		ids := []int64{}
		for _, r := range got {
			ids = append(ids, r.ID)
		}
		assert.Equal(t, c.want, ids, "%+v", c.query)
		assert.Equal(t, c.total, total, "%+v", c.query)
	}
}

// testRejectsBound: of too many the newest stay, and all are counted.
func testRejectsBound(t *testing.T, s Store) {
	ctx := t.Context()
	line := bytes.Repeat([]byte{'x'}, repo.MaxRejectLine)
	const fit = repo.MaxRejectBytes / repo.MaxRejectLine
	b := &repo.Batch{}
	for range fit / 4 {
		b.Rejects = append(b.Rejects, repo.Reject{Line: line})
	}
	for range 5 {
		require.NoError(t, s.Commit(ctx, b))
	}
	list, total, err := s.RejectPage(ctx, repo.RejectQuery{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, int64(fit), total, "of large ones those that fit")
	assert.Equal(t, int64(fit/4*5), list[0].ID)
	n, err := s.CountRejects(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(fit/4*5), n)

	b.Rejects = make([]repo.Reject, repo.MaxRejects+10)
	require.NoError(t, s.Commit(ctx, b))
	_, total, err = s.RejectPage(ctx, repo.RejectQuery{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, int64(repo.MaxRejects), total)
	assertSound(t, s)
}

// rich is a batch with something of everything.
func rich() *repo.Batch {
	return &repo.Batch{
		Events: []repo.Event{
			event(1, withBounties(credential("root")), typing("id")),
			event(2, from("192.0.2.2"), on("decky-09"), using("http"), withBounties(credential("root"), credential("admin"))),
			event(25*time.Hour, from("192.0.2.3"), using("smb"), typing("whoami")),
		},
		Receipts:  []*repo.Receipt{{Sensor: sensor(1).UUID, Last: 3}},
		Rejects:   []repo.Reject{{Source: "a", Reason: "r", Line: []byte("x"), SeenAt: Now()}},
		Positions: []repo.Position{position("a")},
		Sessions:  []repo.Session{{Key: "s", Service: "ssh", OpenedAt: day()}},
	}
}

func testPurge(t *testing.T, s Store) {
	ctx := t.Context()
	require.NoError(t, s.CreateUser(ctx, user("u", repo.RoleAdmin)))
	require.NoError(t, s.SetState(ctx, "k", "v"))
	require.NoError(t, s.CreateSensor(ctx, sensor(1)))
	keyed := rich()
	keyed.Events[0].Key, keyed.Receipts[0].Key = []byte("sixteen bytes..."), "k"
	require.NoError(t, s.Commit(ctx, keyed))
	p, err := s.Purge(ctx)
	require.NoError(t, err)
	assert.Equal(t, repo.Purged{Logs: 3, Bounties: 3, Attackers: 3}, p)

	st, err := s.Stats(ctx)
	require.NoError(t, err)
	assert.Zero(t, st)
	assertLogs(t, s, repo.LogFilter{}, []repo.Log{})
	assertLogs(t, s, repo.LogFilter{Search: repo.ParseSearch("service:http")}, []repo.Log{})
	assertHistogram(t, s, nil, repo.LogFilter{}, time.Minute)
	for _, by := range rankedColumns() {
		assertRanking(t, s, nil, repo.RankingQuery{By: by, Limit: 1})
		assertRanking(t, s, nil, repo.RankingQuery{By: by, Start: day().Add(-time.Hour), Limit: 1})
	}
	_, _, err = s.Commands(ctx, repo.AttackerUUID("192.0.2.1"), repo.CommandQuery{Limit: 1})
	require.ErrorIs(t, err, repo.ErrNotFound)
	n, err := s.CountBounties(ctx, repo.BountyFilter{Type: repo.BountyCredential})
	require.NoError(t, err)
	assert.Zero(t, n)
	n, err = s.CountAttackers(ctx, repo.AttackerFilter{Service: "http"})
	require.NoError(t, err)
	assert.Zero(t, n)

	// What was read stays read; who may log in and what was set stays so.
	positions, err := s.Positions(ctx)
	require.NoError(t, err)
	assert.Len(t, positions, 1)
	sessions, err := s.OpenSessions(ctx)
	require.NoError(t, err)
	assert.Len(t, sessions, 1)
	n, err = s.CountRejects(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(1), n)
	v, err := s.State(ctx, "k")
	require.NoError(t, err)
	assert.Equal(t, "v", v)
	users, err := s.Users(ctx)
	require.NoError(t, err)
	assert.Len(t, users, 1)
	sensors, err := s.Sensors(ctx)
	require.NoError(t, err)
	require.Len(t, sensors, 1)
	assert.Equal(t, int64(3), sensors[0].Accepted)
	_, err = s.Receipt(ctx, sensor(1).UUID, "k")
	require.ErrorIs(t, err, repo.ErrNotFound)

	// Ids go on: a stream that resumes after id 3 must see these.
	last, err := s.LastLogID(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(3), last)
	again := rich()
	again.Events[0].Key, again.Receipts[0].Key = keyed.Events[0].Key, "k"
	require.NoError(t, s.Commit(ctx, again))
	assert.Equal(t, int64(4), again.Events[0].ID, "what is sent again is stored again")
	bounties, err := s.Bounties(ctx, repo.BountyQuery{Limit: 10})
	require.NoError(t, err)
	require.Len(t, bounties, 3)
	assert.Equal(t, int64(4), bounties[2].ID)
	a, err := s.Attacker(ctx, repo.AttackerUUID("192.0.2.1"))
	require.NoError(t, err)
	assert.Equal(t, int64(1), a.EventCount, "a profile begins anew")
	assertSound(t, s)
	p, err = s.Purge(ctx)
	require.NoError(t, err)
	assert.Equal(t, repo.Purged{Logs: 3, Bounties: 3, Attackers: 3}, p)
	assertSound(t, s)
}

// countdown is a context that ends when it was asked for the n-th time.
type countdown struct {
	context.Context

	mu   sync.Mutex
	left int
	done chan struct{}
}

func newCountdown(ctx context.Context, n int) *countdown {
	return &countdown{Context: ctx, left: n, done: make(chan struct{})}
}

func (c *countdown) Done() <-chan struct{} { return c.done }

func (c *countdown) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 {
		return context.Canceled
	}
	if c.left--; c.left == 0 {
		close(c.done)
		return context.Canceled
	}
	return nil
}

// testAtomic ends the context at every point of a commit at which the engine
// looks at it: nothing may have changed, and the next commit works.
func testAtomic(t *testing.T, s Store) {
	ctx := t.Context()
	require.NoError(t, s.CreateSensor(ctx, sensor(1)))
	require.NoError(t, s.Commit(ctx, rich()))
	before := dump(t, s)
	second := func() *repo.Batch {
		b := rich()
		b.Events = append(b.Events, event(3, on("decky-11"), withBounties(credential("late")), typing("ls")))
		b.Events[3].Key = []byte("sixteen bytes...")
		b.Receipts[0].Key = "k"
		b.ClosedSessions = []string{"s"}
		return b
	}
	failures := 0
	for n := 1; ; n++ {
		require.Less(t, n, 10_000)
		b := second()
		err := s.Commit(newCountdown(ctx, n), b)
		if err == nil {
			break
		}
		failures++
		require.ErrorIs(t, err, context.Canceled)
		for i := range b.Events {
			require.Zero(t, b.Events[i].ID, "no id is given before the commit")
		}
		require.Zero(t, b.Receipts[0].Accepted, "and no answer")
		require.Equal(t, before, dump(t, s), "after %d looks at the context", n)
	}
	assert.Greater(t, failures, 3, "the engine looks at its context while it writes")
	st, err := s.Stats(ctx)
	require.NoError(t, err)
	assert.Equal(t, repo.Stats{Logs: 7, Attackers: 3, ActiveDeckies: 3, Bounties: 4}, st)
	last, err := s.LastLogID(ctx)
	require.NoError(t, err)
	assert.Equal(t, int64(7), last, "failed batches use up no ids")
	a, err := s.Attacker(ctx, repo.AttackerUUID("192.0.2.1"))
	require.NoError(t, err)
	assert.Equal(t, int64(3), a.EventCount)
}

func testInvalidTime(t *testing.T, s Store) {
	before := dump(t, s)
	for _, bad := range []time.Time{{}, time.Unix(-1, 0), time.Unix(repo.MaxUnixNano/1e9+1, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		b := rich()
		b.Events[2].Time = bad
		require.Error(t, s.Commit(t.Context(), b), "%v", bad)
		require.Equal(t, before, dump(t, s))
	}
}

// testConcurrent reads beside a writer: every reader sees whole batches only.
func testConcurrent(t *testing.T, s Store) {
	ctx := t.Context()
	const batches, size = 20, 10
	var writer, readers sync.WaitGroup
	stop := make(chan struct{})
	writer.Go(func() {
		for i := range batches {
			events := make([]repo.Event, size)
			for j := range events {
				events[j] = event(time.Duration(i*size+j)*time.Second, withBounties(credential(strings.Repeat("x", i))))
			}
			assert.NoError(t, s.Commit(ctx, &repo.Batch{Events: events}))
		}
	})
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if !assertWhole(t, s, size) {
					return
				}
			}
		})
	}
	writer.Wait()
	close(stop)
	readers.Wait()
	st, err := s.Stats(ctx)
	require.NoError(t, err)
	assert.Equal(t, repo.Stats{Logs: batches * size, Attackers: 1, ActiveDeckies: 1, Bounties: batches}, st)
	assertSound(t, s)
}

// assertSound lets the engine compare what it keeps beside the rows.
func assertSound(t *testing.T, s Store) {
	t.Helper()
	rep, err := s.Check(t.Context())
	require.NoError(t, err)
	assert.Empty(t, rep.Findings)
	assert.Zero(t, rep.Total)
	st, err := s.Stats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, st.Logs, rep.Events)
}

// assertWhole checks that what a reader sees is made of batches of a size, each
// with one bounty.
func assertWhole(t *testing.T, s Store, size int64) bool {
	t.Helper()
	st, err := s.Stats(t.Context())
	ok := assert.NoError(t, err) && assert.Zero(t, st.Logs%size) && assert.Equal(t, st.Logs/size, st.Bounties)
	logs, err := s.Logs(t.Context(), repo.LogQuery{Limit: 1000})
	ok = ok && assert.NoError(t, err) && assert.Zero(t, int64(len(logs))%size)
	hist, err := s.Histogram(t.Context(), repo.LogFilter{Start: day().Add(1)}, time.Minute)
	var sum int64
	for _, b := range hist {
		sum += b.Count
	}
	// The first event of all lies before the start.
	return ok && assert.NoError(t, err) && (sum == 0 || assert.Zero(t, (sum+1)%size))
}

// testCancelled calls everything with a context that has ended.
func testCancelled(t *testing.T, s Store) {
	require.NoError(t, s.Commit(t.Context(), rich()))
	require.NoError(t, s.CreateUser(t.Context(), user("u", repo.RoleAdmin)))
	require.NoError(t, s.SetState(t.Context(), "k", "v"))
	require.NoError(t, s.CreateSensor(t.Context(), sensor(1)))
	before := dump(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	id := repo.AttackerUUID("192.0.2.1")
	for name, call := range map[string]func() error{
		"Ping":           func() error { return s.Ping(ctx) },
		"Stats":          func() error { _, err := s.Stats(ctx); return err },
		"Logs":           func() error { _, err := s.Logs(ctx, repo.LogQuery{Limit: 1}); return err },
		"CountLogs":      func() error { _, err := s.CountLogs(ctx, repo.LogFilter{Start: day()}); return err },
		"LogsAfter":      func() error { _, err := s.LogsAfter(ctx, 0, repo.LogFilter{}, 1); return err },
		"LastLogID":      func() error { _, err := s.LastLogID(ctx); return err },
		"Histogram":      func() error { _, err := s.Histogram(ctx, repo.LogFilter{}, time.Minute); return err },
		"Bounties":       func() error { _, err := s.Bounties(ctx, repo.BountyQuery{Limit: 1}); return err },
		"CountBounties":  func() error { _, err := s.CountBounties(ctx, repo.BountyFilter{}); return err },
		"Attackers":      func() error { _, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 1}); return err },
		"CountAttackers": func() error { _, err := s.CountAttackers(ctx, repo.AttackerFilter{}); return err },
		"Attacker":       func() error { _, err := s.Attacker(ctx, id); return err },
		"Commands":       func() error { _, _, err := s.Commands(ctx, id, repo.CommandQuery{Limit: 1}); return err },
		"Users":          func() error { _, err := s.Users(ctx); return err },
		"UserByName":     func() error { _, err := s.UserByName(ctx, "u"); return err },
		"CreateUser":     func() error { return s.CreateUser(ctx, user("v", repo.RoleAdmin)) },
		"SetRole":        func() error { return s.SetRole(ctx, "uuid-of-u", repo.RoleViewer) },
		"SetPassword":    func() error { return s.SetPassword(ctx, "uuid-of-u", "x", false) },
		"DeleteUser":     func() error { return s.DeleteUser(ctx, "uuid-of-u") },
		"State":          func() error { _, err := s.State(ctx, "k"); return err },
		"SetState":       func() error { return s.SetState(ctx, "k", "w") },
		"Commit":         func() error { return s.Commit(ctx, rich()) },
		"Positions":      func() error { _, err := s.Positions(ctx); return err },
		"OpenSessions":   func() error { _, err := s.OpenSessions(ctx); return err },
		"Rejects":        func() error { _, err := s.Rejects(ctx, 0, 1); return err },
		"CountRejects":   func() error { _, err := s.CountRejects(ctx); return err },
		"RejectPage":     func() error { _, _, err := s.RejectPage(ctx, repo.RejectQuery{Limit: 1}); return err },
		"Credentials":    func() error { _, err := s.Credentials(ctx, repo.CredentialQuery{Limit: 1}); return err },
		"CountCredentials": func() error {
			_, err := s.CountCredentials(ctx, repo.CredentialFilter{})
			return err
		},
		"CreateSensor": func() error { return s.CreateSensor(ctx, sensor(9)) },
		"Sensors":      func() error { _, err := s.Sensors(ctx); return err },
		"DeleteSensor": func() error { return s.DeleteSensor(ctx, sensor(1).UUID) },
		"Receipt":      func() error { _, err := s.Receipt(ctx, sensor(1).UUID, "k"); return err },
		"Purge":        func() error { _, err := s.Purge(ctx); return err },
		"Expire":       func() error { _, _, err := s.Expire(ctx, Now(), 10); return err },
		"SizeExceeds":  func() error { _, err := s.SizeExceeds(ctx, 1); return err },
		"Check":        func() error { _, err := s.Check(ctx); return err },
		"Repair":       func() error { return s.Repair(ctx) },
	} {
		require.ErrorIs(t, call(), context.Canceled, name)
	}
	assert.Equal(t, before, dump(t, s), "nothing happened")
}
