package ingest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
)

func TestExplain_TellsWhatBecomesOfALineOrWhyNothingDoes(t *testing.T) {
	t.Parallel()
	login := cowrieLine("s1", "login.failed", `,"username":"root","password":"x"`, 2)
	for name, c := range map[string]struct {
		line, format string
		check        func(t *testing.T, x repo.Explanation)
		notes        []string
	}{
		"an event": {line: login, check: func(t *testing.T, x repo.Explanation) {
			t.Helper()
			assert.Equal(t, "cowrie", x.Format)
			require.Len(t, x.Events, 1)
			assert.Equal(t, "login_failed", x.Events[0].EventType)
			require.Len(t, x.Events[0].Bounties, 1)
			assert.Empty(t, x.Reason+x.Ignored)
			notes := strings.Join(x.Notes, "\n")
			assert.NotContains(t, notes, "counted as one line")
			assert.NotContains(t, notes, "are ignored by")
			assert.NotContains(t, notes, "holds no credential")
		}, notes: []string{"session's first line; where that was not read it is ssh"}},
		"a private attacker": {
			line:  strings.Replace(login, "203.0.113.45", "192.168.1.7", 1),
			notes: []string{"192.168.1.7 is private"},
		},
		"an attacker behind a proxy": {line: strings.Replace(login, "203.0.113.45", "127.0.0.1", 1), notes: []string{"127.0.0.1 is of the decoy itself"}},
		"an attacker at no address":  {line: strings.Replace(login, "203.0.113.45", "0.0.0.0", 1), notes: []string{"0.0.0.0 is unspecified"}},
		"a time that lacks the year": {
			line: "Feb  1 00:00:00 h sshd[1]: Failed password for root from 203.0.113.5 port 5 ssh2", notes: []string{"no year and no zone"},
		},
		"the pot's own": {
			line: `{"connection":{"protocol":"ftpd","transport":"tcp","type":"listen"},"src_ip":"","src_hostname":"","timestamp":"2025-10-24T08:53:37"}`,
			check: func(t *testing.T, x repo.Explanation) {
				t.Helper()
				assert.Equal(t, ingest.IgnoredOwnConnection, x.Ignored)
				assert.NotEmpty(t, x.Detail)
			},
		},
		"a command": {
			line: cowrieLine("s1", "command.input", `,"input":"id"`, 2),
			check: func(t *testing.T, x repo.Explanation) {
				t.Helper()
				assert.NotContains(t, strings.Join(x.Notes, "\n"), "holds no credential")
			},
		},
		"nothing but an event": {line: cowrieLine("s1", "session.connect", "", 1), notes: []string{"holds no credential"}},
		"no attacker": {
			line:  strings.Replace(event(1), "203.0.113.45", "", 1),
			notes: []string{"no attacker's address: no bounty", "no zone: it is taken as UTC"},
		},
		"no attacker, but a session": {
			line:  `{"event":{"DateTime":"2026-05-02T11:03:13Z","RemoteAddr":"","Protocol":"","Status":"End","Msg":"End","ID":"b"},"level":"info","msg":"New Event"}`,
			notes: []string{"closes a session", "the attacker is that of the session"},
		},
		"an id": {line: withID(1, `"x\u001b[2J"`), notes: []string{"event_id"}},
		"nothing that is known": {line: "hello\x1b[2J", check: func(t *testing.T, x repo.Explanation) {
			t.Helper()
			assert.Equal(t, "unknown_format", x.Reason)
			assert.NotEmpty(t, x.Detail)
			assert.Empty(t, x.Events)
		}},
		"behind a header": {line: "<13>1 2026-01-01T00:00:00Z h cowrie - - - " + login, notes: []string{"format cowrie: the syslog receiver takes it"}},
		"a wrong format": {line: event(1), format: "cowry", check: func(t *testing.T, x repo.Explanation) {
			t.Helper()
			assert.Contains(t, x.Detail, `"cowry"`)
		}},
		"blank":             {line: " \r\n", check: func(t *testing.T, x repo.Explanation) { t.Helper(); assert.Equal(t, "blank", x.Ignored) }},
		"too long":          {line: strings.Repeat("x", 2<<20), check: func(t *testing.T, x repo.Explanation) { t.Helper(); assert.Equal(t, "line_too_long", x.Reason) }},
		"as long as may be": {line: strings.Repeat("x", ingest.DefaultMaxLine), check: func(t *testing.T, x repo.Explanation) { t.Helper(); assert.Equal(t, "unknown_format", x.Reason) }},
		"broken": {line: login[:40], format: "cowrie", check: func(t *testing.T, x repo.Explanation) {
			t.Helper()
			assert.Equal(t, "not_json", x.Reason)
			assert.Equal(t, "cowrie", x.Format)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := ingest.Explain([]byte(c.line), c.format)
			if c.check != nil {
				c.check(t, x)
			}
			for _, note := range c.notes {
				assert.Contains(t, strings.Join(x.Notes, "\n"), note)
			}
		})
	}
}

func TestExplain_KnowsTheRulesAndMappings(t *testing.T) {
	t.Parallel()
	rule, err := ingest.ParseIgnoreRule("event=request")
	require.NoError(t, err)
	in, err := ingest.New(ingest.Options{Sink: newMemSink(), Ignore: []ingest.IgnoreRule{rule}})
	require.NoError(t, err)
	x := in.Explain([]byte(event(1)), "")
	assert.Equal(t, "rule event=request", x.Ignored)
	assert.Empty(t, x.Events)
}

func TestExplain_ARuleForSomeOfALinesEvents(t *testing.T) {
	t.Parallel()
	rule, err := ingest.ParseIgnoreRule("event=connect")
	require.NoError(t, err)
	in, err := ingest.New(ingest.Options{Sink: newMemSink(), Ignore: []ingest.IgnoreRule{rule}})
	require.NoError(t, err)
	x := in.Explain([]byte(`{"connection":{"protocol":"ftpd","transport":"tcp","type":"accept"},"src_ip":"203.0.113.66","src_hostname":"",`+
		`"timestamp":"2025-10-24T08:53:37","credentials":[{"username":"a","password":"b"}]}`), "")
	require.Len(t, x.Events, 1)
	assert.Equal(t, "auth_attempt", x.Events[0].EventType)
	assert.False(t, x.Events[0].Part, "it is the first that is kept")
	assert.Empty(t, x.Ignored)
	assert.Contains(t, strings.Join(x.Notes, "\n"), "ignored by the rule event=connect")
}

func TestExplain_ATimeThatIsStillToCome(t *testing.T) {
	t.Parallel()
	dayBefore := time.Date(2026, time.April, 13, 9, 0, 0, 0, time.UTC) // of event(1)
	for now, want := range map[time.Time]bool{dayBefore: false, dayBefore.Add(-time.Second): true} {
		in, err := ingest.New(ingest.Options{Sink: newMemSink(), Now: func() time.Time { return now }})
		require.NoError(t, err)
		x := in.Explain([]byte(event(1)), "")
		assert.Equal(t, want, strings.Contains(strings.Join(x.Notes, "\n"), "lies in the future"))
	}
}

// What Explain says is what ingest does.
func TestExplain_AgreesWithIngest(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		event(1), "hello", "", cowrieLine("s", "session.connect", "", 1), cowrieLine("s", "session.connect", `,"protocol":"telnet"`, 1),
		`{"eventid":"cowrie.session.connect"}`, "{}", "[]",
	} {
		path := t.TempDir() + "/log"
		write(t, path, line+"\n")
		sink := newMemSink()
		st := ingestAll(t, ingest.Options{Sink: sink, Sources: []ingest.Source{{Path: path}}})
		x := ingest.Explain([]byte(line), "")
		assert.Len(t, x.Events, len(sink.events), line)
		assert.Equal(t, st.Rejected == 1, x.Reason != "", line)
		assert.Equal(t, st.Ignored == 1, x.Ignored != "", line)
		for i := range x.Events {
			want := sink.events[i]
			want.ID = 0
			assert.Equal(t, want, x.Events[i])
		}
	}
}
