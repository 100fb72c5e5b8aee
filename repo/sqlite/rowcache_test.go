package sqlite_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

// TestRows_AreNeverOld reads pages again and again while rows come, change and go:
// what is kept of them in memory must not outlive them, with a clock that stands
// still, too.
func TestRows_AreNeverOld(t *testing.T) {
	t.Parallel()
	now := huntDay()
	s, _ := huntStore(t, sqlite.Options{Now: func() time.Time { return now }}, 1)
	ctx := t.Context()
	event := func(n int) repo.Event {
		return repo.Event{Log: repo.Log{
			Time: now.Add(time.Duration(n) * time.Second), Decky: "d", Service: []string{"ssh", "ftp", "http"}[n%3], EventType: "e",
			AttackerIP: "192.0.2.200", RawLine: "line", Fields: "{}",
		}}
	}
	for i := range 6 {
		require.NoError(t, s.Commit(ctx, &repo.Batch{Events: []repo.Event{event(i)}}))
		list, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 5, Sort: repo.SortActive})
		require.NoError(t, err)
		one, err := s.Attacker(ctx, repo.AttackerUUID("192.0.2.200"))
		require.NoError(t, err)
		assert.Contains(t, list, one, "after %d events", i+1)
		assert.EqualValues(t, i+1, one.EventCount)
		logs, err := s.Logs(ctx, repo.LogQuery{LogFilter: repo.LogFilter{Search: repo.ParseSearch("attacker:192.0.2.200")}, Limit: 10})
		require.NoError(t, err)
		assert.Len(t, logs, i+1)
	}
	_, _, err := s.Expire(ctx, now.Add(3*time.Second), 100)
	require.NoError(t, err)
	logs, err := s.Logs(ctx, repo.LogQuery{LogFilter: repo.LogFilter{Search: repo.ParseSearch("attacker:192.0.2.200")}, Limit: 10})
	require.NoError(t, err)
	assert.Len(t, logs, 3, "what expired is gone")
	_, err = s.Purge(ctx)
	require.NoError(t, err)
	logs, err = s.Logs(ctx, repo.LogQuery{Limit: 10})
	require.NoError(t, err)
	assert.Empty(t, logs)
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: []repo.Event{event(1)}}))
	list, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 5})
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.EqualValues(t, 1, list[0].EventCount, "an attacker who comes again after a purge is a new one")
}

// TestRows_SearchesAreToldApart: what is remembered of one search must not answer
// another that is written alike: a text that looks like a column and its value.
func TestRows_SearchesAreToldApart(t *testing.T) {
	t.Parallel()
	s, _ := huntStore(t, sqlite.Options{}, 200)
	column := repo.LogFilter{Search: repo.Equals{Column: repo.ColumnService, Value: "ssh"}}
	text := repo.LogFilter{Search: repo.Contains{Text: "service:ssh"}}
	n, err := s.CountLogs(t.Context(), column)
	require.NoError(t, err)
	require.Positive(t, n)
	n, err = s.CountLogs(t.Context(), text)
	require.NoError(t, err)
	assert.Zero(t, n)
	page, err := s.Logs(t.Context(), repo.LogQuery{LogFilter: column, Limit: 5})
	require.NoError(t, err)
	require.Len(t, page, 5)
	page, err = s.Logs(t.Context(), repo.LogQuery{LogFilter: text, Limit: 5})
	require.NoError(t, err)
	assert.Empty(t, page)
}
