package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// recorder is a driver that remembers the queries of its connections.
type recorder struct {
	driver.Driver

	mu      sync.Mutex
	queries []query
}

type query struct {
	text string
	args []any
}

type recorded struct {
	connection
	r *recorder
}

func (r *recorder) Open(name string) (driver.Conn, error) {
	c, err := r.Driver.Open(name)
	if err != nil {
		return nil, err
	}
	return recorded{c.(connection), r}, nil
}

func (c recorded) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.r.record(text, args)
	return c.connection.QueryContext(ctx, text, args)
}

func (c recorded) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	st, err := c.connection.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return recordedStatement{st, st.(driver.StmtQueryContext), st.(driver.StmtExecContext), c.r, text}, nil
}

type recordedStatement struct {
	driver.Stmt
	query driver.StmtQueryContext
	driver.StmtExecContext
	r    *recorder
	text string
}

func (s recordedStatement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.r.record(s.text, args)
	return s.query.QueryContext(ctx, args)
}

func (r *recorder) record(text string, args []driver.NamedValue) {
	q := query{text: text}
	for _, a := range args {
		q.args = append(q.args, a.Value)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queries = append(r.queries, q)
}

// plan returns the plans of all queries that call makes.
func (r *recorder) plan(t *testing.T, s *Store, call func(ctx context.Context, s *Store) error) string {
	t.Helper()
	r.mu.Lock()
	r.queries = nil
	r.mu.Unlock()
	require.NoError(t, call(t.Context(), s))
	r.mu.Lock()
	queries := r.queries
	r.mu.Unlock()
	require.NotEmpty(t, queries)
	var plans []string
	for _, q := range queries {
		rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+q.text, q.args...)
		require.NoError(t, err)
		lines, err := collect(rows, func(scan func(...any) error) (line string, err error) {
			var id, parent, unused int
			err = scan(&id, &parent, &unused, &line)
			return line, err
		})
		require.NoError(t, err)
		plans = append(plans, lines...)
	}
	return strings.Join(plans, "\n")
}

// TestPlans looks at how SQLite runs every read that a dashboard makes often.
// None may sort, and none may visit all rows; the ones that have to, a search
// for a substring, walk an index from the newest row and stop at a full page.
func TestPlans(t *testing.T) {
	t.Parallel()
	drv, err := newDriver()
	require.NoError(t, err)
	r := &recorder{Driver: drv}
	s, err := openFile(t.Context(), r, Options{Path: filepath.Join(t.TempDir(), "x.db")}, true)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })

	at := time.Date(2026, 4, 17, 10, 0, 0, 0, time.UTC)
	batch := &repo.Batch{}
	for i := range 200 {
		l := repo.Log{Time: at.Add(time.Duration(i) * time.Second), Decky: "d", Service: "ssh", EventType: "e", AttackerIP: "192.0.2.1", Fields: "{}"}
		if i%50 == 0 {
			l.Decky, l.Service, l.EventType = "rare", "rare", "rare"
		}
		batch.Events = append(batch.Events, repo.Event{Log: l, Command: "id", Bounties: []repo.Bounty{{Type: "credential", Payload: "{}"}}})
	}
	require.NoError(t, s.Commit(t.Context(), batch))
	id := repo.AttackerUUID("192.0.2.1")

	logs := func(search string, start, end time.Time) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			f := repo.LogFilter{Search: repo.ParseSearch(search), Start: start, End: end}
			_, err := s.Logs(ctx, repo.LogQuery{LogFilter: f, Limit: 50})
			return err
		}
	}
	after := func(search string, start time.Time) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			_, err := s.LogsAfter(ctx, 7, repo.LogFilter{Search: repo.ParseSearch(search), Start: start}, 50)
			return err
		}
	}
	count := func(search string, start time.Time) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			_, err := s.CountLogs(ctx, repo.LogFilter{Search: repo.ParseSearch(search), Start: start})
			return err
		}
	}
	attackers := func(sort repo.AttackerSort) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			_, err := s.Attackers(ctx, repo.AttackerQuery{Sort: sort, Limit: 50})
			return err
		}
	}
	credentials := func(q repo.CredentialQuery) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			q.Limit = 50
			_, err := s.Credentials(ctx, q)
			return err
		}
	}
	ranking := func(by repo.Column) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			_, err := s.Ranking(ctx, repo.RankingQuery{By: by, Start: at.Add(-time.Hour), End: at.Add(time.Minute), Limit: 10})
			return err
		}
	}
	rejects := func(q repo.RejectQuery) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			q.Limit = 50
			_, _, err := s.RejectPage(ctx, q)
			return err
		}
	}
	start, end := at.Add(time.Minute+1), at.Add(2*time.Minute)
	var none time.Time
	for _, tc := range []struct {
		name string
		call func(context.Context, *Store) error
		want string // part of the plan
	}{
		{"page", logs("", none, none), "USING INDEX logs_time"},
		{"page of a time", logs("", start, end), "USING INDEX logs_time (time>? AND time<?)"},
		{"page of a service", logs("service:ssh", none, none), "USING INDEX logs_service (service=?"},
		{"page of a service and time", logs("service:ssh", start, end), "USING INDEX logs_service (service=? AND time>? AND time<?)"},
		{"page of a decky", logs("decky:d", none, none), "USING INDEX logs_decky (decky=?"},
		{"page of an event", logs("event:e", none, none), "USING INDEX logs_event (event_type=?"},
		{"page of an attacker", logs("attacker:192.0.2.1", start, none), "USING INDEX logs_attacker (attacker_ip=? AND time>?)"},
		{"page of nobody", logs("attacker:Unknown", none, none), "USING INDEX logs_attacker (attacker_ip=?)"},
		{"page of two", logs("service:ssh decky:rare", none, none), "USING INDEX logs_decky (decky=?"},
		{"page of two, turned", logs("service:rare decky:d", none, none), "USING INDEX logs_service (service=?"},
		{"page of three and a word", logs("event:rare attacker:192.0.2.1 service:ssh x", none, none), "USING INDEX logs_event (event_type=?"},
		{"page of a word", logs("word", none, none), "USING INDEX logs_time"},
		{"page of a field", logs("port:22", none, none), "USING INDEX logs_time"},
		{"after", after("", none), "USING INTEGER PRIMARY KEY (rowid>?)"},
		{"after, filtered", after("attacker:192.0.2.1 service:ssh x", start), "USING INTEGER PRIMARY KEY (rowid>?)"},
		{"total", count("", none), "SEARCH counters"},
		{"total of a time", count("", start), "USING COVERING INDEX logs_time (time>? AND time<?)"},
		{"total of a service", count("service:ssh", none), "SEARCH facets"},
		{"total of a service and time", count("service:ssh", start), "USING COVERING INDEX logs_service (service=? AND time>?"},
		{"total of an attacker", count("attacker:192.0.2.1", none), "SEARCH attackers USING INDEX attackers_uuid (uuid=?)"},
		{"total of an attacker and time", count("attacker:192.0.2.1", start), "USING COVERING INDEX logs_attacker (attacker_ip=? AND time>?)"},
		{"stats", func(ctx context.Context, s *Store) error { _, err := s.Stats(ctx); return err }, "SEARCH counters"},
		{"last id", func(ctx context.Context, s *Store) error { _, err := s.LastLogID(ctx); return err }, "SEARCH counters"},
		{"histogram", func(ctx context.Context, s *Store) error {
			_, err := s.Histogram(ctx, repo.LogFilter{Start: start, End: at.Add(9 * time.Hour)}, 15*time.Minute)
			return err
		}, "SEARCH days USING PRIMARY KEY (kind=? AND day>? AND day<?)"},
		{"ranking of services", ranking(repo.ColumnService), "USING COVERING INDEX logs_service (service=? AND time>? AND time<?)"},
		{"ranking of deckies", ranking(repo.ColumnDecky), "SEARCH days USING PRIMARY KEY (kind=? AND day=?)"},
		{"ranking of few attackers", ranking(repo.ColumnAttacker), "USING INDEX logs_time (time>? AND time<?)"},
		{"ranking of attackers", func(ctx context.Context, s *Store) error {
			return s.snapshot(ctx, func(tx *sql.Tx) error {
				k := ranker{ctx: ctx, tx: tx, span: span{at.UnixNano(), end.UnixNano()}, limit: 10}
				_, err := k.attackersByWeight(rankingWork)
				return err
			})
		}, "SCAN attackers USING INDEX attackers_active\nCORRELATED SCALAR SUBQUERY 1\nSEARCH logs USING COVERING INDEX logs_attacker (attacker_ip=? AND time>? AND time<?)"},
		{"ranking of credentials, by attempts", ranking(repo.ColumnCredential), "SCAN credentials USING INDEX credentials_attempts"},
		{"ranking of credentials, by time", ranking(repo.ColumnCredential), "SEARCH credentials USING INDEX credentials_recent (last_seen>?)"},
		{"bounties", func(ctx context.Context, s *Store) error {
			_, err := s.Bounties(ctx, repo.BountyQuery{Limit: 50})
			return err
		}, "USING INDEX bounties_time"},
		{"bounties of a type", func(ctx context.Context, s *Store) error {
			_, err := s.Bounties(ctx, repo.BountyQuery{BountyFilter: repo.BountyFilter{Type: "credential"}, Limit: 50})
			return err
		}, "USING INDEX bounties_type (type=?)"},
		{"attackers, recent", attackers(repo.SortRecent), "USING INDEX attackers_recent"},
		{"attackers, active", attackers(repo.SortActive), "USING INDEX attackers_active"},
		{"attackers, traversals", attackers(repo.SortTraversals), "USING INDEX attackers_traversals"},
		{"attackers of a service", func(ctx context.Context, s *Store) error {
			_, err := s.Attackers(ctx, repo.AttackerQuery{AttackerFilter: repo.AttackerFilter{Service: "ssh"}, Limit: 50})
			return err
		}, "USING PRIMARY KEY (service=? AND attacker=?)"},
		{"attacker", func(ctx context.Context, s *Store) error { _, err := s.Attacker(ctx, id); return err }, "USING INDEX attackers_uuid (uuid=?)"},
		{"commands", func(ctx context.Context, s *Store) error {
			_, _, err := s.Commands(ctx, id, repo.CommandQuery{Limit: 50})
			return err
		}, "USING INDEX commands_attacker (attacker=?)"},
		{"commands of a service", func(ctx context.Context, s *Store) error {
			_, _, err := s.Commands(ctx, id, repo.CommandQuery{Service: "ssh", Limit: 50})
			return err
		}, "USING INDEX commands_attacker (attacker=?)"},
		{"credentials, attempts", credentials(repo.CredentialQuery{}), "USING INDEX credentials_attempts"},
		{"credentials, attackers", credentials(repo.CredentialQuery{Sort: repo.SortCredentialAttackers}), "USING INDEX credentials_attackers"},
		{"credentials, recent", credentials(repo.CredentialQuery{Sort: repo.SortCredentialRecent}), "USING INDEX credentials_recent"},
		{"credentials of a service", credentials(repo.CredentialQuery{CredentialFilter: repo.CredentialFilter{Service: "ssh"}}), "USING INDEX credentials_attempts"},
		{"credentials, searched", credentials(repo.CredentialQuery{CredentialFilter: repo.CredentialFilter{Search: "a"}}), "USING INDEX credentials_attempts"},
		{"total of credentials of a service", func(ctx context.Context, s *Store) error {
			_, err := s.CountCredentials(ctx, repo.CredentialFilter{Service: "ssh"})
			return err
		}, "USING PRIMARY KEY (service=?)"},
		{"receipt", func(ctx context.Context, s *Store) error {
			_, err := s.Receipt(ctx, "s", "k")
			if errors.Is(err, repo.ErrNotFound) {
				return nil
			}
			return err
		}, "USING PRIMARY KEY (sensor=? AND key=?)"},
		{"page of rejects", rejects(repo.RejectQuery{}), "SCAN rejects"},
		{"page of rejects of a reason", rejects(repo.RejectQuery{Reason: "not_json"}), "USING INDEX rejects_reason (reason=?)"},
		{"page of rejects of a source", rejects(repo.RejectQuery{Source: "/p"}), "USING INDEX rejects_path (path=?)"},
		{"rejects", func(ctx context.Context, s *Store) error { _, err := s.Rejects(ctx, 3, 50); return err }, "USING INTEGER PRIMARY KEY (rowid>?)"},
	} {
		plan := r.plan(t, s, tc.call)
		// An index that has all columns is the better for it.
		assert.Contains(t, plan+strings.ReplaceAll(plan, "COVERING INDEX", "INDEX"), tc.want, tc.name)
		assert.NotContains(t, plan, "TEMP B-TREE", tc.name)
		for line := range strings.Lines(plan) {
			// The rejects are walked by id, and stop at a full page.
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "SCAN") && line != "SCAN CONSTANT ROW" && line != "SCAN rejects" && !strings.Contains(line, "VIRTUAL TABLE") {
				assert.Regexp(t, "USING (COVERING )?INDEX", line, "%s: a walk along an index may stop early, a scan of the table may not", tc.name)
			}
		}
	}
}

// TestReadPool_CannotWrite holds for both kinds of database: whatever goes wrong
// in a handler, it does not write beside the writer.
func TestReadPool_CannotWrite(t *testing.T) {
	t.Parallel()
	tp, err := NewTemplate(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tp.Close()) })
	for name, o := range map[string]Options{"memory": {}, "file": {Path: filepath.Join(t.TempDir(), "x.db")}} {
		s, err := tp.Clone(t.Context(), o)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
		for _, q := range []string{
			"INSERT INTO settings (key, value) VALUES ('k', 'v')", "DELETE FROM counters", "CREATE TABLE x (y)", "DROP TABLE logs", "PRAGMA user_version = 7",
		} {
			_, err := s.read.ExecContext(t.Context(), q)
			require.ErrorContains(t, err, "readonly", "%s: %s", name, q)
		}
	}
}

// TestPragmas reads the settings back from the connections, since SQLite ignores
// a misspelt one.
func TestPragmas(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "x.db"), CheckpointPages: 1000, CacheKiB: 8000, BusyTimeout: 1234 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	for name, want := range map[string][2]string{ // writer, reader
		"busy_timeout":       {"1234", "1234"},
		"journal_mode":       {"wal", "wal"},
		"synchronous":        {"1", ""},
		"foreign_keys":       {"1", ""},
		"wal_autocheckpoint": {"4000", ""},
		"journal_size_limit": {"8192000", ""},
		"cache_size":         {"-8000", "-1000"},
		"query_only":         {"0", "1"},
	} {
		var got string
		require.NoError(t, s.write.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got))
		assert.Equal(t, want[0], got, "writer: %s", name)
		if want[1] != "" {
			require.NoError(t, s.read.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got))
			assert.Equal(t, want[1], got, "reader: %s", name)
		}
	}
	_, err = s.read.ExecContext(t.Context(), `SELECT "no_such_column" FROM logs`)
	require.Error(t, err, "a misspelt column is not a string")
}

// TestTemplate_SurvivesInterruption ends a statement of the only connection to a
// database in memory: nothing is lost.
func TestTemplate_SurvivesInterruption(t *testing.T) {
	t.Parallel()
	tp, err := NewTemplate(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tp.Close()) })
	s, err := tp.Clone(t.Context(), Options{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	require.NoError(t, s.SetState(t.Context(), "k", "v"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	var n int
	err = s.write.QueryRowContext(ctx, "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r").Scan(&n)
	require.Error(t, err)
	_, read := s.PoolStats()
	require.Zero(t, read.OpenConnections)
	v, err := s.State(t.Context(), "k")
	require.NoError(t, err)
	assert.Equal(t, "v", v)
}
