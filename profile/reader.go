package profile

import (
	"encoding/binary"
	"math"

	"decnet/repo"
)

// reader takes the parts off a stored state. The first thing that is wrong makes
// it fail; from then on it gives zeroes.
type reader struct {
	bytes  []byte
	text   string // the same bytes; "" where there are no texts
	at     int
	failed bool
}

// newReader reads b, of which it makes one copy, into which all texts point.
func newReader(b []byte) *reader { return &reader{bytes: b, text: string(b)} }

// end is the error of a state that is not exactly what was read.
func (r *reader) end() error {
	if r.failed || r.at != len(r.bytes) {
		return errCorrupt
	}
	return nil
}

func (r *reader) check(ok bool) { r.failed = r.failed || !ok }

func (r *reader) uint() uint64 {
	if r.failed {
		return 0
	}
	if r.at < len(r.bytes) && r.bytes[r.at] < 0x80 { // most are short
		r.at++
		return uint64(r.bytes[r.at-1])
	}
	v, n := binary.Uvarint(r.bytes[r.at:])
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.at += n
	return v
}

func (r *reader) int() int64 {
	v := r.uint()
	if v > math.MaxInt64 {
		r.failed = true
		return 0
	}
	return int64(v)
}

// time reads a time as its distance to the one before.
func (r *reader) time(before int64) int64 {
	d := r.uint()
	if d > uint64(repo.MaxUnixNano-before) {
		r.failed = true
		return before
	}
	return before + int64(d)
}

func (r *reader) times(room []int64, limit int) []int64 {
	times := sized(room, r.count(limit))
	var before int64
	for i := range times {
		before = r.time(before)
		times[i] = before
	}
	return times
}

// count reads a number of elements, of which each takes at least a byte.
func (r *reader) count(limit int) int {
	n := r.uint()
	if n > uint64(limit) || n > uint64(len(r.bytes)-r.at) {
		r.failed = true
		return 0
	}
	return int(n)
}

func (r *reader) span(limit int) (from, to int) {
	n := r.count(limit)
	r.at += n
	return r.at - n, r.at
}

func (r *reader) string(limit int) string {
	from, to := r.span(limit)
	return r.text[from:to]
}

func (r *reader) tools() toolSet {
	v := r.uint()
	r.check(v < uint64(toolsEnd))
	return toolSet(v)
}

// float reads a number that JSON can say.
func (r *reader) float() float64 {
	if len(r.bytes)-r.at < 8 {
		r.failed = true
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.bytes[r.at:]))
	r.at += 8
	r.check(!math.IsNaN(v) && !math.IsInf(v, 0))
	return v
}
