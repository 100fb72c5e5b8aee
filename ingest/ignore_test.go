package ingest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
)

// TestIgnore_ThePortThatAnEventItselfTells counts where no session does.
func TestIgnore_ThePortThatAnEventItselfTells(t *testing.T) {
	t.Parallel()
	rule, err := ingest.ParseIgnoreRule("port=445")
	require.NoError(t, err)
	in, err := ingest.New(ingest.Options{Sink: newMemSink(), Ignore: []ingest.IgnoreRule{rule}})
	require.NoError(t, err)
	for fields, kept := range map[string]bool{
		`"dst_port":"445"`: false, `"dest_port":445`: false, `"dst_port":"x","server_port":"445"`: false,
		`"dst_port":"22","port":"445"`: true, `"port":"65981"`: true, `"port":"-445"`: true, `"src_port":"445"`: true, ``: true,
	} {
		x := in.Explain([]byte(strings.Replace(event(1), `"n":1,"pad":"x"`, fields, 1)), "")
		assert.Equal(t, kept, x.Ignored == "", fields)
		assert.Equal(t, kept, len(x.Events) == 1, fields)
	}
}

func TestIgnore_RulesNameEvents(t *testing.T) {
	t.Parallel()
	connect := cowrieLine("s1", "session.connect", `,"protocol":"telnet","dst_port":23`, 1)
	login := cowrieLine("s1", "login.failed", `,"username":"a","password":"b"`, 2)
	for rule, want := range map[string][]string{
		"203.0.113.45":                   {},
		"203.0.113.0/24":                 {},
		"cidr=203.0.113.0/28":            {"connect", "login_failed"},
		"cidr=::/0":                      {"connect", "login_failed"},
		"service=telnet":                 {},
		"SERVICE=telnet":                 nil,
		"service=ssh":                    {"connect", "login_failed"},
		"event=connect":                  {"login_failed"},
		"port=23":                        {},
		"port=22":                        {"connect", "login_failed"},
		"port=0":                         {"connect", "login_failed"},
		"decky=s":                        {},
		"203.0.113.45, event=connect":    {"login_failed"},
		"cidr=203.0.113.45,service=ssh":  {"connect", "login_failed"},
		"event=login_failed,port=23":     {"connect"},
		"":                               nil,
		"port=":                          nil,
		"port=99999":                     nil,
		"port=ssh":                       nil,
		"10.0.0.0/40":                    nil,
		"event=connect,event=disconnect": nil,
		"color=red":                      nil,
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			parsed, err := ingest.ParseIgnoreRule(rule)
			if want == nil {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			path := t.TempDir() + "/cowrie.json"
			write(t, path, connect+"\n"+login+"\n")
			sink := newMemSink()
			st := ingestAll(t, ingest.Options{
				Sink: sink, Sources: []ingest.Source{{Path: path}}, Ignore: []ingest.IgnoreRule{parsed},
			})
			kept := []string{}
			for i := range sink.events {
				kept = append(kept, sink.events[i].EventType)
			}
			assert.Equal(t, want, kept)
			assert.EqualValues(t, 2-len(want), st.Sources[0].IgnoredBy["rule "+parsed.String()], "never silently")
			assert.EqualValues(t, 2-len(want), st.Ignored)
		})
	}
}
