package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

// TestAttackers_SearchIsNeverOld searches again and again while attackers come and
// change, some of them by another process, and holds each answer against all
// profiles: totals, pages in every order, few hits and many.
func TestAttackers_SearchIsNeverOld(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	first, second := open(t, path), open(t, path)
	r := rand.New(rand.NewPCG(4, 4))
	commit := func(s *sqlite.Store, n int) {
		b := &repo.Batch{}
		for range n {
			b.Events = append(b.Events, repo.Event{Log: repo.Log{
				Time: huntDay().Add(time.Duration(r.IntN(1e6)) * time.Millisecond), Decky: fmt.Sprintf("decky-%d", r.IntN(4)),
				Service: []string{"ssh", "http", "ftp", "smb"}[r.IntN(4)], EventType: "e",
				AttackerIP: fmt.Sprintf("192.0.%d.%d", r.IntN(4), r.IntN(250)), Fields: "{}",
			}})
		}
		require.NoError(t, s.Commit(t.Context(), b))
	}
	check := func(s *sqlite.Store, what string) {
		all, err := s.Attackers(t.Context(), repo.AttackerQuery{Limit: 1000})
		require.NoError(t, err)
		for _, search := range []string{"smb", "192.0.2.7", "SSH", "decky-3", "nobody", "scanning", "192.0."} {
			want := map[string]bool{}
			for _, a := range all {
				text := append([]string{a.IP, a.Behavior.Class}, append(a.Services, a.Deckies...)...)
				if slices.ContainsFunc(text, func(s string) bool { return repo.ContainsFold(s, search) }) {
					want[a.IP] = true
				}
			}
			n, err := s.CountAttackers(t.Context(), repo.AttackerFilter{Search: search})
			require.NoError(t, err)
			require.EqualValues(t, len(want), n, "%s: %q", what, search)
			for _, sort := range []repo.AttackerSort{repo.SortRecent, repo.SortActive, repo.SortTraversals} {
				whole, err := s.Attackers(t.Context(), repo.AttackerQuery{AttackerFilter: repo.AttackerFilter{Search: search}, Sort: sort, Limit: 1000})
				require.NoError(t, err)
				require.Len(t, whole, len(want), "%s: %q", what, search)
				var order []string
				sorted, err := s.Attackers(t.Context(), repo.AttackerQuery{Sort: sort, Limit: 1000})
				require.NoError(t, err)
				for _, a := range sorted {
					if want[a.IP] {
						order = append(order, a.IP)
					}
				}
				var got []string
				for _, a := range whole {
					got = append(got, a.IP)
				}
				require.Equal(t, order, got, "%s: %q by %v", what, search, sort)
				page, err := s.Attackers(t.Context(), repo.AttackerQuery{AttackerFilter: repo.AttackerFilter{Search: search}, Sort: sort, Limit: 3, Offset: 2})
				require.NoError(t, err)
				from := min(2, len(whole))
				require.Equal(t, append([]repo.Attacker{}, whole[from:min(from+3, len(whole))]...), page)
			}
		}
	}
	commit(first, 600)
	check(first, "at first")
	for i := range 4 {
		commit(first, 40)
		check(first, fmt.Sprintf("after commit %d", i))
	}
	commit(second, 40)
	check(first, "after another process")
	check(second, "in the other process")
	require.NoError(t, first.Repair(t.Context()))
	check(first, "after a repair")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := first.CountAttackers(ctx, repo.AttackerFilter{Search: "smb"})
	require.ErrorIs(t, err, context.Canceled)
	assert.NotContains(t, strings.ToLower(err.Error()), "smb")
	_, err = first.Purge(t.Context())
	require.NoError(t, err)
	check(first, "after a purge")
	commit(first, 30)
	check(first, "and filled again")
}
