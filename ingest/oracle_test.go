package ingest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
	"decnet/repo/sqlite"
)

// captureCounts is what jq counted in the shipped capture: see
// examples/cowrie/counts.sh.
type captureCounts struct {
	Lines            int64            `json:"lines"`
	Attackers        int64            `json:"attackers"`
	Deckies          int64            `json:"deckies"`
	PerEventType     map[string]int64 `json:"per_event_type"`
	PerService       map[string]int64 `json:"per_service"`
	PerAttacker      map[string]int64 `json:"per_attacker"`
	PerQuarterHour   map[string]int64 `json:"per_quarter_hour"`
	Credentials      int64            `json:"credentials"`
	CredentialEvents int              `json:"credential_events"`
	Hassh            int64            `json:"hassh"`
	Commands         []string         `json:"commands"`
	First            time.Time        `json:"first"`
	Last             time.Time        `json:"last"`
}

const captureDir = "../examples/cowrie"

func readCounts(t *testing.T) captureCounts {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(captureDir, "counts.json"))
	require.NoError(t, err)
	var c captureCounts
	require.NoError(t, json.Unmarshal(text, &c))
	require.Positive(t, c.Lines)
	return c
}

func captureSource() ingest.Source {
	return ingest.Source{Path: filepath.Join(captureDir, "tpot-2025-10-24.jsonl")}
}

// TestCapture_EventsAgreeWithJq compares every event of a real capture with
// counts by a tool that shares no code with the parser.
func TestCapture_EventsAgreeWithJq(t *testing.T) {
	t.Parallel()
	want := readCounts(t)
	sink := newMemSink()
	st := ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{captureSource()}})
	require.Equal(t, ingest.Counts{Lines: want.Lines, Accepted: want.Lines}, st.Counts)
	assert.Equal(t, "cowrie", st.Sources[0].Format)

	got := captureCounts{
		Lines: st.Lines, Deckies: want.Deckies, Commands: []string{},
		PerEventType: map[string]int64{}, PerService: map[string]int64{}, PerAttacker: map[string]int64{},
		PerQuarterHour: map[string]int64{},
	}
	bounties := map[string]int64{}
	seen := map[string]bool{}
	events, _ := sink.stored()
	for i := range events {
		e := &events[i]
		checkEvent(t, e)
		got.PerEventType[e.EventType]++
		got.PerService[e.Service]++
		got.PerAttacker[e.AttackerIP]++
		got.PerQuarterHour[e.Time.Truncate(15*time.Minute).Format(time.RFC3339)]++
		if e.Command != "" {
			got.Commands = append(got.Commands, e.Command)
		}
		for _, b := range e.Bounties {
			if b.Type == repo.BountyCredential {
				got.CredentialEvents++
			}
			if key := b.Type + e.AttackerIP + b.Payload; !seen[key] {
				seen[key] = true
				bounties[b.Type]++
			}
		}
		if i == 0 || e.Time.Before(got.First) {
			got.First = e.Time
		}
		if e.Time.After(got.Last) {
			got.Last = e.Time
		}
	}
	got.Attackers = int64(len(got.PerAttacker))
	got.Credentials, got.Hassh = bounties[repo.BountyCredential], bounties[repo.BountyFingerprint]
	assert.Equal(t, want, got)
}

// TestCapture_StoreAgreesWithJq compares what an operator sees in the store.
func TestCapture_StoreAgreesWithJq(t *testing.T) {
	t.Parallel()
	want := readCounts(t)
	store := openStore(t, filepath.Join(t.TempDir(), "decnet.db"))
	ingestAll(t, ingest.Options{Sink: store, Sources: []ingest.Source{captureSource()}})

	stats, err := store.Stats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, repo.Stats{
		Logs: want.Lines, Attackers: want.Attackers, ActiveDeckies: want.Deckies,
		Bounties: want.Credentials + want.Hassh,
	}, stats)

	buckets, err := store.Histogram(t.Context(), repo.LogFilter{}, 15*time.Minute)
	require.NoError(t, err)
	got := map[string]int64{}
	for _, b := range buckets {
		got[b.Start.Format(time.RFC3339)] = b.Count
	}
	assert.Equal(t, want.PerQuarterHour, got)

	for word, n := range want.PerEventType {
		count, err := store.CountLogs(t.Context(), repo.LogFilter{Search: repo.ParseSearch("event:" + word)})
		require.NoError(t, err)
		assert.Equal(t, n, count, "event:%s", word)
	}
	attackers, err := store.Attackers(t.Context(), repo.AttackerQuery{Limit: 1000})
	require.NoError(t, err)
	perAttacker := map[string]int64{}
	var commands []string
	for i := range attackers {
		perAttacker[attackers[i].IP] = attackers[i].EventCount
		for _, c := range attackers[i].Commands {
			commands = append(commands, c.Text)
		}
	}
	assert.Equal(t, want.PerAttacker, perAttacker)
	assert.Equal(t, slices.Sorted(slices.Values(want.Commands)), slices.Sorted(slices.Values(commands)))
}

// TestCollectorExamples_AllAccepted reads one example of every event that a
// DECNET decoy sends.
func TestCollectorExamples_AllAccepted(t *testing.T) {
	t.Parallel()
	sink := newMemSink()
	st := ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: "testdata/decnet/examples.collector.jsonl"}}})
	require.Equal(t, ingest.Counts{Lines: 115, Accepted: 115}, st.Counts)
	assert.Equal(t, "decnet", st.Sources[0].Format)
	events, _ := sink.stored()
	bounties := map[string]int{}
	withFraction := 0
	for i := range events {
		e := &events[i]
		checkEvent(t, e)
		assert.Nil(t, e.Original, "the row holds all of the line %s", e.RawLine)
		if e.Time.Nanosecond() != 0 {
			withFraction++
		}
		for _, b := range e.Bounties {
			var p struct {
				Kind string `json:"fingerprint_type"`
			}
			require.NoError(t, json.Unmarshal([]byte(b.Payload), &p))
			bounties[b.Type+"/"+p.Kind]++
		}
	}
	assert.Greater(t, withFraction, 100, "the fraction is taken from raw_line")
	assert.Equal(t, map[string]int{
		"credential/": 5, "fingerprint/http_useragent": 5, "fingerprint/vnc_client_version": 1,
		"fingerprint/ja3": 2, "fingerprint/ja4l": 1, "fingerprint/tls_certificate": 1,
		"fingerprint/jarm": 1, "fingerprint/hassh_server": 1, "fingerprint/tcpfp": 1,
	}, bounties)
	fields := map[string]string{}
	for i := range events {
		fields[events[i].Service+" "+events[i].EventType] = events[i].Fields
	}
	assert.Contains(t, fields["mqtt subscribe"], `"topics":"['#']"`, "what the collector lost is found again")
	assert.Contains(t, fields["snmp get_request"], `"oids":`)
	assert.Contains(t, fields["smtp ehlo"], `"domain":"[127.0.0.1]"`)
}

func openStore(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	return store
}
