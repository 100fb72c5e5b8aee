package ingest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
)

const smallMapping = `name: mypot
sniff:
  - {path: kind, prefix: mypot.}
time: at
service: {path: proto, default: ftp}
event: {path: kind, map: {mypot.open: connect, mypot.end: disconnect}, extract: '^(mypot\.\w+)$', slug: true}
attacker: [peer.-1, peer.1, 'peer.0.i\.p']
session: id
password: {path: pass, when: [{path: kind, one_of: [mypot.login]}]}
size: n
sha256: sum
ignore:
  - {when: [{path: kind, equals: mypot.alive}], reason: own_message, because: It lives.}
plain_lines: ignore
`

// TestLoadMapping_UsersFormatIsReadBesideTheShippedOnes is what a user does: a
// pot nobody knows, described in a file.
func TestLoadMapping_UsersFormatIsReadBesideTheShippedOnes(t *testing.T) {
	t.Parallel()
	format, err := ingest.LoadMapping([]byte(smallMapping))
	require.NoError(t, err)
	input := filepath.Join(t.TempDir(), "mypot.json")
	require.NoError(t, os.WriteFile(input, []byte(`{"kind":"mypot.open","at":1767225600,"id":"s","proto":"SSH","peer":[{"i.p":"::ffff:203.0.113.5"}]}
{"kind":"mypot.login","at":1767225601,"id":"s","pass":"","peer":[{"i.p":"203.0.113.5"}]}
{"kind":"mypot.login","at":1767225602,"id":"s","pass":"p","peer":[{"i.p":"203.0.113.5"}]}
{"kind":"mypot.file","at":1767225603,"pass":"p","sum":"ab","n":7,"peer":[{"i.p":"203.0.113.5"}]}
{"kind":"mypot.file","at":1767225603,"sum":"cd","n":0,"peer":[{"i.p":"203.0.113.5"}]}
{"kind":"mypot.alive"}
Traceback (most recent call last):
{"kind":"mypot.bad kind","at":1767225604}
{"kind":"mypot.x","at":null}
{"kind":"mypot.end","at":1767225605,"id":"s","peer":[]}
`), 0o600))
	sink := newMemSink()
	st := ingestAll(t, ingest.Options{Sink: sink, Formats: []ingest.Format{format}, Sources: []ingest.Source{{Path: input}}})
	assert.Equal(t, "mypot", st.Sources[0].Format)
	assert.Equal(t, ingest.Counts{Lines: 10, Accepted: 6, Rejected: 2, Ignored: 2}, st.Counts)
	assert.Equal(t, map[string]int64{"no_event_type": 1, "no_timestamp": 1}, st.Sources[0].RejectedBy)
	var got []string
	events, _ := sink.stored()
	for i := range events {
		e := &events[i]
		checkEvent(t, e)
		line := e.Decky + " " + e.Service + " " + e.EventType + " " + e.AttackerIP
		for _, b := range e.Bounties {
			line += " " + b.Payload
		}
		got = append(got, line)
	}
	assert.Equal(t, []string{
		"mypot ssh connect 203.0.113.5",
		"mypot ssh mypot_login 203.0.113.5",
		`mypot ssh mypot_login 203.0.113.5 {"password":"p","username":""}`,
		`mypot ftp mypot_file 203.0.113.5 {"filename":null,"sha256":"ab","size":7,"url":null}`,
		`mypot ftp mypot_file 203.0.113.5 {"filename":null,"sha256":"cd","size":0,"url":null}`,
		"mypot ssh disconnect 203.0.113.5",
	}, got)
}

// TestLoadMapping_WhatIsMadeOfATime and of a decky, which columns hold: then the
// fields keep the line's own text.
func TestLoadMapping_WhatIsMadeOfATime(t *testing.T) {
	t.Parallel()
	format, err := ingest.LoadMapping([]byte("name: x\nsniff: [when]\ntime: {path: when, extract: '^at (.*)$'}\n" +
		"decky: {path: host, slug: true}\nservice: {const: s}\nevent: {const: e}\nattacker: a\n"))
	require.NoError(t, err)
	records, err := format.Parse([]byte(`{"when":"at 2026-04-14T09:00:00Z","host":"A-1"}`))
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, time.April, 14, 9, 0, 0, 0, time.UTC), records[0].Event.Time)
	assert.Equal(t, "a_1", records[0].Event.Decky)
	assert.JSONEq(t, `{"when":"at 2026-04-14T09:00:00Z","host":"A-1"}`, records[0].Event.Fields)
	_, err = format.Parse([]byte(`{"when":"2026-04-14T09:00:00Z"}`))
	require.ErrorContains(t, err, ingest.ReasonNoTimestamp)
}

func TestLoadMapping_MistakesAreToldWithTheirLine(t *testing.T) {
	t.Parallel()
	const rest = "sniff: [a]\ntime: t\nservice: {const: s}\nevent: {const: e}\nattacker: a\n"
	for text, want := range map[string]string{
		"":                                                     "it is empty",
		"# only a comment":                                     "it is empty",
		"[]":                                                   "line 1: keys and values are expected here",
		"name: x\n---\nname: y":                                "a file describes one format",
		"name: X\n" + rest:                                     `name "X" is not a word`,
		"name: x\nservise: y":                                  `line 2: unknown key "servise"`,
		"name: x\nname: y":                                     `line 2: the key "name" comes twice`,
		"name: x\nevent:\n  pfad: y":                           `line 3: unknown key "pfad"`,
		"name: x\nevent:\n  path: y\n  const: z":               "line 3: a value has a path or is const, not both",
		"name: x\nevent: {slug: true}":                         "line 2: a value needs a path or a const",
		"name: x\nevent:\n  path: a..b":                        `line 3: the path "a..b" has an empty part`,
		"name: x\nevent: {path: a, extract: '('}":              "line 2: error parsing regexp",
		"name: x\nevent: {path: a, extract: 'a'}":              "line 2: extract needs exactly one group",
		"name: x\nevent: {path: a, then: {path: b}}":           `line 2: unknown key "path"`,
		"name: x\nevent: {path: a, decode: hex}":               `line 2: only "base64" is known here, not "hex"`,
		"name: x\nevent: {path: a, match: [{pattern: a}]}":     "line 2: a match needs a pattern and a value",
		"name: x\ntime: []":                                    "line 2: the list is empty",
		"name: x\nsniff: []":                                   "line 2: the list is empty",
		"name: x\nsniff:\n  - {path: a, prefix: b, equals: c}": "line 3: a condition has one test",
		"name: x\nsniff:\n  - {equals: c}":                     "line 3: a condition needs a path, or only",
		"name: x\nplain_lines: maybe":                          "line 2: plain_lines is ignore or reject",
		"name: x\nignore:\n  - {when: [a], reason: bored, because: b}": "line 3: reason is one of own_message",
		"name: x\nignore:\n  - {when: [a], reason: header}":            "line 3: an ignore rule needs when, reason and because",
		"name: x\ntime: t":             "sniff is missing",
		"name: x\n" + "sniff: [a]":     "time is missing",
		"name: x\nsniff: [a]\ntime: ~": "line 3: text is expected here",
		"name: x\ntime: 'a\\'":         "sniff is missing", // the key may end in a backslash
		"name: x\n\tbad":               "yaml: line",
	} {
		_, err := ingest.LoadMapping([]byte(text))
		require.ErrorContains(t, err, want, "%s", text)
	}
	_, err := ingest.LoadMapping([]byte("name: x\n" + rest))
	require.NoError(t, err, "what is mandatory is enough")
	longest := "name: x\n" + rest + "description: "
	longest += strings.Repeat("x", 64<<10-len(longest))
	_, err = ingest.LoadMapping([]byte(longest))
	require.NoError(t, err)
	_, err = ingest.LoadMapping([]byte(longest + "x"))
	require.ErrorContains(t, err, "the limit is 65536")
}
