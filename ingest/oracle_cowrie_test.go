package ingest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
)

// storedCounts is what oracle.py says that a database holds of a capture: what
// comes again is there once.
type storedCounts struct {
	Rejected int64            `json:"rejected"`
	Deckies  int64            `json:"deckies"`
	Bounties map[string]int64 `json:"bounties"`
	// Pairs are the distinct credentials; of one of them so many attackers knew.
	Pairs         int64 `json:"pairs"`
	MostAttackers int64 `json:"most_attackers"`
}

// TestCowrieCapture_AgreesWithOracle reads three months of a real Cowrie: as
// events, and as what an operator sees of them.
func TestCowrieCapture_AgreesWithOracle(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("105 454 lines")
	}
	text, err := os.ReadFile("testdata/cowrie/stored.json")
	require.NoError(t, err)
	var stored storedCounts
	require.NoError(t, json.Unmarshal(text, &stored))
	eachCapture(t, []string{"cowrie"}, func(t *testing.T, _, path string, want oracleCounts) {
		t.Helper()
		t.Run("events", func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, want, countCapture(t, path, stored.Rejected))
		})
		t.Run("database", func(t *testing.T) {
			t.Parallel()
			checkStored(t, path, want, stored)
		})
	})
}

func checkStored(t *testing.T, path string, want oracleCounts, stored storedCounts) {
	t.Helper()
	ctx := t.Context()
	store := openStore(t, filepath.Join(t.TempDir(), "decnet.db"))
	ingestAll(t, ingest.Options{Sink: store, Sources: []ingest.Source{{Path: path}}})
	stats, err := store.Stats(ctx)
	require.NoError(t, err)
	assert.Equal(t, repo.Stats{
		Logs: want.Accepted, Attackers: int64(len(want.Attackers)), ActiveDeckies: stored.Deckies,
		Bounties: stored.Bounties["credential"] + stored.Bounties["hassh"] + stored.Bounties["payload"],
	}, stats)
	for word, n := range want.Events {
		count, err := store.CountLogs(ctx, repo.LogFilter{Search: repo.ParseSearch("event:" + word)})
		require.NoError(t, err)
		assert.Equal(t, n, count, "event:%s", word)
	}
	attackers, err := store.Attackers(ctx, repo.AttackerQuery{Limit: 2000})
	require.NoError(t, err)
	perAttacker := map[string]int64{}
	for i := range attackers {
		perAttacker[attackers[i].IP] = attackers[i].EventCount
	}
	assert.Equal(t, want.Attackers, perAttacker)
	credentials, err := store.CountCredentials(ctx, repo.CredentialFilter{})
	require.NoError(t, err)
	assert.Equal(t, stored.Pairs, credentials)
	most, err := store.Credentials(ctx, repo.CredentialQuery{Sort: repo.SortCredentialAttackers, Limit: 1})
	require.NoError(t, err)
	require.Len(t, most, 1)
	assert.Equal(t, stored.MostAttackers, most[0].Attackers)
	rejects, err := store.CountRejects(ctx)
	require.NoError(t, err)
	assert.Equal(t, stored.Rejected, rejects)
	found, err := store.Check(ctx)
	require.NoError(t, err)
	assert.Empty(t, found.Findings)
}
