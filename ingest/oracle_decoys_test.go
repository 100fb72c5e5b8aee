package ingest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
)

// tally is what an oracle.py beside a capture counted, and the same of what was
// ingested.
type tally struct {
	Lines        int64          `json:"lines"`
	Ignored      int64          `json:"ignored"`
	Rejected     int64          `json:"rejected"`
	Events       int            `json:"events"`
	PerEventType map[string]int `json:"per_event_type"`
	PerService   map[string]int `json:"per_service"`
	PerAttacker  map[string]int `json:"per_attacker"`
	Commands     int            `json:"commands"`
	// Credentials and UserAgents are distinct ones of an attacker.
	Credentials int `json:"credentials"`
	UserAgents  int `json:"user_agents"`
}

// TestDecoyCaptures_AgreeWithOracle reads every capture of the formats of other
// decoys, without saying which format it is of.
func TestDecoyCaptures_AgreeWithOracle(t *testing.T) {
	t.Parallel()
	formats := []string{"opencanary", "dionaea", "heralding", "honeytrap", "syslog"}
	eachCapture(t, formats, func(t *testing.T, format, path string, want tally) {
		t.Helper()
		require.Positive(t, want.Lines)
		assert.Equal(t, want, ingestTally(t, format, path))
	})
}

// eachCapture reads what the oracles of formats counted in their captures, and
// has each of these compared.
func eachCapture[T any](t *testing.T, formats []string, compare func(t *testing.T, format, path string, want T)) {
	t.Helper()
	for _, format := range formats {
		dir := filepath.Join("testdata", format)
		text, err := os.ReadFile(filepath.Join(dir, "counts.json"))
		require.NoError(t, err)
		var captures map[string]T
		require.NoError(t, json.Unmarshal(text, &captures))
		require.NotEmpty(t, captures)
		for name, want := range captures {
			t.Run(format+"/"+name, func(t *testing.T) {
				t.Parallel()
				compare(t, format, filepath.Join(dir, name), want)
			})
		}
	}
}

func ingestTally(t *testing.T, format, path string) tally {
	t.Helper()
	sink := newMemSink()
	st := ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path}}})
	assert.Equal(t, st.Lines, st.Accepted+st.Rejected+st.Ignored, "every line becomes something")
	assert.Equal(t, format, st.Sources[0].Format)
	got := tally{
		Lines: st.Lines, Ignored: st.Ignored, Rejected: st.Rejected,
		PerEventType: map[string]int{}, PerService: map[string]int{}, PerAttacker: map[string]int{},
	}
	events, _ := sink.stored()
	got.Events = len(events)
	seen := map[string]bool{}
	for i := range events {
		e := &events[i]
		checkEvent(t, e)
		got.PerEventType[e.EventType]++
		got.PerService[e.Service]++
		got.PerAttacker[e.AttackerIP]++
		if e.Command != "" {
			got.Commands++
		}
		for _, b := range e.Bounties {
			key := e.AttackerIP + b.Type + b.Payload
			if seen[key] {
				continue
			}
			seen[key] = true
			switch {
			case b.Type == repo.BountyCredential:
				got.Credentials++
			case strings.Contains(b.Payload, `"fingerprint_type":"http_useragent"`):
				got.UserAgents++
			}
		}
	}
	return got
}
