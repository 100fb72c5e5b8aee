package ingest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
)

// oracleCounts is what oracle.py, which shares no code with the parsers,
// counted in a capture beside it.
type oracleCounts struct {
	Format     string           `json:"format"`
	Lines      int64            `json:"lines"`
	Accepted   int64            `json:"accepted"`
	Ignored    int64            `json:"ignored"`
	Events     map[string]int64 `json:"events"`
	Services   map[string]int64 `json:"services"`
	Attackers  map[string]int64 `json:"attackers"`
	Bounties   map[string]int64 `json:"bounties"`
	Commands   int64            `json:"commands"`
	FirstEvent string           `json:"first"`
	LastEvent  string           `json:"last"`
}

// capturedFormats are those with captures and an oracle in their directory.
func capturedFormats() []string {
	return []string{
		"sshd", "web", "suricata", "glutton", "beelzebub", "adbhoney", "conpot", "elasticpot", "elasticpot-v1",
		"h0neytr4p", "honeyaml", "mailoney", "medpot", "redishoneypot", "tanner", "zeek",
	}
}

// TestCaptures_AgreeWithOracle reads every capture as an operator would, without
// naming its format, and compares what came of it with another program's counts.
func TestCaptures_AgreeWithOracle(t *testing.T) {
	t.Parallel()
	eachCapture(t, capturedFormats(), func(t *testing.T, _, path string, want oracleCounts) {
		t.Helper()
		got := countCapture(t, path, 0)
		if want.Services == nil {
			got.Services = nil // What a port is for would be the same table twice.
		}
		assert.Equal(t, want, got)
	})
}

func countCapture(t *testing.T, path string, rejected int64) oracleCounts {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	// A copy whose time of change is the same everywhere: lines without a year
	// take theirs from it.
	input := filepath.Join(t.TempDir(), filepath.Base(path))
	require.NoError(t, os.WriteFile(input, data, 0o600))
	written := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	require.NoError(t, os.Chtimes(input, written, written))
	sink := newMemSink()
	st := ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: input}}})
	require.Equal(t, rejected, st.Rejected, "%v", st.Sources[0].RejectedBy)
	require.Equal(t, st.Lines, st.Accepted+st.Rejected+st.Ignored)
	got := oracleCounts{
		Format: st.Sources[0].Format, Lines: st.Lines, Accepted: st.Accepted, Ignored: st.Ignored,
		Events: map[string]int64{}, Services: map[string]int64{}, Attackers: map[string]int64{},
		Bounties: map[string]int64{},
	}
	events, _ := sink.stored()
	for i := range events {
		e := &events[i]
		checkEvent(t, e)
		got.Events[e.EventType]++
		got.Services[e.Service]++
		got.Attackers[e.AttackerIP]++
		if e.Command != "" {
			got.Commands++
		}
		for _, b := range e.Bounties {
			got.Bounties[bountyKind(t, b)]++
		}
		at := e.Time.Format("2006-01-02T15:04:05.000000Z")
		if got.FirstEvent == "" || at < got.FirstEvent {
			got.FirstEvent = at
		}
		got.LastEvent = max(got.LastEvent, at)
	}
	return got
}

// bountyKind is a bounty's type, or what a fingerprint is of.
func bountyKind(t *testing.T, b repo.Bounty) string {
	t.Helper()
	if b.Type != repo.BountyFingerprint {
		return b.Type
	}
	var p struct {
		Kind string `json:"fingerprint_type"`
	}
	require.NoError(t, json.Unmarshal([]byte(b.Payload), &p))
	return p.Kind
}
