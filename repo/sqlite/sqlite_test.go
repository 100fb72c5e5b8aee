package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

func smoke(t *testing.T, s *sqlite.Store) {
	t.Helper()
	ctx := t.Context()
	at := time.Date(2026, 4, 17, 19, 30, 11, 5, time.UTC)
	b := &repo.Batch{Events: []repo.Event{{
		Log:      repo.Log{Time: at, Decky: "d1", Service: "ssh", EventType: "login", AttackerIP: "192.0.2.1", RawLine: "a\x00\xffB", Fields: `{"port":22}`},
		Bounties: []repo.Bounty{{Type: "credential", Payload: `{}`}},
		Command:  "id",
	}}}
	require.NoError(t, s.Commit(ctx, b))
	assert.Equal(t, int64(1), b.Events[0].ID)
	logs, err := s.Logs(ctx, repo.LogQuery{LogFilter: repo.LogFilter{Search: repo.ParseSearch("service:ssh port:22 b")}, Limit: 10})
	require.NoError(t, err)
	require.Len(t, logs, 1)
	assert.Equal(t, b.Events[0].Log, logs[0])
	h, err := s.Histogram(ctx, repo.LogFilter{}, 15*time.Minute)
	require.NoError(t, err)
	require.Len(t, h, 1)
	p, err := s.Purge(ctx)
	require.NoError(t, err)
	assert.Equal(t, repo.Purged{Logs: 1, Bounties: 1, Attackers: 1}, p)
	require.NoError(t, s.Ping(ctx))
	n, err := s.Size(ctx)
	require.NoError(t, err)
	assert.Positive(t, n)
	require.NoError(t, s.Close())
}

func TestStore_Smoke(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "a b?#%41.db")})
	require.NoError(t, err)
	smoke(t, s)
	tp, err := sqlite.NewTemplate(t.Context(), func(ctx context.Context, s *sqlite.Store) error {
		return s.CreateUser(ctx, repo.User{UUID: "u", Username: "admin", Role: repo.RoleAdmin})
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tp.Close()) })
	for _, o := range []sqlite.Options{{}, {Path: filepath.Join(t.TempDir(), "c.db")}} {
		s, err := tp.Clone(t.Context(), o)
		require.NoError(t, err)
		u, err := s.Users(t.Context())
		require.NoError(t, err)
		require.Len(t, u, 1)
		require.ErrorIs(t, s.DeleteUser(t.Context(), "u"), repo.ErrLastAdmin)
		require.ErrorIs(t, s.CreateUser(t.Context(), repo.User{UUID: "v", Username: "admin", Role: repo.RoleAdmin}), repo.ErrConflict)
		smoke(t, s)
	}
}
