package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"decnet/repo"
)

// rendered is a cached answer: the encoded bytes, ready to send, the strong
// entity tag that names them, and their number as text.
type rendered struct {
	body         []byte
	etag, length string
}

func render(body []byte) rendered {
	sum := sha256.Sum256(body)
	return rendered{
		body: body, length: strconv.Itoa(len(body)),
		etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`,
	}
}

func (r rendered) answer() answer { return answer{body: r.body, etag: r.etag, length: r.length} }

const (
	// keptLogs is how many events are kept as they are sent, those asked for last.
	keptLogs = 4096
	// largestKept bounds an event or a profile that is kept, in bytes.
	largestKept = 32 << 10
)

// renderedLogs remembers events as they are sent. An event never changes and its id
// is never given to another, so that what is kept cannot be old.
type renderedLogs struct {
	rows *lru.Cache[int64, []byte]
}

func newRenderedLogs() *renderedLogs {
	rows, _ := lru.New[int64, []byte](keptLogs) // fails for a size below 1
	return &renderedLogs{rows: rows}
}

// of returns the wire form of an event, which the caller must not change.
func (r *renderedLogs) of(l *repo.Log) []byte {
	if b, ok := r.rows.Get(l.ID); ok {
		return b
	}
	b := appendLog(make([]byte, 0, 512+len(l.RawLine)+2*len(l.Fields)), l)
	if len(b) <= largestKept {
		r.rows.Add(l.ID, bytes.Clone(b))
	}
	return b
}

// buffers are memory for pages, used again when a page has been sent: one of profiles
// takes half a megabyte, and to make and clear that for each costs more than to fill
// it.
type buffers struct{ pool sync.Pool }

// largestBuffer bounds what is kept for the next page.
const largestBuffer = 1 << 20

// page is the envelope of a list around rows as they are sent, and behind it what end
// appends, which may be nil. The answer gives its memory back when it was sent.
func (p *buffers) page(total int64, limit, offset int, parts [][]byte, end func(b []byte) []byte) answer {
	size := 256 + len(parts)
	for _, part := range parts {
		size += len(part)
	}
	kept, _ := p.pool.Get().(*[]byte)
	if kept == nil {
		kept = new([]byte)
	}
	b := slices.Grow((*kept)[:0], size)
	b = appendPage(b, total, limit, offset, func(b []byte) []byte {
		return appendArray(b, len(parts), func(b []byte, i int) []byte { return append(b, parts[i]...) })
	})
	if end != nil {
		b = end(b)
	}
	return answer{body: b, sent: func() {
		if cap(b) <= largestBuffer {
			*kept = b
			p.pool.Put(kept)
		}
	}}
}
