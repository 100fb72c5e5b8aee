package decoy

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/trap"
)

func event(value string) trap.Event {
	return trap.Event{
		Time: time.Date(2026, 4, 14, 9, 3, 24, 123456789, time.UTC), Decky: `d"1`, Service: "redis", Type: "command",
		Attacker: netip.MustParseAddr("::ffff:203.0.113.9"), Fields: []trap.Field{{Key: "command", Value: value}},
	}
}

func newJournal(t *testing.T, path string, ingested func() int64) *Journal {
	t.Helper()
	j, err := openJournal(path, &Options{Log: slog.New(slog.DiscardHandler), Ingested: ingested})
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func TestJournal_KeepsWhatWasSentByteForByteOnOneLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	j := newJournal(t, path, nil)
	sent := "\x00\n\r\"\\\x1b[2J\x7f é \U0001F608 </script>"
	j.Record(event(sent))
	line := read(t, path)
	assert.Equal(t, 1, bytes.Count(line, []byte("\n")))
	var got struct {
		Timestamp  string            `json:"timestamp"`
		Decky      string            `json:"decky"`
		AttackerIP string            `json:"attacker_ip"`
		Fields     map[string]string `json:"fields"`
	}
	require.NoError(t, json.Unmarshal(line, &got))
	assert.Equal(t, sent, got.Fields["command"])
	assert.Equal(t, `d"1`, got.Decky)
	assert.Equal(t, "203.0.113.9", got.AttackerIP)
	assert.Equal(t, "2026-04-14T09:03:24.123456Z", got.Timestamp)

	j.Record(event("pass\xff\xfeword"))
	assert.Contains(t, string(read(t, path)), "\"pass\xff\xfeword\"", "bytes that are no UTF-8 stay as they are")
}

func TestJournal_LineThatAKillTorsIsEndedFirst(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	require.NoError(t, os.WriteFile(path, []byte("whole\n{\"half"), 0o600))
	newJournal(t, path, nil).Record(event("1"))
	assert.Regexp(t, `^whole\n\{"half\n\{"timestamp".*\}\n$`, string(read(t, path)))
}

func TestJournal_RotatesOnlyWhatIsIngestedWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	var committed int64
	j := newJournal(t, path, func() int64 { return committed })
	j.rotateAt = 1
	j.Record(event("1"))
	_, err := os.Stat(path + ".1")
	require.ErrorIs(t, err, os.ErrNotExist, "it was not ingested yet")

	j.checked = time.Time{}
	committed = int64(2 * len(read(t, path)))
	j.Record(event("2"))
	assert.Equal(t, 2, bytes.Count(read(t, path+".1"), []byte("\n")))
	j.Record(event("3"))
	assert.Contains(t, string(read(t, path)), `"command":"3"`)
	assert.NotContains(t, string(read(t, path)), `"command":"2"`)
}

func TestJournal_LostEventsAreCounted(t *testing.T) {
	t.Parallel()
	j := newJournal(t, filepath.Join(t.TempDir(), "events.jsonl"), nil)
	require.NoError(t, j.file.Close())
	j.Record(event("1"))
	assert.Equal(t, int64(1), j.Lost())
}
