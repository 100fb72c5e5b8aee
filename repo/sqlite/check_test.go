package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

// variedEvents have something of everything that is computed from rows.
func variedEvents() *repo.Batch {
	b := &repo.Batch{Rejects: []repo.Reject{{Line: []byte("x")}, {Line: []byte("yz")}}}
	for i := range 300 {
		b.Events = append(b.Events, repo.Event{
			Log: repo.Log{
				Time: time.Date(2026, 4, 17, 0, 7*i, i, i, time.UTC), Decky: fmt.Sprintf("decky-%d", i%3), Service: []string{"ssh", "ftp"}[i%2],
				EventType: "login", AttackerIP: fmt.Sprintf("192.0.2.%d", i%7), Fields: "{}",
			},
			Command:  "id",
			Bounties: []repo.Bounty{{Type: repo.BountyCredential, Payload: fmt.Sprintf(`{"password":"x","username":"u%d"}`, i%5)}},
		})
	}
	return b
}

// view is what a reader sees, but for when rows were changed.
func view(t *testing.T, s *sqlite.Store) []any {
	t.Helper()
	ctx := t.Context()
	st, err := s.Stats(ctx)
	require.NoError(t, err)
	hist, err := s.Histogram(ctx, repo.LogFilter{}, time.Minute)
	require.NoError(t, err)
	days, err := s.Histogram(ctx, repo.LogFilter{}, 24*time.Hour)
	require.NoError(t, err)
	ftp, err := s.Logs(ctx, repo.LogQuery{LogFilter: repo.LogFilter{Search: repo.ParseSearch("service:ftp")}, Limit: 1000})
	require.NoError(t, err)
	var rankings []repo.Ranking
	for _, by := range []repo.Column{repo.ColumnDecky, repo.ColumnService, repo.ColumnEvent} {
		for _, start := range []time.Time{time.Unix(0, 0), time.Date(2026, 4, 17, 5, 0, 0, 0, time.UTC)} {
			ranking, err := s.Ranking(ctx, repo.RankingQuery{By: by, Start: start, Limit: 10})
			require.NoError(t, err)
			rankings = append(rankings, ranking)
		}
	}
	// When all of them were is all that repair knows of times that were lost.
	tried, err := s.Ranking(ctx, repo.RankingQuery{By: repo.ColumnCredential, Start: time.Unix(0, 0), Limit: 10})
	require.NoError(t, err)
	rankings = append(rankings, tried)
	attackers, err := s.Attackers(ctx, repo.AttackerQuery{Sort: repo.SortActive, Limit: 100})
	require.NoError(t, err)
	for i := range attackers {
		attackers[i].UpdatedAt = time.Time{}
	}
	credentials, err := s.Credentials(ctx, repo.CredentialQuery{Sort: repo.SortCredentialAttackers, Limit: 100})
	require.NoError(t, err)
	n, err := s.CountBounties(ctx, repo.BountyFilter{Type: repo.BountyCredential})
	require.NoError(t, err)
	_, rejects, err := s.RejectPage(ctx, repo.RejectQuery{Limit: 1})
	require.NoError(t, err)
	return []any{st, hist, days, ftp, rankings, attackers, credentials, n, rejects}
}

// emptyServiceIndex takes all rows out of an index, by making it a partial one for a
// moment.
const emptyServiceIndex = `PRAGMA writable_schema = ON;
	UPDATE sqlite_schema SET sql = sql || ' WHERE id < 0' WHERE name = 'logs_service';
	PRAGMA writable_schema = RESET; REINDEX logs_service; PRAGMA writable_schema = ON;
	UPDATE sqlite_schema SET sql = replace(sql, ' WHERE id < 0', '') WHERE name = 'logs_service';
	PRAGMA writable_schema = RESET`

// TestRepair damages what is computed, each in a way of its own: Check tells, and
// Repair brings back what was there.
func TestRepair(t *testing.T) {
	t.Parallel()
	tp, err := sqlite.NewTemplate(t.Context(), func(ctx context.Context, s *sqlite.Store) error { return s.Commit(ctx, variedEvents()) })
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, tp.Close()) })
	for _, tc := range []struct{ name, kind, damage string }{
		{"counter", "counter", "UPDATE counters SET value = value + 3 WHERE name = 'logs'"},
		{"counter gone", "counter", "DELETE FROM counters WHERE name IN ('attackers', 'bounties', 'credentials', 'rejects_kept', 'reject_bytes_kept')"},
		{"deckies", "counter", "UPDATE counters SET value = 9 WHERE name = 'deckies'"},
		{"bounties of a type", "counter", "UPDATE counters SET value = 1 WHERE name = 'bounties:credential'"},
		{"bounties of no type", "counter", "INSERT INTO counters VALUES ('bounties:none', 1)"},
		{"ids", "counter", "UPDATE counters SET value = 7 WHERE name = 'last_log_id'"},
		{"minute", "rollup", "UPDATE minutes SET count = count + 1 WHERE minute % 49 = 0"},
		{"minute gone", "rollup", "DELETE FROM minutes WHERE minute % 2 = 0"},
		{"quarter", "rollup", "UPDATE days SET counts = CAST(counts || x'0001' AS BLOB) WHERE kind = 'all'"},
		{"day gone", "rollup", "DELETE FROM days WHERE kind = 'all'"},
		{"day that cannot be read", "rollup", "UPDATE days SET counts = x'ff' WHERE kind = 'all'"},
		{"day that goes on", "rollup", "UPDATE days SET counts = CAST(counts || x'7f01' AS BLOB) WHERE kind = 'all'"},
		{"facet", "facet", "UPDATE facets SET count = 1 WHERE value = 'ftp'"},
		{"facet gone", "facet", "DELETE FROM facets WHERE value = 'ftp'"},
		{"facet too narrow", "facet", "UPDATE facets SET last_time = first_time WHERE value = 'ftp'"},
		{"facet by quarter", "facet", "UPDATE days SET counts = x'0001' WHERE value = 'ftp'"},
		{"facet by day gone", "facet", "DELETE FROM days WHERE kind = 'decky'"},
		{"facet of nothing", "facet", "INSERT INTO days VALUES ('service', 1, 'none', x'0007')"},
		{"profile", "attacker", "UPDATE attackers SET state = x'00' WHERE ip = '192.0.2.3'"},
		{"profiles", "attacker", "UPDATE attackers SET state = x'00' WHERE ip IN ('192.0.2.3', '192.0.2.4', '192.0.2.5')"},
		{"profile gone", "attacker", "DELETE FROM attackers WHERE ip = '192.0.2.3'"},
		{"row of a profile", "attacker", "UPDATE attackers SET event_count = 1, last_seen = 2 WHERE ip = '192.0.2.3'"},
		{"expired events of a profile", "attacker", "UPDATE attackers SET expired_count = 1 WHERE ip = '192.0.2.3'"},
		{"profile of another", "attacker", "UPDATE attackers SET state = (SELECT state FROM attackers WHERE ip = '192.0.2.6') WHERE ip = '192.0.2.3'"},
		{"credential", "credential", "UPDATE credentials SET attackers = 99 WHERE id = 2"},
		{"times of a credential", "credential", "UPDATE credentials SET times = x'01' WHERE id = 2"},
		{"times of credentials", "credential", "UPDATE credentials SET times = x'01' WHERE id > 2"},
		{"too few times of a credential", "credential", "UPDATE credentials SET times = x'070000' WHERE id = 2"},
		{"index", "integrity", emptyServiceIndex},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			path := filepath.Join(t.TempDir(), "x.db")
			s := clone(t, tp, sqlite.Options{Path: path})
			want := view(t, s)
			rep, err := s.Check(ctx)
			require.NoError(t, err)
			require.Equal(t, repo.Report{Events: 300}, rep)
			rawSQL(t, path, tc.damage)
			rep, err = s.Check(ctx)
			require.NoError(t, err)
			require.NotEmpty(t, rep.Findings)
			kinds := map[string]bool{}
			for _, f := range rep.Findings {
				assert.True(t, f.Repairable, "%+v", f)
				kinds[f.Kind] = true
			}
			assert.True(t, kinds[tc.kind], "%+v", rep.Findings)
			require.NoError(t, s.Repair(ctx))
			rep, err = s.Check(ctx)
			require.NoError(t, err)
			assert.Empty(t, rep.Findings)
			assert.Equal(t, want, view(t, s))
			next := someEvents(1)
			require.NoError(t, s.Commit(ctx, next))
			assert.Equal(t, int64(301), next.Events[0].ID)
		})
	}
}

// TestRepair_NothingToDo leaves all as it is.
func TestRepair_NothingToDo(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := clone(t, template(t), sqlite.Options{})
	require.NoError(t, s.Commit(ctx, variedEvents()))
	_, _, err := s.Expire(ctx, time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC), 1000)
	require.NoError(t, err)
	before, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 100})
	require.NoError(t, err)
	want := view(t, s)
	rep, err := s.Check(ctx)
	require.NoError(t, err)
	assert.Empty(t, rep.Findings, "a profile may know more events than are left")
	require.NoError(t, s.Repair(ctx))
	assert.Equal(t, want, view(t, s))
	after, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 100})
	require.NoError(t, err)
	assert.Equal(t, before, after, "also when it was changed")
}

// TestRepair_KeepsWhatIsNotStored of the events: a profile that can be read is not made
// anew when its row is damaged.
func TestRepair_KeepsWhatIsNotStored(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	b := someEvents(3)
	b.Events[1].Traits.OSGuess = "Linux"
	require.NoError(t, s.Commit(ctx, b))
	id := repo.AttackerUUID("192.0.2.1")
	want, err := s.Attacker(ctx, id)
	require.NoError(t, err)
	require.Equal(t, "Linux", want.Behavior.OSGuess)
	rawSQL(t, path, "UPDATE attackers SET event_count = 9 WHERE ip = '192.0.2.1'")
	require.NoError(t, s.Repair(ctx))
	rep, err := s.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, rep.Findings)
	got, err := s.Attacker(ctx, id)
	require.NoError(t, err)
	got.UpdatedAt = want.UpdatedAt
	assert.Equal(t, want, got)
}

// TestRepair_IsSeenAtOnce by readers who had asked of what was damaged: what is
// remembered of their questions is no better than the index that answered.
func TestRepair_IsSeenAtOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	require.NoError(t, s.Commit(ctx, variedEvents()))
	filter := repo.LogFilter{Search: repo.ParseSearch("service:ftp ftp")}
	rawSQL(t, path, emptyServiceIndex)
	n, err := s.CountLogs(ctx, filter)
	require.NoError(t, err)
	require.Zero(t, n, "the index has lost them")
	page, err := s.Logs(ctx, repo.LogQuery{LogFilter: filter, Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page)
	require.NoError(t, s.Repair(ctx))
	n, err = s.CountLogs(ctx, filter)
	require.NoError(t, err)
	assert.Equal(t, int64(150), n)
	page, err = s.Logs(ctx, repo.LogQuery{LogFilter: filter, Limit: 10})
	require.NoError(t, err)
	assert.Len(t, page, 10)
}

// TestRepair_ThatFails says why, and leaves all as it was.
func TestRepair_ThatFails(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, step := range []string{"INSERT ON minutes", "INSERT ON days", "INSERT ON facets", "INSERT ON counters", "UPDATE ON counters"} {
		path := filepath.Join(t.TempDir(), "x.db")
		s := open(t, path)
		require.NoError(t, s.Commit(ctx, variedEvents()))
		want := view(t, s)
		rawSQL(t, path, "CREATE TRIGGER full BEFORE "+step+" BEGIN SELECT RAISE(ABORT, 'no room for it'); END")
		require.ErrorContains(t, s.Repair(ctx), "no room for it", step)
		s.Forget()
		assert.Equal(t, want, view(t, s), step)
	}
}

// TestCheck_ManyFindings stays small.
func TestCheck_ManyFindings(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	require.NoError(t, s.Commit(t.Context(), variedEvents()))
	rawSQL(t, path, "UPDATE minutes SET count = count + 1")
	rep, err := s.Check(t.Context())
	require.NoError(t, err)
	assert.Len(t, rep.Findings, repo.MaxFindings)
	assert.Equal(t, int64(300), rep.Total)
}

// TestCheck_DamagedFile overwrites pages: the findings say so, and Check is
// carried through as far as it gets.
func TestCheck_DamagedFile(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	require.NoError(t, s.Commit(ctx, someEvents(500)))
	require.NoError(t, s.Close())
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	for page := info.Size() / 4096 / 2; page < info.Size()/4096; page++ {
		_, err = f.WriteAt(make([]byte, 4096), page*4096)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	s = open(t, path)
	rep, err := s.Check(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, rep.Findings)
	assert.Equal(t, "integrity", rep.Findings[0].Kind)
	_, err = s.Logs(ctx, repo.LogQuery{LogFilter: repo.LogFilter{Search: repo.ParseSearch("x")}, Limit: 1000})
	require.ErrorIs(t, err, repo.ErrCorrupt, "a reader learns it too")
	_, err = s.Stats(ctx)
	require.NoError(t, err, "what is not damaged is read")
}

func TestBackup(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	for name, o := range map[string]sqlite.Options{"memory": {}, "file": {Path: filepath.Join(dir, "x.db")}} {
		s := clone(t, template(t), o)
		require.NoError(t, s.Commit(ctx, variedEvents()))
		want := view(t, s)
		path := filepath.Join(dir, "bäckup of "+name+"?#%41.db")
		require.NoError(t, s.Backup(ctx, path))
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it holds password hashes")
		require.NoError(t, s.Commit(ctx, someEvents(1)))
		require.ErrorIs(t, s.Backup(ctx, path), repo.ErrConflict, "it is not overwritten")

		copied := open(t, path)
		assert.Equal(t, want, view(t, copied), "as it was")
		rep, err := copied.Check(ctx)
		require.NoError(t, err)
		assert.Empty(t, rep.Findings)
		require.NoError(t, copied.Commit(ctx, someEvents(1)), "it can be used in the place of the other")
	}
	s := clone(t, template(t), sqlite.Options{})
	require.ErrorIs(t, s.Backup(ctx, filepath.Join(dir, "none", "x.db")), os.ErrNotExist)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, s.Backup(ended, filepath.Join(dir, "ended.db")), context.Canceled)
	left, err := filepath.Glob(filepath.Join(dir, "*ended*"))
	require.NoError(t, err)
	hidden, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	assert.Empty(t, append(left, hidden...), "nothing is left of a copy that failed")
}

// TestBackup_BesideWriter copies while batches of ten are committed: each copy
// has whole batches only.
func TestBackup_BesideWriter(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	s := clone(t, template(t), sqlite.Options{Path: filepath.Join(dir, "x.db"), CheckpointPages: 50})
	require.NoError(t, s.Commit(ctx, someEvents(20_000)))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				assert.NoError(t, s.Commit(ctx, someEvents(10)))
			}
		}
	}()
	for i := range 3 {
		path := filepath.Join(dir, fmt.Sprintf("%d.db", i))
		require.NoError(t, s.Backup(ctx, path))
		copied := open(t, path)
		st, err := copied.Stats(ctx)
		require.NoError(t, err)
		assert.Zero(t, st.Logs%10)
		rep, err := copied.Check(ctx)
		require.NoError(t, err)
		assert.Empty(t, rep.Findings)
		assert.Equal(t, st.Logs, rep.Events)
	}
	close(stop)
	<-stopped
}

// TestCheck_SaysWhat: an operator reads what is wrong with which row.
func TestCheck_SaysWhat(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	require.NoError(t, s.Commit(t.Context(), variedEvents()))
	rawSQL(t, path, "UPDATE minutes SET count = 7 WHERE minute = (SELECT min(minute) FROM minutes)",
		"UPDATE attackers SET expired_count = 1 WHERE ip = '192.0.2.3'")
	rep, err := s.Check(t.Context())
	require.NoError(t, err)
	var details []string
	for _, f := range rep.Findings {
		details = append(details, f.Detail)
	}
	assert.Equal(t, []string{
		"the minute from 2026-04-17T00:00:00Z counts 7 events and holds 1", "192.0.2.3 has 43 events and should have 42",
	}, details)
}
