package ingest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// read returns all lines that a reader gives when it is fed in pieces, as text,
// and the offset behind each.
func readPieces(l *lineReader, pieces ...[]byte) (lines []string, offsets []int64) {
	take := func(line rawLine) {
		text := string(line.text)
		if line.long {
			text = fmt.Sprintf("long line of %d bytes, %q", line.size, line.text[:4])
		}
		lines = append(lines, fmt.Sprintf("%d: %s", line.begin, text))
		offset, _ := l.mark()
		offsets = append(offsets, offset)
	}
	for _, p := range pieces {
		l.feed(p)
		for {
			line, ok := l.next()
			if !ok {
				break
			}
			take(line)
		}
	}
	if line, ok := l.rest(); ok {
		take(line)
	}
	return lines, offsets
}

func lineInput() []byte {
	return []byte("\xef\xbb\xbffirst\n\n\r\n\x00\x00\x00hole\r\n" + strings.Repeat("x", 50) + "\n" +
		strings.Repeat("y", 51) + "\r\n" + strings.Repeat("z", 49) + "\r\r\n\x00\n" + strings.Repeat("v", 300) + "\nlast\x00\r")
}

func TestLineReader_SplitAnywhere(t *testing.T) {
	t.Parallel()
	input := lineInput()
	want, wantOffsets := readPieces(newLineReader(50, 0, nil, nil), input)
	require.Equal(t, []string{
		"0: first", "9: ", "10: ", "15: hole",
		"21: " + strings.Repeat("x", 50), `72: long line of 51 bytes, "yyyy"`, "125: " + strings.Repeat("z", 49) + "\r",
		"178: ", `179: long line of 300 bytes, "vvvv"`, "480: last\x00",
	}, want)
	for i := range len(input) {
		for _, j := range []int{i, min(i+1, len(input)), (i + len(input)) / 2} {
			got, offsets := readPieces(newLineReader(50, 0, nil, nil), input[:i], input[i:j], input[j:])
			require.Equal(t, want, got, "split at %d and %d", i, j)
			require.Equal(t, wantOffsets, offsets)
		}
	}
	var bytewise [][]byte
	for i := range input {
		bytewise = append(bytewise, input[i:i+1])
	}
	got, _ := readPieces(newLineReader(50, 0, nil, nil), bytewise...)
	require.Equal(t, want, got)
}

func TestLineReader_ResumesAtEveryMark(t *testing.T) {
	t.Parallel()
	input := append(lineInput(), bytes.Repeat(lineInput(), 6)...)
	whole := newLineReader(50, 0, nil, nil)
	want, offsets := readPieces(whole, input)
	for i, offset := range offsets {
		n := min(offset, edge)
		l := newLineReader(50, offset, input[:n], input[offset-n:offset])
		got, _ := readPieces(l, input[offset:])
		require.Equal(t, want[i+1:], append([]string{}, got...), "resumed at %d", offset)
		gotEnd, gotTail := l.mark()
		wantEnd, wantTail := whole.mark()
		assert.Equal(t, wantEnd, gotEnd)
		assert.Equal(t, wantTail, gotTail)
		assert.Equal(t, whole.head, l.head)
	}
}

func TestLineReader_MemoryIsBounded(t *testing.T) {
	t.Parallel()
	for name, piece := range map[string][]byte{
		"an endless line": bytes.Repeat([]byte("A"), 100_000), "an endless hole": make([]byte, 100_000),
	} {
		l := newLineReader(1<<20, 0, nil, nil)
		for range 1000 {
			l.feed(piece)
			_, ok := l.next()
			require.False(t, ok)
			require.Less(t, cap(l.buf), 4<<20, name)
		}
		l.feed([]byte("B\nC\n"))
		line, ok := l.next()
		require.True(t, ok)
		assert.Equal(t, name == "an endless line", line.long)
		assert.LessOrEqual(t, len(line.text), repo.MaxRejectLine)
		line, ok = l.next()
		require.True(t, ok)
		assert.Equal(t, "C", string(line.text))
	}
}
