package ingest

import (
	"errors"
	"fmt"
	"time"

	"decnet/repo"
)

// chunk is a piece of one source on its way to the committer. A batch takes it
// whole, so that positions fit rows.
type chunk struct {
	// source is the source's number on the board.
	source  int
	records []Record
	// parts are how many of the records each line gave, in their order.
	parts   []int
	rejects []repo.Reject
	// ignored are the reasons of the ignored lines, but for blank ones.
	ignored []string
	counts  Counts
	bytes   int
	// pos is the position behind the chunk; its Source is "" for one of a stream,
	// which can't be read again.
	pos    repo.Position
	readAt time.Time
	// push is what the chunk was pushed with, nil for all else.
	push *push
	// final says that the source was read to its end for the first time.
	final bool
}

// takeLine makes of a line what it is. parse is asked for a line that is neither
// blank nor too long; place says where and when the line was found.
func (c *chunk) takeLine(line *rawLine, maxLine int, place *repo.Reject, parse func([]byte) ([]Record, error)) {
	c.bytes += len(line.text)
	c.counts.Lines++
	if !line.long && isBlank(line.text) {
		c.counts.Ignored++
		return
	}
	var records []Record
	err := reject(ReasonLineTooLong, "The line has %d bytes; the limit is %d.", line.size, maxLine)
	if !line.long {
		records, err = protected(parse, line.text)
	}
	if err == nil && len(records) == 0 {
		err = ignore(IgnoredNoEvent, "The line gives no event.")
	}
	var ignored *IgnoreError
	switch {
	case errors.As(err, &ignored):
		c.counts.Ignored++
		c.ignored = append(c.ignored, ignored.Reason)
		return
	case err == nil:
		c.records = append(c.records, records...)
		c.parts = append(c.parts, len(records))
		c.counts.Accepted++
		return
	}
	why := reasonOf(err)
	c.counts.Rejected++
	c.rejects = append(c.rejects, repo.Reject{
		Source: place.Source, Path: place.Path, Offset: place.Offset, SeenAt: place.SeenAt,
		Reason: why.Reason, Detail: why.Detail,
		Line: append([]byte(nil), line.text[:min(len(line.text), repo.MaxRejectLine)]...), Size: line.size,
	})
}

func reasonOf(err error) *ParseError {
	var why *ParseError
	if errors.As(err, &why) {
		return why
	}
	return &ParseError{ReasonInternal, "The parser failed: " + err.Error()}
}

// protected calls a parser: a fault of it must not stop the lines behind the one
// that found it.
func protected(parse func([]byte) ([]Record, error), line []byte) (records []Record, err error) {
	defer func() {
		if v := recover(); v != nil {
			records, err = nil, fmt.Errorf("panic: %v", v)
		}
	}()
	return parse(line)
}

// parseAt parses with the time by which the line was written, where the format
// needs one.
func (f *Format) parseAt(line []byte, reference time.Time) ([]Record, error) {
	if f.ParseAt != nil {
		return f.ParseAt(line, reference)
	}
	return f.Parse(line)
}

// parseAny recognises a line by itself, among lines of any format.
func (in *Ingester) parseAny(line []byte, reference time.Time) (format string, records []Record, err error) {
	f, ok := sniff(in.formats, line)
	if !ok {
		return "", nil, reject(ReasonUnknownFormat, "No known format recognises the line.")
	}
	records, err = f.parseAt(line, reference)
	return f.Name, records, err
}
