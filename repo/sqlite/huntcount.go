package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"decnet/repo"
	"decnet/repo/sqlite/trigram"
)

// countedSearches is how many searches are remembered, and ranges of searches: some
// kilobytes each.
const countedSearches = 256

// searchCounts remembers how many rows a search found in each segment. The rows of a
// segment never change, but some may expire, which the segment counts: so what is
// remembered is right for ever or known to be wrong. It is not a cache with a time.
type searchCounts struct {
	mu       sync.Mutex
	searches *lru.Cache[string, *searchCount]
	// least is the version of the last purge: who still sees what was before it
	// remembers nothing.
	least int64
}

// searchCount is what is remembered of one search, or of one search in one range.
type searchCount struct {
	// turn is taken by whoever counts segments: the others take what that one found.
	turn chan struct{}

	mu       sync.Mutex
	segments map[int64]segmentCount
	// sum is of all segments of a version; 0 is no version.
	version, sum int64
	// leftOver says that some segments were not counted at last, and partly what was:
	// those who may not count need not add it up.
	leftOver bool
	partly   partialCount
	// tail is of the rows between two ids, while so many had been removed.
	tail segmentCount
}

// partialCount is of the segments of a version, as many as were counted, while so many
// rows had been removed.
type partialCount struct{ version, removed, rows int64 }

type segmentCount struct{ first, last, removed, rows int64 }

func newSearchCounts() *searchCounts {
	searches, _ := lru.New[string, *searchCount](countedSearches) // fails for a size below 1
	return &searchCounts{searches: searches}
}

// forget drops everything after a purge, when a segment may begin where another did.
func (c *searchCounts) forget(version int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.least = max(c.least, version)
	c.searches.Purge()
}

// of returns what is remembered of a search, for a request that sees a version.
func (c *searchCounts) of(search string, version int64) *searchCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version < c.least {
		return &searchCount{turn: make(chan struct{}, 1), segments: map[int64]segmentCount{}}
	}
	known, ok := c.searches.Get(search)
	if !ok {
		known = &searchCount{turn: make(chan struct{}, 1), segments: map[int64]segmentCount{}}
		c.searches.Add(search, known)
	}
	return known
}

// get returns what is known of a segment, if need be from the small ones that it
// was merged from.
func (c *searchCount) get(s segment) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, ok := c.segments[s.first]; ok && n.last == s.last {
		return n.rows, n.removed == s.removed
	}
	var rows, removed int64
	for first := s.first; first <= s.last; first += smallRows {
		n, ok := c.segments[first]
		if !ok || n.last != first+smallRows-1 {
			return 0, false
		}
		rows, removed = rows+n.rows, removed+n.removed
	}
	return rows, removed == s.removed
}

// put remembers the rows of a segment, in place of those of its parts.
func (c *searchCount) put(s segment, rows int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for first := s.first + smallRows; first <= s.last; first += smallRows {
		delete(c.segments, first)
	}
	c.segments[s.first] = segmentCount{s.first, s.last, s.removed, rows}
}

// total returns the sum over all segments of a version.
func (c *searchCount) total(version int64) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sum, version > 0 && c.version == version
}

func (c *searchCount) setTotal(version, sum int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version > c.version {
		c.version, c.sum = version, sum
	}
}

func (c *searchCount) allCounted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leftOver = false
}

// setPartly remembers what was counted of all segments, which were not all.
func (c *searchCount) setPartly(n partialCount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leftOver, c.partly = true, n
}

// counted returns what was counted at last, where a request that sees a version of
// the segments, and so many rows removed, would count no less.
func (c *searchCount) counted(version, removed int64) (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.partly
	return n.rows, c.leftOver && n.version <= version && n.removed == removed
}

// behind returns how many rows were counted of those behind the segments, and the
// first id that was not.
func (c *searchCount) behind(first, removed int64) (rows, next int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tail.first != first || c.tail.removed != removed || c.tail.last < first {
		return 0, first
	}
	return c.tail.rows, c.tail.last + 1
}

func (c *searchCount) setBehind(n segmentCount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tail = n
}

// countByIndex counts the rows of a search by the search index. It returns
// [repo.ErrTooBroad] beside what was counted when more rows would have to be read
// than one request may: the parts that were counted are remembered, so that asking
// again goes on from there.
func (s *Store) countByIndex(ctx context.Context, tx *sql.Tx, f repo.LogFilter) (int64, error) {
	h, err := s.newHunt(ctx, tx, f, spanOf(f), max(s.searchRows/countShare, 1))
	if err != nil {
		return 0, err
	}
	return h.countAll(ctx, s.memoryOf(f, h), false)
}

// countMemory is what is remembered for a search of a range: of the segments that lie
// within it what any range remembers, of those that it cuts, and of the rows behind
// all segments, what this one does. Without a range both are the same.
type countMemory struct{ any, own *searchCount }

func (s *Store) memoryOf(f repo.LogFilter, h *hunt) countMemory {
	known := s.counts.of(exprKey(f.Search), h.version)
	if h.span == whole() {
		return countMemory{known, known}
	}
	return countMemory{known, s.counts.of(filterKey(f), h.version)}
}

// countAll counts as far as it is known or may be read. Segments are counted by who
// has the turn, which the caller may have already.
func (h *hunt) countAll(ctx context.Context, m countMemory, hasTurn bool) (int64, error) {
	tail, all, err := h.countTail(m.own)
	if err != nil {
		return 0, err
	}
	if sum, ok := m.own.total(h.version); ok && all {
		return tail + sum, nil
	}
	switch {
	case hasTurn:
	case h.await(ctx, m.own):
		defer m.own.give()
	default:
		if sum, ok := m.own.counted(h.version, h.removed); ok {
			return tail + sum, repo.ErrTooBroad
		}
		h.left = 0
	}
	sum, counted, err := h.countSegments(m)
	if err != nil {
		return 0, err
	}
	if !all || !counted {
		m.own.setPartly(partialCount{h.version, h.removed, sum})
		return tail + sum, repo.ErrTooBroad
	}
	m.own.setTotal(h.version, sum)
	m.own.allCounted()
	return tail + sum, nil
}

// CountOn counts a total on for which [Store.CountLogs] returned [repo.ErrTooBroad],
// until it is exact, nothing more can be remembered of it or ctx is done. After each
// piece of work, of some hundredths of a second, it rests for as long as the function
// says. Whoever asks for that total meanwhile gets what is counted already, and does
// not count.
func (s *Store) CountOn(ctx context.Context, f repo.LogFilter, rest func(worked time.Duration) time.Duration) error {
	if f.Search == nil {
		return nil
	}
	var memory countMemory
	defer func() {
		if memory.own != nil {
			memory.own.give()
		}
	}()
	for {
		began := time.Now()
		more := false
		err := s.snapshot(ctx, func(tx *sql.Tx) error {
			h, err := s.newHunt(ctx, tx, f, spanOf(f), max(s.searchRows/countShare, 1))
			if err != nil {
				return err
			}
			if memory.own == nil {
				m := s.memoryOf(f, h)
				if !m.own.take(ctx) {
					return ctx.Err()
				}
				memory = m
			}
			if _, err = h.countAll(ctx, memory, true); errors.Is(err, repo.ErrTooBroad) {
				more, err = h.remembered > 0, nil
			}
			return err
		})
		if err != nil || !more {
			return wrapped("count on", err)
		}
		pause := time.NewTimer(rest(time.Since(began)))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
		}
	}
}

// countShare is which part of what it might read a request does to count: the page
// is there, a total of that many takes long anyway, and there are others who wait.
// Where that was not enough before, it is a quarter of that.
const countShare, begunShare = 12, 4

// turnWait is how long the first requests of a search wait for the one that counts.
const turnWait = 50 * time.Millisecond

// await takes the turn to count, and reports whether it did. A request that does not
// get it answers with what the others found: of many that ask the same, one counts.
func (h *hunt) await(ctx context.Context, known *searchCount) bool {
	begun := known.begun()
	select {
	case known.turn <- struct{}{}:
		if begun {
			h.left = max(h.left/begunShare, 1)
		}
		return true
	default:
	}
	if begun {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	if !known.take(ctx) {
		return false
	}
	if known.begun() { // who came first did what one request may
		known.give()
		return false
	}
	return true
}

// take waits for the turn to count segments.
func (c *searchCount) take(ctx context.Context) bool {
	select {
	case c.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// give ends the turn.
func (c *searchCount) give() { <-c.turn }

// begun reports whether segments were left over.
func (c *searchCount) begun() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leftOver
}

// countSegments counts the rows of all segments, as far as they are known or may be
// read.
func (h *hunt) countSegments(m countMemory) (sum int64, all bool, err error) {
	all = true
	for _, seg := range slices.Backward(h.segments) {
		if !h.meets(seg) {
			continue
		}
		known := m.own
		if seg.firstTime >= h.span.first && seg.lastTime <= h.span.last {
			known = m.any
		}
		if n, ok := known.get(seg); ok {
			sum += n
			continue
		}
		n, done, err := h.countSegment(known, seg)
		if err != nil {
			return 0, false, err
		}
		sum += n
		all = all && done
	}
	return sum, all, nil
}

// countSegment counts the rows of a segment, or of those parts of it that are known
// or may be read. The work of a request would depend on the size of the segments
// otherwise.
func (h *hunt) countSegment(known *searchCount, s segment) (sum int64, all bool, err error) {
	var set trigram.Set // once a part is not known
	all = true
	for first := s.first; first <= s.last; first += smallRows {
		part := segment{first: first, last: first + smallRows - 1}
		if s.removed > 0 { // of which parts is not known
			part = s
		}
		if n, ok := known.get(part); ok {
			sum += n
		} else if h.left <= 0 {
			all = false
		} else {
			if set == nil {
				if set, err = h.candidates(s); err != nil {
					return 0, false, err
				}
			}
			p := h.placeOf(set, s, part)
			h.spend(p)
			if n, err = h.count(p); err != nil {
				return 0, false, err
			}
			sum += n
			known.put(part, n)
			h.remembered++
		}
		if part.last == s.last {
			break
		}
	}
	if all {
		known.put(s, sum)
	}
	return sum, all, nil
}

// countTail counts the rows that the index does not cover yet, as many of them as
// may be read and were not counted before.
func (h *hunt) countTail(known *searchCount) (n int64, all bool, err error) {
	tail, all := h.tail, true
	before, next := known.behind(tail.first, h.removed)
	tail.first = next
	if tail.last-tail.first >= h.left {
		tail.last, all = tail.first+h.left-1, false
	}
	p := h.whole(tail)
	h.spend(p)
	if n, err = h.count(p); err != nil {
		return 0, false, err
	}
	n += before
	known.setBehind(segmentCount{h.tail.first, tail.last, h.removed, n})
	if !all {
		h.remembered++
	}
	return n, all, nil
}
