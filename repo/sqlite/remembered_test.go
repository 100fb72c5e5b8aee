package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// TestRemembered_IsNotAskedAgain: what is asked again and again is answered from
// memory, until something changes. Rows that are changed behind the engine's back
// tell who looked at them.
func TestRemembered_IsNotAskedAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	require.NoError(t, s.Commit(ctx, someEvents(20)))
	ask := func() map[string]any {
		t.Helper()
		answers := map[string]any{}
		logs, err := s.Logs(ctx, repo.LogQuery{Limit: 3})
		require.NoError(t, err)
		answers["page of events"] = ids(logs)
		answers["total of events"], err = s.CountLogs(ctx, repo.LogFilter{Search: repo.ParseSearch("service:ssh xx")})
		require.NoError(t, err)
		for name, f := range map[string]repo.AttackerFilter{
			"of a service": {Service: "ssh"}, "of a search": {Search: "192.0"}, "of both": {Service: "ssh", Search: "192.0"},
		} {
			list, err := s.Attackers(ctx, repo.AttackerQuery{AttackerFilter: f, Limit: 15})
			require.NoError(t, err)
			answers["page "+name] = list
			answers["total "+name], err = s.CountAttackers(ctx, f)
			require.NoError(t, err)
		}
		return answers
	}
	before := ask()
	rawSQL(t, path, "UPDATE logs SET raw_line = 'y', time = 0 WHERE id > 10",
		"UPDATE attackers SET search = x'' WHERE id > 10", "DELETE FROM attacker_services WHERE attacker > 10")
	assert.Equal(t, before, ask())
	s.Forget()
	after := ask()
	for name := range before {
		assert.NotEqual(t, before[name], after[name], "the %s is looked for again", name)
	}
}

// TestRemembered_Searches: of a search for attackers who they are is remembered, for
// pages in any order; after a commit only those that it changed are looked at.
func TestRemembered_Searches(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "x.db")
	s := open(t, path)
	require.NoError(t, s.Commit(ctx, someEvents(20)))
	f := repo.AttackerFilter{Search: "192.0"}
	n, err := s.CountAttackers(ctx, f)
	require.NoError(t, err)
	require.EqualValues(t, 20, n)
	rawSQL(t, path, "UPDATE attackers SET search = x''")
	for _, sort := range []repo.AttackerSort{repo.SortRecent, repo.SortActive, repo.SortTraversals} {
		list, err := s.Attackers(ctx, repo.AttackerQuery{AttackerFilter: f, Sort: sort, Limit: 30})
		require.NoError(t, err)
		require.Len(t, list, 20)
	}
	require.NoError(t, s.Commit(ctx, someEvents(2)))
	n, err = s.CountAttackers(ctx, f)
	require.NoError(t, err)
	assert.EqualValues(t, 20, n, "the others as they were")
	rawSQL(t, path, "UPDATE attackers SET search = x''")
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: someEvents(2).Events[:1]}))
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: someEvents(2).Events[1:]}))
	n, err = s.CountAttackers(ctx, f)
	require.NoError(t, err)
	assert.EqualValues(t, 20, n, "after several commits, too")
	s.Forget()
	n, err = s.CountAttackers(ctx, f)
	require.NoError(t, err)
	assert.EqualValues(t, 2, n)
}
