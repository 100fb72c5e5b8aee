package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"decnet/repo"
)

// countedSearches is how many searches are remembered: some kilobytes each.
const countedSearches = 256

// segmentCounts remembers how many rows of each segment a search found. The rows of
// a segment never change, but some may expire, which the segment counts: so what is
// remembered is right for ever or known to be wrong. It is not a cache with a time.
type segmentCounts struct {
	mu       sync.Mutex
	searches *lru.Cache[string, map[int64]segmentCount]
}

type segmentCount struct{ last, removed, rows int64 }

func newSegmentCounts() *segmentCounts {
	searches, _ := lru.New[string, map[int64]segmentCount](countedSearches) // fails for a size below 1
	return &segmentCounts{searches: searches}
}

// forget drops everything: after a purge, a segment may begin where another did.
func (c *segmentCounts) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.searches.Purge()
}

// get returns what is known of a segment, if need be from the small ones that it
// was merged from.
func (c *segmentCounts) get(search string, s segment) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.searches.Get(search)
	if !ok {
		return 0, false
	}
	if n, ok := known[s.first]; ok && n.last == s.last {
		return n.rows, n.removed == s.removed
	}
	var rows, removed int64
	for first := s.first; first <= s.last; first += smallRows {
		n, ok := known[first]
		if !ok || n.last != first+smallRows-1 {
			return 0, false
		}
		rows, removed = rows+n.rows, removed+n.removed
	}
	return rows, removed == s.removed
}

func (c *segmentCounts) put(search string, s segment, rows int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.searches.Get(search)
	if !ok {
		known = map[int64]segmentCount{}
		c.searches.Add(search, known)
	}
	known[s.first] = segmentCount{s.last, s.removed, rows}
}

// countByIndex counts the rows of a search by the search index. It returns
// [repo.ErrTooBroad] beside what was counted when more rows would have to be read
// than one request may: the segments that were counted are remembered, so that
// asking again goes on from there.
func (s *Store) countByIndex(ctx context.Context, tx *sql.Tx, f repo.LogFilter) (total int64, err error) {
	h, err := newHunt(ctx, tx, f, spanOf(f), s.searchRows)
	if err != nil {
		return 0, err
	}
	total, all, err := h.countTail()
	if err != nil {
		return 0, err
	}
	search := f.Search.String()
	for _, seg := range slices.Backward(h.segments) {
		if !h.meets(seg) {
			continue
		}
		// What is remembered is of the whole segment.
		whole := seg.firstTime >= h.span.first && seg.lastTime <= h.span.last
		if whole {
			if n, ok := s.counts.get(search, seg); ok {
				total += n
				continue
			}
		}
		if all = all && h.left > 0; !all {
			continue
		}
		p, err := h.place(seg)
		if err != nil {
			return 0, err
		}
		h.spend(p)
		n, err := h.count(p)
		if err != nil {
			return 0, err
		}
		total += n
		if whole {
			s.counts.put(search, seg, n)
		}
	}
	if !all {
		err = repo.ErrTooBroad
	}
	return total, err
}

// countTail counts the rows that the index does not cover yet, as many of them as
// may be read.
func (h *hunt) countTail() (n int64, all bool, err error) {
	tail, all := h.tail, true
	if tail.last-tail.first >= h.left {
		tail.first, all = tail.last-h.left+1, false
	}
	p := h.whole(tail)
	h.spend(p)
	n, err = h.count(p)
	return n, all, err
}
