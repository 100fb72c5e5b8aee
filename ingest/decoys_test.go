package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
)

// decoyFormats are the formats that this file tests.
func decoyFormats() []string {
	return []string{"syslog", "opencanary", "dionaea", "heralding", "honeytrap", "honeytrap-go"}
}

// TestSniff_EveryDecoyLineIsItsOwn demands that no other format takes a line of a
// capture, or one that its format makes an event of, and that its format takes
// every event of a capture.
func TestSniff_EveryDecoyLineIsItsOwn(t *testing.T) {
	t.Parallel()
	formats := Formats() // reads the mappings each time
	for _, name := range decoyFormats() {
		format, ok := formatNamed(formats, name)
		require.True(t, ok, name)
		captures := captureLines(t, name)
		for i, line := range append(captures, vectorLines(t, name)...) {
			records, _ := format.Parse(line)
			got, found := sniff(formats, line)
			switch {
			case found && (i < len(captures) || len(records) > 0):
				assert.Equal(t, name, got.Name, "%.200s", line)
			case i < len(captures):
				assert.Empty(t, records, "nobody knows %.200s", line)
			}
		}
	}
}

func captureLines(t *testing.T, format string) (lines [][]byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", format, "*.[jl]*"))
	require.NoError(t, err)
	for _, path := range paths {
		if filepath.Base(path) == "counts.json" {
			continue
		}
		file, err := os.Open(path)
		require.NoError(t, err)
		var r io.Reader = file
		if strings.HasSuffix(path, ".gz") {
			r, err = gzip.NewReader(file)
			require.NoError(t, err)
		}
		s := bufio.NewScanner(r)
		s.Buffer(nil, DefaultMaxLine)
		for s.Scan() {
			lines = append(lines, bytes.Clone(s.Bytes()))
		}
		require.NoError(t, s.Err())
		require.NoError(t, file.Close())
	}
	return lines
}

func vectorLines(t *testing.T, format string) (lines [][]byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", format, "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		require.NoError(t, err)
		lines = append(lines, bytes.Split(archive.Files[0].Data, []byte("\n"))...)
	}
	return lines
}

// TestFields_Promised lists what a user of a format can rely on: an event of
// this service and type has these fields.
func TestFields_Promised(t *testing.T) {
	t.Parallel()
	for _, promise := range []struct{ format, service, event, fields string }{
		{"opencanary", "*", "*", "logtype logdata src_host src_port dst_host dst_port"},
		{"opencanary", "ssh", "auth_attempt", "username password"},
		{"opencanary", "telnet", "auth_attempt", "username"},
		{"opencanary", "ssh", "client_version", "version"},
		{"opencanary", "http", "request", "path"},
		{"opencanary", "http", "auth_attempt", "username password path method user_agent"},
		{"opencanary", "redis", "command", "command"},
		{"opencanary", "snmp", "get_request", "community"},
		{"opencanary", "tftp", "request", "filename"},
		{"opencanary", "smb", "file_open", "username filename"},
		{"opencanary", "portscan", "syn_scan", "ttl"},
		{"dionaea", "*", "*", "connection src_ip src_port src_hostname dst_ip dst_port"},
		{"dionaea", "*", "auth_attempt", "username password"},
		{"dionaea", "ftp", "command", "command"},
		{"heralding", "*", "*", "session_id source_ip source_port destination_ip destination_port protocol"},
		{"heralding", "*", "connect", "duration num_auth_attempts"},
		{"honeytrap", "*", "*", "src_port dst_port payload_size"},
		{"honeytrap", "tcp", "data", "md5_hash"},
		{"honeytrap", "http", "request", "method path headers attack_connection"},
		{"honeytrap-go", "*", "*", "category sensor"},
		{"honeytrap-go", "ssh", "auth_attempt", "username"},
		{"honeytrap-go", "*", "command", "command"},
		{"honeytrap-go", "http", "request", "method path"},
		{"syslog", "bash", "command", "uid pwd command"},
		{"syslog", "ssh", "login_failed", "username src_ip src_port"},
		{"syslog", "telnet", "login_failed", "username tty"},
	} {
		format, ok := formatNamed(Formats(), promise.format)
		require.True(t, ok)
		kept := 0
		for _, line := range append(captureLines(t, promise.format), vectorLines(t, promise.format)...) {
			records, _ := format.Parse(line)
			for i := range records {
				e := &records[i].Event
				if promise.service != "*" && promise.service != e.Service || promise.event != "*" && promise.event != e.EventType {
					continue
				}
				kept++
				var fields map[string]json.RawMessage
				require.NoError(t, json.Unmarshal([]byte(e.Fields), &fields))
				for _, key := range strings.Fields(promise.fields) {
					if _, ok := fields[key]; !ok {
						t.Errorf("%s %s %s lacks %s: %.300s", promise.format, e.Service, e.EventType, key, line)
					}
				}
			}
		}
		assert.Positive(t, kept, "%s %s %s is never seen", promise.format, promise.service, promise.event)
	}
}

// TestParts_CostOfOneLineIsBounded gives a line that sums up a huge session:
// what its rows repeat of it must not grow with the square of its length.
func TestParts_CostOfOneLineIsBounded(t *testing.T) {
	t.Parallel()
	attempts := strings.Repeat(`{"username":"u","password":"p"},`, 30_000) + `{}`
	commands := strings.Repeat(`"LS",`, 150_000) + `"LS"`
	long := strings.Repeat("x", 100_000)
	for name, line := range map[string]string{
		"heralding": fmt.Sprintf(`{"timestamp":"2020-02-22 03:58:44","session_id":"s","source_ip":"203.0.113.66",`+
			`"protocol":"ssh","num_auth_attempts":1,"auth_attempts":[%s]}`, attempts),
		"dionaea": fmt.Sprintf(`{"connection":{"protocol":"ftpd","transport":"tcp","type":"accept"},"src_ip":"203.0.113.66",`+
			`"src_hostname":"%s","timestamp":"2025-10-24T08:53:37","ftp":{"commands":{"command":[%s],"arguments":[]}}}`, long, commands),
	} {
		format, ok := formatNamed(Formats(), name)
		require.True(t, ok)
		records, err := format.Parse([]byte(line))
		require.NoError(t, err)
		require.Len(t, records, maxParts)
		assert.Equal(t, line, records[0].Event.RawLine, "the first row keeps all")
		total := 0
		for i := range records[1:] {
			total += len(records[i+1].Event.RawLine) + len(records[i+1].Event.Fields)
		}
		assert.Less(t, total, 10*DefaultMaxLine)
	}
}

// TestParts_RowsOfAnOrdinaryLineKeepIt is the other half: of a session as they
// are, each row shows the line that it was made of.
func TestParts_RowsOfAnOrdinaryLineKeepIt(t *testing.T) {
	t.Parallel()
	several := 0
	for _, line := range captureLines(t, "heralding") {
		records, err := parseHeralding(line)
		require.NoError(t, err)
		for i := range records {
			assert.Equal(t, string(line), records[i].Event.RawLine)
		}
		if len(records) > 1 {
			several++
		}
	}
	assert.Greater(t, several, 1000)
}

func TestDropCount_NeverReadsBeyondTheLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"3 <1>": "<1>", "4 <1>": "<1>", "<1>": "<1>", "": "", "3": "3", "3 x": "3 x", " 3 <1>": " 3 <1>",
	} {
		got, err := dropCount(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"2 <1>", "5 <1>", "99999999999999999999 <1>"} {
		_, err := dropCount(in)
		var why *ParseError
		require.ErrorAs(t, err, &why, in)
		assert.Equal(t, ReasonNotFormat, why.Reason)
	}
}
