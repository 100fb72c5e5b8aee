package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/repo"
	"decnet/repo/sqlite"
)

var _ api.Store = (*sqlite.Store)(nil)

func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// rawSQL changes a database behind the engine's back.
func rawSQL(t *testing.T, path string, queries ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for _, q := range queries {
		_, err := db.ExecContext(t.Context(), q)
		require.NoError(t, err)
	}
}

func someEvents(n int) *repo.Batch {
	b := &repo.Batch{}
	for i := range n {
		b.Events = append(b.Events, repo.Event{
			Log: repo.Log{
				Time: time.Date(2026, 4, 17, 0, 0, i, 0, time.UTC), Decky: "d", Service: "ssh", EventType: "e",
				AttackerIP: fmt.Sprintf("192.0.2.%d", i%250), RawLine: strings.Repeat("x", 500), Fields: "{}",
			},
			Command: "id",
		})
	}
	return b
}

func TestOpen_OddPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"plain.db", "a b.db", "q?x=1.db", "h#1.db", "p%41.db", "a&b=c.db", "ünï.db", "semi;colon.db", "quote'\".db", "file:x.db"} {
		path := filepath.Join(dir, name)
		s := open(t, path)
		require.NoError(t, s.SetState(t.Context(), "name", name))
		require.NoError(t, s.Close())
		info, err := os.Stat(path)
		require.NoError(t, err, name)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it holds password hashes")
		v, err := open(t, path).State(t.Context(), "name")
		require.NoError(t, err)
		assert.Equal(t, name, v, "each path is a database of its own")
	}
}

func TestOpen_Fails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	notADatabase := filepath.Join(dir, "text.db")
	require.NoError(t, os.WriteFile(notADatabase, []byte(strings.Repeat("not a database ", 100)), 0o600))
	for name, path := range map[string]string{
		"empty": "", "NUL": filepath.Join(dir, "a\x00b"), "no directory": filepath.Join(dir, "none", "x.db"), "a directory": dir, "text": notADatabase,
	} {
		s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
		require.Error(t, err, name)
		assert.Nil(t, s, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, "x.db")})
	require.ErrorIs(t, err, context.Canceled)
}

func TestOpen_KeepsEverything(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	b := someEvents(100)
	b.Positions = []repo.Position{{Source: "a", Offset: 7}}
	require.NoError(t, s.Commit(t.Context(), b))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing again is harmless")
	_, err := s.Stats(t.Context())
	require.Error(t, err)
	assert.NoFileExists(t, path+"-wal", "the log was moved into the database")

	s = open(t, path)
	logs, err := s.Logs(t.Context(), repo.LogQuery{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, logs, 100)
	assert.Equal(t, b.Events[99].Log, logs[0])
	positions, err := s.Positions(t.Context())
	require.NoError(t, err)
	assert.Len(t, positions, 1)
	next := someEvents(1)
	require.NoError(t, s.Commit(t.Context(), next))
	assert.Equal(t, int64(101), next.Events[0].ID)
	a, err := s.Attacker(t.Context(), repo.AttackerUUID("192.0.2.0"))
	require.NoError(t, err)
	assert.Equal(t, int64(2), a.EventCount, "a profile goes on after a restart")
}

// TestOpen_NewerSchema must not touch a database that a newer program will use
// again.
func TestOpen_NewerSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	require.NoError(t, s.SetState(t.Context(), "k", "v"))
	require.NoError(t, s.Close())
	rawSQL(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.ErrorIs(t, err, repo.ErrNewerSchema)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

// TestOpen_AtOnce starts two programs on a new database, as "decnet user add"
// beside "decnet serve" would.
func TestOpen_AtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
			if assert.NoError(t, err) {
				assert.NoError(t, s.Commit(t.Context(), someEvents(10)))
				assert.NoError(t, s.Close())
			}
		})
	}
	wg.Wait()
	st, err := open(t, path).Stats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, repo.Stats{Logs: 160, Attackers: 10, ActiveDeckies: 1}, st)
}

// TestTwoStores write to one file in turn, as two processes would: each sees
// what the other committed, and neither works on what it remembers.
func TestTwoStores(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	one, two := open(t, path), open(t, path)
	require.NoError(t, one.CreateUser(ctx, repo.User{UUID: "u", Username: "admin", Role: repo.RoleAdmin}))
	require.NoError(t, two.SetPassword(ctx, "u", "new", true))
	u, err := one.UserByName(ctx, "admin")
	require.NoError(t, err)
	assert.Equal(t, "new", u.PasswordHash)
	assert.Equal(t, int64(1), u.TokenVersion)
	for i := range 6 {
		b := someEvents(1)
		require.NoError(t, []*sqlite.Store{one, two}[i%2].Commit(ctx, b))
		assert.Equal(t, int64(i+1), b.Events[0].ID)
	}
	for _, s := range []*sqlite.Store{one, two} {
		a, err := s.Attacker(ctx, repo.AttackerUUID("192.0.2.0"))
		require.NoError(t, err)
		assert.Equal(t, int64(6), a.EventCount)
	}
}

// TestCommit_FailsMidway makes the database itself refuse one row in the middle.
func TestCommit_FailsMidway(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	require.NoError(t, s.Commit(ctx, someEvents(5)))
	rawSQL(t, path, `CREATE TRIGGER fail BEFORE INSERT ON commands WHEN new.text = 'boom' BEGIN SELECT RAISE(ABORT, 'planted'); END`)
	b := someEvents(10)
	b.Events[7].Command = "boom"
	b.Positions = []repo.Position{{Source: "a"}}
	require.ErrorContains(t, s.Commit(ctx, b), "planted")
	assert.Zero(t, b.Events[0].ID)
	st, err := s.Stats(ctx)
	require.NoError(t, err)
	assert.Equal(t, repo.Stats{Logs: 5, Attackers: 5, ActiveDeckies: 1}, st)
	positions, err := s.Positions(ctx)
	require.NoError(t, err)
	assert.Empty(t, positions)
	b.Events[7].Command = "fine"
	require.NoError(t, s.Commit(ctx, b), "the same batch can be tried again")
	assert.Equal(t, int64(6), b.Events[0].ID)
	a, err := s.Attacker(ctx, repo.AttackerUUID("192.0.2.0"))
	require.NoError(t, err)
	assert.Equal(t, int64(2), a.EventCount, "what the failed batch folded in is forgotten")
}

// TestCommit_BrokenState damages one profile: it is shown as far as it is known,
// hides no other, and the next event of its attacker makes it whole again.
func TestCommit_BrokenState(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	var log bytes.Buffer
	s, err := sqlite.Open(ctx, sqlite.Options{Path: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	first := someEvents(2)
	first.Events[1].Bounties = []repo.Bounty{{Type: repo.BountyCredential, Payload: `{"password":"x","username":"y"}`}}
	require.NoError(t, s.Commit(ctx, first))
	id := repo.AttackerUUID("192.0.2.1")
	whole, err := s.Attacker(ctx, id)
	require.NoError(t, err)
	rawSQL(t, path, "UPDATE attackers SET state = x'ff00ff' WHERE ip = '192.0.2.1'")

	a, err := s.Attacker(ctx, id)
	require.NoError(t, err)
	assert.Equal(t, []any{"192.0.2.1", whole.FirstSeen, int64(1), []string{}}, []any{a.IP, a.FirstSeen, a.EventCount, a.Services})
	list, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 5})
	require.NoError(t, err)
	assert.Len(t, list, 2)
	rep, err := s.Check(ctx)
	require.NoError(t, err)
	require.Len(t, rep.Findings, 1)
	assert.Contains(t, rep.Findings[0].Detail, "192.0.2.1")

	require.NoError(t, s.Commit(ctx, someEvents(2)))
	assert.Equal(t, 1, strings.Count(log.String(), "damaged"), log.String())
	assert.Contains(t, log.String(), "192.0.2.1", "the operator learns which one")
	other := open(t, filepath.Join(t.TempDir(), "y.db"))
	require.NoError(t, other.Commit(ctx, first))
	require.NoError(t, other.Commit(ctx, someEvents(2)))
	want, err := other.Attacker(ctx, id)
	require.NoError(t, err)
	a, err = s.Attacker(ctx, id)
	require.NoError(t, err)
	a.UpdatedAt, want.UpdatedAt = time.Time{}, time.Time{}
	assert.Equal(t, want, a, "as if nothing had happened")
}

// TestFailing_SaysWhat drops a table under each read: every error is wrapped
// with what was asked, and none is taken for an empty answer.
func TestFailing_SaysWhat(t *testing.T) {
	t.Parallel()
	tp := template(t)
	for _, tc := range []struct {
		table, want string
		call        func(ctx context.Context, s *sqlite.Store) error
	}{
		{"counters", "stats", func(ctx context.Context, s *sqlite.Store) error { _, err := s.Stats(ctx); return err }},
		{"counters", "ping", func(ctx context.Context, s *sqlite.Store) error { return s.Ping(ctx) }},
		{"counters", "commit", func(ctx context.Context, s *sqlite.Store) error { return s.Commit(ctx, someEvents(1)) }},
		{"counters", "count rejects", func(ctx context.Context, s *sqlite.Store) error { _, err := s.CountRejects(ctx); return err }},
		{"logs", "list logs", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Logs(ctx, repo.LogQuery{Limit: 1})
			return err
		}},
		{"logs", "list logs after 1", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.LogsAfter(ctx, 1, repo.LogFilter{}, 1)
			return err
		}},
		{"facets", "list logs", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Logs(ctx, repo.LogQuery{LogFilter: repo.LogFilter{Search: repo.ParseSearch("service:ssh")}, Limit: 1})
			return err
		}},
		{"facets", "histogram", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Histogram(ctx, repo.LogFilter{Search: repo.ParseSearch("service:ssh")}, time.Minute)
			return err
		}},
		{"facets", "count logs", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.CountLogs(ctx, repo.LogFilter{Search: repo.ParseSearch("service:ssh")})
			return err
		}},
		{"facets", "facets", func(ctx context.Context, s *sqlite.Store) error { return s.Commit(ctx, someEvents(1)) }},
		{"facets", "purge", func(ctx context.Context, s *sqlite.Store) error { _, err := s.Purge(ctx); return err }},
		{"minutes", "histogram", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Histogram(ctx, repo.LogFilter{}, time.Minute)
			return err
		}},
		{"minutes", "count logs", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.CountLogs(ctx, repo.LogFilter{Start: time.Unix(1, 0)})
			return err
		}},
		{"minutes", "minutes", func(ctx context.Context, s *sqlite.Store) error { return s.Commit(ctx, someEvents(1)) }},
		{"days", "histogram", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Histogram(ctx, repo.LogFilter{}, 15*time.Minute)
			return err
		}},
		{"days", "count logs", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.CountLogs(ctx, repo.LogFilter{Start: time.Unix(1, 0), End: time.Unix(864000, 0)})
			return err
		}},
		{"days", "ranking", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Ranking(ctx, repo.RankingQuery{By: repo.ColumnService, Start: time.Unix(1, 0), Limit: 1})
			return err
		}},
		{"days", "days", func(ctx context.Context, s *sqlite.Store) error { return s.Commit(ctx, someEvents(1)) }},
		{"bounties", "list bounties", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Bounties(ctx, repo.BountyQuery{Limit: 1})
			return err
		}},
		{"attackers", "list attackers", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 1})
			return err
		}},
		{"attackers", "attacker", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Attacker(ctx, repo.AttackerUUID("192.0.2.1"))
			return err
		}},
		{"attackers", "event 0", func(ctx context.Context, s *sqlite.Store) error { return s.Commit(ctx, someEvents(1)) }},
		{"attacker_services", "192.0.2.0", func(ctx context.Context, s *sqlite.Store) error { return s.Commit(ctx, someEvents(1)) }},
		{"commands", "event 0", func(ctx context.Context, s *sqlite.Store) error { return s.Commit(ctx, someEvents(1)) }},
		{"users", "list users", func(ctx context.Context, s *sqlite.Store) error { _, err := s.Users(ctx); return err }},
		{"users", "set role", func(ctx context.Context, s *sqlite.Store) error { return s.SetRole(ctx, "u", repo.RoleAdmin) }},
		{"settings", `setting "k"`, func(ctx context.Context, s *sqlite.Store) error { _, err := s.State(ctx, "k"); return err }},
		{"settings", `store the setting "k"`, func(ctx context.Context, s *sqlite.Store) error { return s.SetState(ctx, "k", "v") }},
		{"positions", "list positions", func(ctx context.Context, s *sqlite.Store) error { _, err := s.Positions(ctx); return err }},
		{"positions", "positions", func(ctx context.Context, s *sqlite.Store) error {
			return s.Commit(ctx, &repo.Batch{Positions: []repo.Position{{Source: "a"}}})
		}},
		{"sessions", "list sessions", func(ctx context.Context, s *sqlite.Store) error { _, err := s.OpenSessions(ctx); return err }},
		{"sessions", "sessions", func(ctx context.Context, s *sqlite.Store) error {
			return s.Commit(ctx, &repo.Batch{ClosedSessions: []string{"a"}})
		}},
		{"rejects", "list rejects", func(ctx context.Context, s *sqlite.Store) error {
			_, _, err := s.RejectPage(ctx, repo.RejectQuery{Limit: 1})
			return err
		}},
		{"counters", "list rejects", func(ctx context.Context, s *sqlite.Store) error {
			_, _, err := s.RejectPage(ctx, repo.RejectQuery{Limit: 1})
			return err
		}},
		{"credentials", "list credentials", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Credentials(ctx, repo.CredentialQuery{Limit: 1})
			return err
		}},
		{"credentials", "count credentials", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.CountCredentials(ctx, repo.CredentialFilter{Search: "x"})
			return err
		}},
		{"credentials", "ranking", func(ctx context.Context, s *sqlite.Store) error {
			_, err := s.Ranking(ctx, repo.RankingQuery{By: repo.ColumnCredential, Limit: 1})
			return err
		}},
		{"credentials", "commit", func(ctx context.Context, s *sqlite.Store) error { return s.Commit(ctx, variedEvents()) }},
		{"credential_attackers", "commit", func(ctx context.Context, s *sqlite.Store) error { return s.Commit(ctx, variedEvents()) }},
		{"credential_services", "commit", func(ctx context.Context, s *sqlite.Store) error { return s.Commit(ctx, variedEvents()) }},
		{"event_keys", "event 0", func(ctx context.Context, s *sqlite.Store) error {
			b := someEvents(1)
			b.Events[0].Key = []byte("k")
			return s.Commit(ctx, b)
		}},
		{"receipts", "receipt", func(ctx context.Context, s *sqlite.Store) error { _, err := s.Receipt(ctx, "s", "k"); return err }},
		{"receipts", "receipts", func(ctx context.Context, s *sqlite.Store) error {
			return s.Commit(ctx, &repo.Batch{Receipts: []*repo.Receipt{{Sensor: "s", Key: "k"}}})
		}},
		{"sensors", "receipts", func(ctx context.Context, s *sqlite.Store) error {
			return s.Commit(ctx, &repo.Batch{Receipts: []*repo.Receipt{{Sensor: "s"}}})
		}},
		{"sensors", "list sensors", func(ctx context.Context, s *sqlite.Store) error { _, err := s.Sensors(ctx); return err }},
		{"sensors", "create sensor", func(ctx context.Context, s *sqlite.Store) error { return s.CreateSensor(ctx, repo.Sensor{UUID: "u"}) }},
		{"sensors", "delete sensor", func(ctx context.Context, s *sqlite.Store) error { return s.DeleteSensor(ctx, "u") }},
		{"logs", "expire", func(ctx context.Context, s *sqlite.Store) error { _, _, err := s.Expire(ctx, forever(), 1); return err }},
		{"logs", "check", func(ctx context.Context, s *sqlite.Store) error { _, err := s.Check(ctx); return err }},
		{"facets", "repair", func(ctx context.Context, s *sqlite.Store) error { return s.Repair(ctx) }},
		{"rejects", "list rejects", func(ctx context.Context, s *sqlite.Store) error { _, err := s.Rejects(ctx, 0, 1); return err }},
		{"rejects", "rejects", func(ctx context.Context, s *sqlite.Store) error {
			return s.Commit(ctx, &repo.Batch{Rejects: []repo.Reject{{}}})
		}},
	} {
		t.Run(tc.table+"/"+tc.want, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x.db")
			s := clone(t, tp, sqlite.Options{Path: path})
			rawSQL(t, path, "DROP TABLE "+tc.table)
			err := tc.call(t.Context(), s)
			require.ErrorContains(t, err, "no such table: "+tc.table)
			require.ErrorContains(t, err, tc.want)
			require.NotErrorIs(t, err, repo.ErrNotFound)
		})
	}
}

// unknown is an expression that the engine has never heard of.
type unknown struct{}

func (unknown) Match(*repo.Log) bool { return true }
func (unknown) String() string       { return "?" }

func TestSearch_UnknownExpression(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := clone(t, template(t), sqlite.Options{})
	f := repo.LogFilter{Search: repo.And{repo.Contains{Text: "x"}, unknown{}}}
	_, err := s.Logs(ctx, repo.LogQuery{LogFilter: f, Limit: 1})
	require.ErrorContains(t, err, "unknown expression", "better no answer than a wrong one")
	_, err = s.CountLogs(ctx, f)
	require.ErrorContains(t, err, "unknown expression")
	_, err = s.LogsAfter(ctx, 0, f, 1)
	require.ErrorContains(t, err, "unknown expression")
	_, err = s.Histogram(ctx, f, time.Minute)
	require.ErrorContains(t, err, "unknown expression")
}

func TestPoolStats(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "x.db"), Readers: 3})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	require.NoError(t, s.Ping(t.Context()))
	write, read := s.PoolStats()
	assert.Equal(t, 1, write.MaxOpenConnections)
	assert.Equal(t, 3, read.MaxOpenConnections)
	assert.Equal(t, 1, read.OpenConnections)
}

func TestTemplate_Clones(t *testing.T) { //nolint:tparallel // What follows the first subtest waits for it.
	t.Parallel()
	tp, err := sqlite.NewTemplate(t.Context(), func(ctx context.Context, s *sqlite.Store) error {
		return s.CreateUser(ctx, repo.User{UUID: "u", Username: "admin", Role: repo.RoleAdmin})
	})
	require.NoError(t, err)
	t.Run("at once", func(t *testing.T) {
		for i := range 64 {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				var o sqlite.Options
				if i%8 == 0 {
					o.Path = filepath.Join(t.TempDir(), "x.db")
				}
				s := clone(t, tp, o)
				require.NoError(t, s.SetState(ctx, "k", strconv.Itoa(i)))
				require.NoError(t, s.Commit(ctx, someEvents(i)))
				v, err := s.State(ctx, "k")
				require.NoError(t, err)
				assert.Equal(t, strconv.Itoa(i), v)
				st, err := s.Stats(ctx)
				require.NoError(t, err)
				assert.Equal(t, int64(i), st.Logs)
				u, err := s.UserByName(ctx, "admin")
				require.NoError(t, err)
				assert.Equal(t, "u", u.UUID)
				size, err := s.Size(ctx)
				require.NoError(t, err)
				assert.Positive(t, size)
			})
		}
	})
	// A clone outlives its template.
	s, err := tp.Clone(t.Context(), sqlite.Options{})
	require.NoError(t, err)
	require.NoError(t, tp.Close())
	_, err = s.State(t.Context(), "k")
	require.ErrorIs(t, err, repo.ErrNotFound, "no clone wrote to the template")
	require.NoError(t, s.Close())
	_, err = tp.Clone(t.Context(), sqlite.Options{})
	require.Error(t, err)
}

func TestTemplate_Fails(t *testing.T) {
	t.Parallel()
	planted := errors.New("planted")
	_, err := sqlite.NewTemplate(t.Context(), func(context.Context, *sqlite.Store) error { return planted })
	require.ErrorIs(t, err, planted)
	_, err = template(t).Clone(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "none", "x.db")})
	require.ErrorIs(t, err, os.ErrNotExist)
}
