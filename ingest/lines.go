package ingest

import (
	"bytes"

	"decnet/repo"
)

// edge is how many bytes at the beginning of a file, and before an offset, prove
// that the file is the one that was read: the most that [repo.Position] allows.
const edge = 1024

// lineReader cuts bytes into lines. It keeps the bytes before the next line that
// a position needs, and never more than one line of the allowed length plus
// what was fed last.
type lineReader struct {
	max int
	// buf holds the bytes from offset base on; the next line begins at line, and
	// there is no line end before scan.
	buf        []byte
	base       int64
	line, scan int
	// head are the first bytes of the file.
	head []byte
	// long is a line beyond max that is being passed; nil otherwise.
	long *longLine
}

type longLine struct {
	begin  int64
	size   int64
	prefix []byte
	// tail are the bytes before the line.
	tail []byte
}

// rawLine is a line without its end. text is valid until the next feed.
type rawLine struct {
	text  []byte
	begin int64
	// size is the length of the line, of which text holds all unless long is set.
	size int64
	long bool
}

// newLineReader begins at an offset; history are the bytes before it, at most
// edge, and head the file's first bytes, if the offset is not 0.
func newLineReader(limit int, offset int64, head, history []byte) *lineReader {
	return &lineReader{
		max: limit, buf: bytes.Clone(history), base: offset - int64(len(history)),
		line: len(history), scan: len(history), head: bytes.Clone(head),
	}
}

// feed appends bytes of the file.
func (l *lineReader) feed(p []byte) {
	if need := edge - len(l.head); need > 0 && l.end() == int64(len(l.head)) {
		l.head = append(l.head, p[:min(need, len(p))]...)
	}
	if drop := l.line - edge; drop > 0 {
		l.buf = append(l.buf[:0], l.buf[drop:]...)
		l.base += int64(drop)
		l.line -= drop
		l.scan -= drop
	}
	l.buf = append(l.buf, p...)
}

// end is the offset behind the last byte that was fed.
func (l *lineReader) end() int64 { return l.base + int64(len(l.buf)) }

// next returns the next whole line.
func (l *lineReader) next() (rawLine, bool) {
	l.skipHole()
	n := bytes.IndexByte(l.buf[l.scan:], '\n')
	if n < 0 {
		l.scan = len(l.buf)
		l.passLong()
		return rawLine{}, false
	}
	end := l.scan + n
	line := l.cut(end)
	l.line, l.scan, l.long = end+1, end+1, nil
	return line, true
}

// rest returns what follows the last line end, if that is anything: the last
// line of a file that will not grow.
func (l *lineReader) rest() (rawLine, bool) {
	l.skipHole()
	if l.long == nil && l.line == len(l.buf) {
		return rawLine{}, false
	}
	line := l.cut(len(l.buf))
	l.line, l.scan, l.long = len(l.buf), len(l.buf), nil
	return line, true
}

// skipHole passes NULs before a line: a writer that does not append leaves a
// hole at the beginning when its file is truncated, and a hole can be huge.
func (l *lineReader) skipHole() {
	if l.long != nil {
		return
	}
	for l.line < len(l.buf) && l.buf[l.line] == 0 {
		l.line++
	}
	l.scan = max(l.scan, l.line)
}

// passLong drops the middle of a line that has grown too long.
func (l *lineReader) passLong() {
	// One byte more may be the carriage return of the line's end.
	if l.long == nil && len(l.buf)-l.line <= l.max+1 {
		return
	}
	if l.long == nil {
		begin := l.base + int64(l.line)
		l.long = &longLine{begin: begin, tail: bytes.Clone(l.history())}
	}
	l.long.grow(l.buf[l.line:])
	l.line = len(l.buf)
}

func (g *longLine) grow(p []byte) {
	g.size += int64(len(p))
	g.prefix = append(g.prefix, p[:min(len(p), repo.MaxRejectLine-len(g.prefix))]...)
}

func (l *lineReader) cut(end int) rawLine {
	if l.long != nil {
		l.long.grow(l.buf[l.line:end])
		size := l.long.size
		if l.buf[end-1] == '\r' {
			size--
		}
		return rawLine{text: l.long.prefix, begin: l.long.begin, size: size, long: true}
	}
	line := rawLine{text: l.buf[l.line:end], begin: l.base + int64(l.line)}
	line.text = bytes.TrimSuffix(line.text, []byte{'\r'})
	if line.begin == 0 {
		line.text = bytes.TrimPrefix(line.text, []byte("\xEF\xBB\xBF"))
	}
	line.size = int64(len(line.text))
	if len(line.text) > l.max {
		line.long = true
		line.text = line.text[:min(len(line.text), repo.MaxRejectLine)]
	}
	return line
}

func (l *lineReader) history() []byte { return l.buf[max(0, l.line-edge):l.line] }

// mark is the place behind the last line that was returned: its offset, and the
// bytes before it, valid until the next feed.
func (l *lineReader) mark() (offset int64, tail []byte) {
	if l.long != nil {
		return l.long.begin, l.long.tail
	}
	return l.base + int64(l.line), l.history()
}

// seen are the last bytes that were fed, at most edge of them.
func (l *lineReader) seen() []byte { return l.buf[max(0, len(l.buf)-edge):] }
