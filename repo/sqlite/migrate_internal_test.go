package sqlite

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestMigrate_FromTheFirstVersion opens a database as the first release left it:
// its rows are still there, and its bounties have become credentials.
func TestMigrate_FromTheFirstVersion(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "decnet.db")
	first, err := migrations.ReadFile("migrations/00001_init.sql")
	require.NoError(t, err)
	drv, err := newDriver()
	require.NoError(t, err)
	uri, err := fileURI(path)
	require.NoError(t, err)
	db := sql.OpenDB(connector{dsn: uri.writer(Options{}.withDefaults()), driver: drv})
	p, err := goose.NewProvider(goose.DialectSQLite3, db, fstest.MapFS{"00001_init.sql": {Data: first}},
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	require.NoError(t, err)
	_, err = p.Up(ctx)
	require.NoError(t, err)
	at := time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC)
	for i, row := range []struct{ ip, service, payload string }{
		{"192.0.2.1", "ssh", `{"password":"123456","username":"root"}`},
		{"192.0.2.2", "telnet", `{"password":"123456","username":"root"}`},
		{"192.0.2.2", "telnet", `{"password":null,"username":7}`},
		{"192.0.2.2", "\xff,\x00", `{"password":"123456","username":"root","x":1}`}, // the same attacker, spelt otherwise
		{"Unknown", "ssh", `{"password":"123456","username":"root"}`},
		{"192.0.2.2", "ssh", `not JSON`},
	} {
		_, err = db.ExecContext(ctx, `INSERT INTO bounties (id, time, decky, service, attacker_ip, type, payload, hash)
			VALUES (?, ?, 'd', ?, ?, 'credential', ?, ?)`, i+1, at.Add(time.Duration(i)*time.Hour).UnixNano(), row.service, row.ip, row.payload, []byte{byte(i)})
		require.NoError(t, err)
	}
	for i, ip := range []string{"192.0.2.1", "192.0.2.2"} {
		key, err := attackerKey(ip)
		require.NoError(t, err)
		_, err = db.ExecContext(ctx, `INSERT INTO attackers (id, uuid, ip, first_seen, last_seen, event_count, decky_count,
			updated_at, search, state) VALUES (?, ?, ?, 0, 0, 1, 1, 0, x'', x'')`, i+1, key[:], ip)
		require.NoError(t, err)
	}
	for i, service := range []string{"ssh", "telnet", "ssh", "ssh"} {
		_, err = db.ExecContext(ctx, `INSERT INTO logs (id, time, decky, service, event_type, attacker_ip, raw_line, fields, msg, trace_id, span_id)
			VALUES (?, ?, 'd', ?, 'e', '192.0.2.1', '', '{}', '', '', '')`, i+1, at.Add(time.Duration(i)*20*time.Hour).UnixNano(), service)
		require.NoError(t, err)
	}
	_, err = db.ExecContext(ctx, "INSERT INTO counters VALUES ('logs', 4), ('last_log_id', 4), ('bounties', 6), ('last_bounty_id', 6), ('attackers', 2), ('last_attacker_id', 2)")
	require.NoError(t, err)
	require.NoError(t, db.Close())

	s, err := Open(ctx, Options{Path: path})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	got, err := s.Credentials(ctx, repo.CredentialQuery{Limit: 10})
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, repo.Credential{
		ID: got[0].ID, Username: "root", Password: "123456", Services: []string{"ssh", "telnet", "\xff,\x00"},
		Attempts: 4, Attackers: 2, FirstSeen: at, LastSeen: at.Add(4 * time.Hour),
	}, got[0])
	ranking, err := s.Ranking(ctx, repo.RankingQuery{By: repo.ColumnService, Start: at.Add(-14 * time.Hour), End: at.Add(59 * time.Hour), Limit: 10})
	require.NoError(t, err)
	assert.Equal(t, []repo.Ranked{{Value: "ssh", Count: 2}, {Value: "telnet", Count: 1}}, ranking.List, "by days and by quarters of an hour")
	assert.Equal(t, "7", got[1].Username)
	tried := func(start time.Duration) repo.Ranking {
		r, err := s.Ranking(ctx, repo.RankingQuery{By: repo.ColumnCredential, Start: at.Add(start), Limit: 10})
		require.NoError(t, err)
		return r
	}
	assert.Equal(t, []repo.Ranked{{Value: "root", Password: "123456", Count: 4}, {Value: "7", Count: 1}}, tried(0).List)
	assert.True(t, tried(0).Exact)
	assert.Equal(t, []repo.Ranked{{Value: "root", Password: "123456", Count: 1}}, tried(4*time.Hour).List, "no more than is known")
	assert.False(t, tried(4*time.Hour).Exact)
	assert.Empty(t, got[1].Password)
	n, err := s.CountCredentials(ctx, repo.CredentialFilter{})
	require.NoError(t, err)
	assert.EqualValues(t, 2, n)

	// A pair that the migration made goes on being the same pair.
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: []repo.Event{{
		Log:      repo.Log{Time: at, Decky: "d", Service: "ssh", EventType: "x", AttackerIP: "192.0.2.9", Fields: "{}"},
		Bounties: []repo.Bounty{{Type: repo.BountyCredential, Payload: `{"password":"123456","username":"root"}`}},
	}}}))
	got, err = s.Credentials(ctx, repo.CredentialQuery{Limit: 10})
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.EqualValues(t, 5, got[0].Attempts)
	assert.EqualValues(t, 3, got[0].Attackers)
	assert.Equal(t, repo.Ranked{Value: "root", Password: "123456", Count: 5}, tried(0).List[0])
	report, err := s.Check(ctx)
	require.NoError(t, err)
	for _, f := range report.Findings {
		assert.NotEqual(t, "credential", f.Kind, f.Detail)
	}
}

// TestMigrate_Days opens a database whose events were counted in rows for a quarter
// of an hour each, some of them expired: all counts are those of before.
func TestMigrate_Days(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "decnet.db")
	drv, err := newDriver()
	require.NoError(t, err)
	uri, err := fileURI(path)
	require.NoError(t, err)
	db := sql.OpenDB(connector{dsn: uri.writer(Options{}.withDefaults()), driver: drv})
	files, err := fs.Sub(migrations, "migrations")
	require.NoError(t, err)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	require.NoError(t, err)
	_, err = p.UpTo(ctx, 6)
	require.NoError(t, err)
	start := time.Date(2026, 4, 17, 0, 0, 0, 0, time.UTC)
	count := func(table string, at time.Time) {
		for _, r := range []int64{1440, 15, 1} {
			_, err := db.ExecContext(ctx, "INSERT INTO "+table+" VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1", r, at.Unix()/60/r)
			require.NoError(t, err)
		}
	}
	var stored []time.Time
	for i := range 40 {
		at := start.Add(time.Duration(i) * 77 * time.Minute)
		if i < 15 {
			count("expired_rollups", at)
			continue
		}
		count("rollups", at)
		stored = append(stored, at)
		_, err = db.ExecContext(ctx, `INSERT INTO logs (id, time, decky, service, event_type, attacker_ip, raw_line, fields, msg, trace_id, span_id)
			VALUES (?, ?, 'd', ?, 'e', '192.0.2.1', '', '{}', '', '', '')`, i, at.UnixNano(), []string{"ssh", "ftp"}[i%2])
		require.NoError(t, err)
	}
	for column, kind := range map[string]string{"decky": "decky", "service": "service", "event_type": "event"} {
		_, err = db.ExecContext(ctx, `INSERT INTO facets SELECT ?, `+column+`, count(*), min(time), max(time) FROM logs GROUP BY 2`, kind)
		require.NoError(t, err)
		for _, r := range []int64{15, 1440} {
			_, err = db.ExecContext(ctx, `INSERT INTO facet_rollups (kind, resolution, bucket, value, count)
				SELECT ?, ?, time / ?, `+column+`, count(*) FROM logs GROUP BY 3, 4`, kind, r, r*int64(time.Minute))
			require.NoError(t, err)
		}
	}
	key, err := attackerKey("192.0.2.1")
	require.NoError(t, err)
	_, err = db.ExecContext(ctx, `INSERT INTO attackers (id, uuid, ip, first_seen, last_seen, event_count, decky_count, updated_at, search, state)
		VALUES (1, ?, '192.0.2.1', 0, 0, 40, 1, 0, x'', x'')`, key[:])
	require.NoError(t, err)
	_, err = db.ExecContext(ctx, "INSERT INTO counters VALUES ('logs', 25), ('last_log_id', 40), ('deckies', 1), ('attackers', 1), ('last_attacker_id', 1)")
	require.NoError(t, err)
	require.NoError(t, db.Close())

	s, err := Open(ctx, Options{Path: path})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	for _, interval := range []time.Duration{time.Minute, 15 * time.Minute} {
		bars, err := s.Histogram(ctx, repo.LogFilter{}, interval)
		require.NoError(t, err)
		require.Len(t, bars, 40)
		for i, b := range bars {
			assert.Equal(t, repo.Bucket{Start: start.Add(time.Duration(i) * 77 * time.Minute).Truncate(interval), Count: 1}, b)
		}
	}
	bars, err := s.Histogram(ctx, repo.LogFilter{}, 24*time.Hour)
	require.NoError(t, err)
	assert.Equal(t, []repo.Bucket{{Start: start, Count: 19}, {Start: start.Add(24 * time.Hour), Count: 19}, {Start: start.Add(48 * time.Hour), Count: 2}}, bars)
	n, err := s.CountLogs(ctx, repo.LogFilter{Start: stored[3], End: stored[20]})
	require.NoError(t, err)
	assert.EqualValues(t, 18, n)
	n, err = s.CountLogs(ctx, repo.LogFilter{Search: repo.Equals{Column: repo.ColumnAttacker, Value: "192.0.2.1"}})
	require.NoError(t, err)
	assert.EqualValues(t, 25, n)
	ranking, err := s.Ranking(ctx, repo.RankingQuery{By: repo.ColumnService, Start: stored[3], End: stored[20], Limit: 5})
	require.NoError(t, err)
	assert.Equal(t, []repo.Ranked{{Value: "ftp", Count: 9}, {Value: "ssh", Count: 9}}, ranking.List)
	report, err := s.Check(ctx)
	require.NoError(t, err)
	for _, f := range report.Findings { // The profile is empty here.
		assert.Equal(t, "attacker", f.Kind, f.Detail)
	}
}

// TestMigrate_ThatFails is no open database: a table is in the way.
func TestMigrate_ThatFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "decnet.db")
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "CREATE TABLE logs (x)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = Open(t.Context(), Options{Path: path})
	require.ErrorContains(t, err, "migrate the schema")
}
