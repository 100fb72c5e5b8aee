package ingest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"decnet/ingest"
	"decnet/repo"
)

// The expectation of a vector, written so that a person can review it: what
// says nothing is left out.
type wantVector struct {
	Events  []wantEvent  `json:"events,omitempty"`
	Rejects []wantReject `json:"rejects,omitempty"`
	Ignored int64        `json:"ignored,omitempty"`
	Open    []string     `json:"open_sessions,omitempty"`
}

type wantEvent struct {
	Time      string            `json:"time"`
	Decky     string            `json:"decky"`
	Service   string            `json:"service"`
	EventType string            `json:"event_type"`
	Attacker  string            `json:"attacker"`
	Fields    json.RawMessage   `json:"fields"`
	Msg       string            `json:"msg,omitempty"`
	TraceID   string            `json:"trace_id,omitempty"`
	SpanID    string            `json:"span_id,omitempty"`
	Raw       string            `json:"raw_line,omitempty"` // only where it is not the line
	Original  bool              `json:"original,omitempty"`
	Bounties  []json.RawMessage `json:"bounties,omitempty"`
	Command   string            `json:"command,omitempty"`
	Traits    map[string]any    `json:"traits,omitempty"`
}

type wantReject struct {
	Offset int64  `json:"offset"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	Size   int64  `json:"size"`
}

// TestVectors feeds each archive's lines through the whole ingester. Run with
// -update to write what came out, and review the difference.
func TestVectors(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			testVector(t, path)
		})
	}
}

func testVector(t *testing.T, path string) {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	require.NoError(t, err)
	require.Len(t, archive.Files, 2, "an archive holds lines and want.json")
	require.NotEmpty(t, bytes.TrimSpace(archive.Comment), "the comment says why the vector exists")
	input := filepath.Join(t.TempDir(), "input.log")
	require.NoError(t, os.WriteFile(input, archive.Files[0].Data, 0o600))
	// Lines without a year take it from when their file was last changed.
	written := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	require.NoError(t, os.Chtimes(input, written, written))
	format := filepath.Base(filepath.Dir(path))
	if format == "sniff" {
		format = ""
	}
	sink := newMemSink()
	st := ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: input, Format: format}}})
	assert.Equal(t, st.Lines, st.Accepted+st.Rejected+st.Ignored, "every line becomes something")
	got := encodeVector(t, sink, st, archive.Files[0].Data)
	if flag.Lookup("update").Value.String() == "true" {
		archive.Files[1].Data = got
		require.NoError(t, os.WriteFile(path, txtar.Format(archive), 0o644))
		return
	}
	assertSameLines(t, string(archive.Files[1].Data), string(got))
}

// assertSameLines fails at the first line that differs: a whole expectation
// printed twice is of no use to anybody.
func assertSameLines(t *testing.T, want, got string) {
	t.Helper()
	wantLines, gotLines := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(wantLines), len(gotLines)) {
		from := max(0, i-3)
		require.Equal(t, wantLines[i], gotLines[i], "line %d of want.json, behind\n%s",
			i+1, strings.Join(wantLines[from:i], "\n"))
	}
	require.Len(t, gotLines, len(wantLines), "got\n%s", got)
}

func encodeVector(t *testing.T, sink *memSink, st ingest.Status, input []byte) []byte {
	t.Helper()
	events, rejects := sink.stored()
	want := wantVector{Ignored: st.Ignored}
	for i := range events {
		checkEvent(t, &events[i])
		want.Events = append(want.Events, encodeEvent(t, &events[i], input))
	}
	for _, r := range rejects {
		assert.Equal(t, input[r.Offset:r.Offset+min(r.Size, repo.MaxRejectLine)], r.Line, "the line of a reject")
		want.Rejects = append(want.Rejects, wantReject{r.Offset, r.Reason, r.Detail, r.Size})
	}
	open, err := sink.OpenSessions(t.Context())
	require.NoError(t, err)
	for _, s := range open {
		want.Open = append(want.Open, s.Key+" "+s.Service)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	require.NoError(t, enc.Encode(want))
	return b.Bytes()
}

func encodeEvent(t *testing.T, e *repo.Event, input []byte) wantEvent {
	t.Helper()
	w := wantEvent{
		Time: e.Time.Format("2006-01-02T15:04:05.999999999Z07:00"), Decky: e.Decky, Service: e.Service,
		EventType: e.EventType, Attacker: e.AttackerIP, Fields: json.RawMessage(e.Fields), Msg: e.Msg,
		TraceID: e.TraceID, SpanID: e.SpanID, Original: e.Original != nil, Command: e.Command,
		Traits: map[string]any{},
	}
	if e.Original != nil {
		assert.True(t, bytes.Contains(input, e.Original), "the original is what was read")
	}
	if !bytes.Contains(input, []byte(e.RawLine)) {
		w.Raw = e.RawLine
	}
	for _, b := range e.Bounties {
		w.Bounties = append(w.Bounties, json.RawMessage(`{"`+b.Type+`":`+b.Payload+`}`))
	}
	set := func(key string, value any, zero bool) {
		if !zero {
			w.Traits[key] = value
		}
	}
	tr := &e.Traits
	set("user_agent", tr.UserAgent, tr.UserAgent == "")
	set("mailer", tr.Mailer, tr.Mailer == "")
	set("os_guess", tr.OSGuess, tr.OSGuess == "")
	set("ttl", tr.TTL, tr.TTL == 0)
	set("hop_distance", tr.HopDistance, tr.HopDistance == nil)
	set("tcp_fingerprint", json.RawMessage(tr.TCPFingerprint), tr.TCPFingerprint == "")
	set("retransmits", tr.Retransmits, tr.Retransmits == 0)
	set("payload_bytes", tr.PayloadBytes, tr.PayloadBytes == 0)
	return w
}
