package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"decnet/repo"
)

// seedLines are all lines of the vectors and of the captures.
func seedLines(tb testing.TB) [][]byte {
	tb.Helper()
	var lines [][]byte
	archives, err := filepath.Glob("testdata/*/*.txtar")
	require.NoError(tb, err)
	for _, path := range archives {
		a, err := txtar.ParseFile(path)
		require.NoError(tb, err)
		lines = append(lines, bytes.Split(a.Files[0].Data, []byte("\n"))...)
	}
	for _, path := range []string{"testdata/decnet/examples.collector.jsonl", "../examples/cowrie/tpot-2025-10-24.jsonl"} {
		data, err := os.ReadFile(path)
		require.NoError(tb, err)
		all := bytes.Split(data, []byte("\n"))
		lines = append(lines, all[:min(len(all), 200)]...)
	}
	return lines
}

// checkLine holds the parsers against encoding/json and the promises of Format.
func checkLine(tb testing.TB, formats []Format, line []byte) {
	tb.Helper()
	checkObject(tb, line)
	before := bytes.Clone(line)
	for _, f := range formats {
		records, err := f.Parse(line)
		require.Equal(tb, before, line, "the line was changed")
		if err != nil {
			var why *ParseError
			var ignored *IgnoreError
			require.True(tb, errors.As(err, &why) || errors.As(err, &ignored), "%T", err)
			continue
		}
		for i := range records {
			checkRecord(tb, f.Name, line, &records[i])
		}
	}
}

func checkRecord(tb testing.TB, format string, line []byte, rec *Record) {
	tb.Helper()
	e := &rec.Event
	require.True(tb, repo.ValidTime(e.Time))
	require.Equal(tb, time.UTC, e.Time.Location())
	checkNormal(tb, e.Fields)
	for i := range e.Bounties {
		checkNormal(tb, e.Bounties[i].Payload)
	}
	for _, s := range []string{e.Decky, e.Service, e.EventType, e.Msg} {
		require.True(tb, utf8.ValidString(s))
	}
	require.NotEmpty(tb, e.Decky)
	require.NotEmpty(tb, e.Service)
	require.NotEmpty(tb, e.EventType)
	require.Equal(tb, repo.AttackerAddress(e.AttackerIP), e.AttackerIP)
	if e.AttackerIP == repo.UnknownAttacker {
		require.Empty(tb, e.Bounties)
		require.Empty(tb, e.Command)
	}
	if format == "cowrie" {
		require.Equal(tb, string(line), e.RawLine)
	}
}

// checkObject compares what the parser makes of a line with what encoding/json
// does, which reads the same JSON but rounds and drops.
func checkObject(tb testing.TB, line []byte) {
	tb.Helper()
	o, err := parseObject(line)
	trimmed := bytes.TrimLeft(line, " \t\r\n")
	isObject := json.Valid(line) && len(trimmed) > 0 && trimmed[0] == '{'
	var why *ParseError
	if errors.As(err, &why) && why.Reason == ReasonTooDeep {
		return
	}
	require.Equal(tb, isObject, err == nil, "%q: %v", line, err)
	if err != nil {
		require.Equal(tb, json.Valid(line), why.Reason == ReasonNotObject)
		return
	}
	normal := o.normal()
	checkNormal(tb, normal)
	require.Equal(tb, decodeAny(tb, line), decodeAny(tb, []byte(normal)), "%q became %s", line, normal)
	for _, m := range o.members {
		require.NotNil(tb, o.get(m.key))
	}
}

func decodeAny(tb testing.TB, text []byte) map[string]any {
	tb.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v map[string]any
	require.NoError(tb, dec.Decode(&v))
	return v
}

// checkNormal asserts the form of [repo.Log.Fields], and that it is stable.
func checkNormal(tb testing.TB, text string) {
	tb.Helper()
	require.True(tb, utf8.ValidString(text), "%q", text)
	o, err := parseObject([]byte(text))
	require.NoError(tb, err)
	require.False(tb, o.repeated, "a key comes twice in %s", text)
	require.False(tb, o.damaged, "half a surrogate in %s", text)
	require.Equal(tb, text, o.normal())
}

func TestParse_VectorsAndCaptures(t *testing.T) {
	t.Parallel()
	formats := Formats() // compiling the mappings takes longer than all the rest
	for _, line := range seedLines(t) {
		checkLine(t, formats, line)
	}
}

// TestParse_MutatedLines cuts, glues and garbles real lines.
func TestParse_MutatedLines(t *testing.T) {
	t.Parallel()
	lines, formats := seedLines(t), Formats()
	interesting := []string{`"`, `\`, `\u`, `\ud800`, `\udc00`, "{", "}", "[", "]", ",", ":", "\x00", "\xff", "\xe2\x82", "null", "0", "-", "1e9", " ", "'"}
	rng := rand.New(rand.NewPCG(7, 7))
	for range 30_000 {
		line := bytes.Clone(lines[rng.IntN(len(lines))])
		for range 1 + rng.IntN(3) {
			at := rng.IntN(len(line) + 1)
			switch rng.IntN(4) {
			case 0:
				line = append(line[:at:at], line[min(len(line), at+rng.IntN(8)):]...)
			case 1:
				line = append(line[:at:at], interesting[rng.IntN(len(interesting))]+string(line[at:])...)
			case 2:
				if at < len(line) {
					line[at] = byte(rng.Uint32())
				}
			default:
				other := lines[rng.IntN(len(lines))]
				line = append(line[:at:at], other[min(len(other), rng.IntN(len(other)+1)):]...)
			}
		}
		checkLine(t, formats, line)
	}
}

func TestParseObject_ManyKeys(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"k0":"first"`)
	for i := range 60_000 {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	b.WriteString(`,"k7":"last"}`)
	o, err := parseObject([]byte(b.String()))
	require.NoError(t, err)
	assert.Len(t, o.members, 60_000)
	assert.True(t, o.repeated)
	for i := range 60_000 {
		want := fmt.Sprint(i)
		if i == 7 {
			want = `"last"`
		}
		require.Equal(t, want, string(o.get(fmt.Sprint("k", i))))
	}
	assert.Nil(t, o.get("k60000"))
}

func TestParseObject_Depth(t *testing.T) {
	t.Parallel()
	nested := func(n int) []byte {
		return []byte(`{"a":` + strings.Repeat(`{"a":`, n-1) + `1` + strings.Repeat(`}`, n-1) + `}`)
	}
	_, err := parseObject(nested(maxDepth))
	require.NoError(t, err)
	_, err = parseObject(nested(maxDepth + 1))
	require.ErrorContains(t, err, ReasonTooDeep)
	_, err = parseObject(nested(500_000))
	require.ErrorContains(t, err, ReasonTooDeep)
}

// FuzzParse looks for lines that break a promise; the seeds run as a plain test.
func FuzzParse(f *testing.F) {
	for _, line := range seedLines(f) {
		f.Add(line)
	}
	formats := Formats()
	f.Fuzz(func(t *testing.T, line []byte) { checkLine(t, formats, line) })
}
