package ingest

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSyslog_SameAsThroughTheCollector reads each decoy's line twice: as it was
// written, and in the envelope that DECNET's collector makes of it. An operator
// may point at either file and must see the same events. Only bash's lines
// differ: the collector takes them for events without a type.
func TestSyslog_SameAsThroughTheCollector(t *testing.T) {
	t.Parallel()
	envelopes, err := os.ReadFile("testdata/decnet/examples.collector.jsonl")
	require.NoError(t, err)
	wire, err := os.ReadFile("testdata/syslog/examples.log")
	require.NoError(t, err)
	written := map[string]bool{}
	for line := range bytes.Lines(wire) {
		written[string(bytes.TrimSuffix(line, []byte("\n")))] = true
	}
	compared, commands := 0, 0
	for line := range bytes.Lines(envelopes) {
		collected, err := parseDecnet(line)
		require.NoError(t, err)
		raw := collected.Event.RawLine
		require.True(t, written[raw], "%s", raw)
		direct, err := parseSyslogLine([]byte(raw))
		require.NoError(t, err, "%s", raw)
		require.Len(t, direct, 1)
		if collected.Event.Service == "bash" {
			assert.Equal(t, "command", direct[0].Event.EventType)
			assert.Contains(t, direct[0].Event.Fields, `"command":`)
			commands++
			continue
		}
		assert.Equal(t, collected, direct[0])
		compared++
	}
	assert.Equal(t, 113, compared)
	assert.Equal(t, 2, commands)
}

// TestParse_CutLineIsNoPartOfAnEvent cuts every vector's lines at every byte, as a
// killed process and a full disk do: nothing panics, and what a JSON format
// can't read to its end is no event.
func TestParse_CutLineIsNoPartOfAnEvent(t *testing.T) {
	t.Parallel()
	for _, name := range decoyFormats() {
		format, ok := formatNamed(Formats(), name)
		require.True(t, ok)
		for _, line := range vectorLines(t, name) {
			for end := range line {
				head := line[:end:end]
				format.Sniff(head)
				records, err := format.Parse(head)
				assert.Equal(t, err != nil, len(records) == 0, "%s", head)
				if line[0] == '{' {
					assert.True(t, err != nil || isWhole(head), "%s", head)
				}
			}
		}
	}
}

// isWhole reports whether a line is a JSON object.
func isWhole(line []byte) bool {
	_, err := parseObject(line)
	return err == nil
}
