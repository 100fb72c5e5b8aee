package ingest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSniff_EveryLineOfTheRestIsItsOwn is TestSniff_EveryDecoyLineIsItsOwn for
// the formats of logs that are no decoy's own, and for the shipped mappings.
func TestSniff_EveryLineOfTheRestIsItsOwn(t *testing.T) {
	t.Parallel()
	formats := Formats() // reads the mappings each time
	for _, format := range formats {
		if strings.Contains("decnet cowrie syslog opencanary dionaea heralding honeytrap honeytrap-go", format.Name) {
			continue
		}
		known := 0
		captures := captureLines(t, format.Name)
		for i, line := range append(captures, vectorLines(t, format.Name)...) {
			records, _ := format.Parse(line)
			got, found := sniff(formats, line)
			if len(records) > 0 && i < len(captures) && format.Name != "zeek" { // whose notices may be anybody's
				assert.True(t, found, "nobody knows %.200s", line)
			}
			if found && len(records) > 0 {
				known++
				assert.Equal(t, format.Name, got.Name, "%.200s", line)
			}
		}
		assert.Positive(t, known, format.Name)
	}
}

// TestFields_PromisedOfTheRest lists what a user of a format can rely on.
func TestFields_PromisedOfTheRest(t *testing.T) {
	t.Parallel()
	formats := Formats()
	for _, promise := range []struct{ format, event, fields string }{
		{"sshd", "*", "program"},
		{"sshd", "login_failed", "username method src_ip src_port"},
		{"sshd", "login_success", "username method src_ip src_port"},
		{"sshd", "invalid_user", "username src_ip"},
		{"sshd", "negotiation_failed", "src_ip src_port reason offer"},
		{"web", "request", "client status"},
		{"suricata", "alert", "alert flow_id src_ip src_port dest_ip dest_port proto"},
		{"suricata", "client_version", "ssh"},
		{"glutton", "data", "dstPort payload"},
		{"beelzebub", "auth_attempt", "username password"},
		{"beelzebub", "command", "command"},
		{"beelzebub", "request", "ID"},
		{"adbhoney", "command", "command session"},
		{"adbhoney", "file_upload", "shasum filename"},
		{"conpot", "*", "data_type request response event_type"},
		{"elasticpot", "request", "method path"},
		{"elasticpot-v1", "request", "honeypot"},
		{"h0neytr4p", "request", "method path"},
		{"honeyaml", "request", "method path user_agent"},
		{"mailoney", "*", "command data"},
		{"medpot", "data", "data"},
		{"redishoneypot", "command", "command"},
		{"tanner", "request", "method path headers peer"},
		{"zeek", "flow", "id.orig_h"},
	} {
		format, ok := formatNamed(formats, promise.format)
		require.True(t, ok, promise.format)
		kept := 0
		for _, line := range append(captureLines(t, promise.format), vectorLines(t, promise.format)...) {
			records, _ := format.Parse(bytes.Clone(line))
			for i := range records {
				e := &records[i].Event
				if promise.event != "*" && promise.event != e.EventType {
					continue
				}
				kept++
				var fields map[string]json.RawMessage
				require.NoError(t, json.Unmarshal([]byte(e.Fields), &fields))
				for _, key := range strings.Fields(promise.fields) {
					if _, ok := fields[key]; !ok {
						t.Errorf("%s %s lacks %s: %.300s", promise.format, e.EventType, key, line)
					}
				}
			}
		}
		assert.Positive(t, kept, "%s %s is never seen", promise.format, promise.event)
	}
}
