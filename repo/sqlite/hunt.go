package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"decnet/repo"
	"decnet/repo/sqlite/trigram"
)

// hunt is a search for rows by what no index of columns answers: it asks the search
// index which blocks may hold some, and reads those.
type hunt struct {
	ctx context.Context
	// quiet is ctx without its end; see batchWriter.quiet.
	quiet  context.Context
	tx     *sql.Tx
	span   span
	ranges []trigram.Range
	// cond holds for the rows that are looked for, wherever they are.
	cond conditions
	// left is how many rows may yet be read.
	left int64

	segments []segment // by first id
	tail     segment   // what they don't cover
	lookup   *sql.Stmt
	chunk    []trigram.Chunk
	set      trigram.Set
}

// newHunt prepares a hunt that may read so many rows.
func newHunt(ctx context.Context, tx *sql.Tx, f repo.LogFilter, s span, rows int64) (*hunt, error) {
	h := &hunt{ctx: ctx, quiet: context.WithoutCancel(ctx), tx: tx, span: s, ranges: rangesOf(f.Search), left: rows}
	if err := h.cond.addExpr(f.Search, access{byID: true}); err != nil {
		return nil, err
	}
	h.cond.addSpan(s, access{byID: true})
	found, err := tx.QueryContext(ctx, selectSegments+" ORDER BY first_id")
	if err != nil {
		return nil, err
	}
	if h.segments, err = collect(found, scanSegment); err != nil {
		return nil, err
	}
	h.tail.firstTime, h.tail.lastTime = 0, repo.MaxUnixNano
	if n := len(h.segments); n > 0 {
		h.tail.first = h.segments[n-1].last + 1
	}
	if err = tx.QueryRowContext(ctx, selectCounter, counterLogID).Scan(&h.tail.last); err != nil {
		return nil, err
	}
	h.lookup, err = tx.PrepareContext(ctx, `SELECT id, data FROM search_chunks
		WHERE id BETWEEN coalesce((SELECT max(id) FROM search_chunks WHERE id <= ?1), ?1) AND ?2 ORDER BY id`)
	return h, err
}

// meets reports whether rows of the segment may be in the time of the search.
func (h *hunt) meets(s segment) bool { return s.lastTime >= h.span.first && s.firstTime <= h.span.last }

// candidates returns the blocks of a segment that may hold what is looked for. The
// set is good until the next call.
func (h *hunt) candidates(s segment) (trigram.Set, error) {
	blocks := s.blocks()
	set := trigram.NewSet(blocks)
	set.Fill(blocks)
	h.set = trigram.NewSet(blocks)
	for _, r := range h.ranges {
		if err := h.ctx.Err(); err != nil {
			return nil, err
		}
		if err := h.find(s, r); err != nil {
			return nil, err
		}
		set.And(h.set)
		if set.Len() == 0 {
			break
		}
	}
	return set, nil
}

// find puts into h.set the blocks of a segment that have a term of the range.
func (h *hunt) find(s segment, r trigram.Range) error {
	rows, err := h.lookup.QueryContext(h.quiet, s.chunkID(r.First), s.chunkID(r.Last))
	if err != nil {
		return err
	}
	h.set.Clear()
	return each(rows, func(scan func(...any) error) error {
		var id int64
		var data sql.RawBytes
		if err := scan(&id, &data); err != nil || id < s.chunkID(0) {
			return err // the chunk before may be another segment's
		}
		h.chunk = append(h.chunk[:0], trigram.Chunk{First: trigram.Term(id & (1<<termBits - 1)), Data: data})
		return trigram.Find(h.chunk, r, s.blocks(), h.set)
	})
}

// place is where rows of a segment are read: a source for FROM with its conditions.
type place struct {
	from string
	cond conditions
	rows int64 // at most
}

// query asks for columns of the rows that match.
func (p place) query(columns, rest string) string {
	return strings.Join([]string{"SELECT", columns, "FROM", p.from + p.cond.where(), rest}, " ")
}

// place says where to read the candidates of a segment.
func (h *hunt) place(s segment) (place, error) {
	if s == h.tail {
		return h.whole(s), nil
	}
	set, err := h.candidates(s)
	if err != nil {
		return place{}, err
	}
	n := set.Len()
	if n > s.blocks()/2 {
		return h.whole(s), nil
	}
	p := place{from: "(SELECT value AS block FROM json_each(?)) CROSS JOIN logs", rows: int64(n) * trigram.BlockRows}
	p.cond.add("logs.id BETWEEN block * 16 AND block * 16 + 15", blockList(set, s.first/trigram.BlockRows))
	p.cond.join(h.cond)
	return p, nil
}

// whole is a place where all rows of a segment are read.
func (h *hunt) whole(s segment) place {
	p := place{from: "logs", rows: max(s.last-s.first+1, 0)}
	p.cond.add("logs.id BETWEEN ? AND ?", s.first, s.last)
	p.cond.join(h.cond)
	return p
}

// blockList writes the numbers of blocks as a JSON array.
func blockList(set trigram.Set, offset int64) string {
	b := []byte{'['}
	for first, end := range set.Runs {
		for block := first; block < end; block++ {
			if len(b) > 1 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, offset+int64(block), 10)
		}
	}
	return string(append(b, ']'))
}

// spend takes the rows of a place from what may be read, and reports whether there
// was enough left.
func (h *hunt) spend(p place) bool {
	h.left -= p.rows
	return h.left >= 0
}

// count returns how many rows of the segment match.
func (h *hunt) count(p place) (n int64, err error) {
	if p.rows == 0 {
		return 0, nil
	}
	if err := h.ctx.Err(); err != nil {
		return 0, err
	}
	err = h.tx.QueryRowContext(h.ctx, p.query("count(*)", ""), p.cond.args...).Scan(&n)
	return n, err
}

// key is a row's place in the order of pages.
type key struct{ time, id int64 }

func newestFirst(a, b key) int {
	switch {
	case a.time != b.time:
		return int(min(max(b.time-a.time, -1), 1))
	case a.id != b.id:
		return int(min(max(b.id-a.id, -1), 1))
	}
	return 0
}

// newest returns the first n rows, newest first, that match and lie behind after.
// It returns [repo.ErrTooBroad] when too many rows would have to be read for that.
func (h *hunt) newest(n int, after repo.LogPlace) ([]key, error) {
	if !after.IsZero() {
		h.cond.addAfter(after)
		h.span.last = min(h.span.last, after.Time.UnixNano())
	}
	// Those with the latest events first: once there are enough rows, what is older
	// than the last of them need not be looked at.
	order := append([]segment{h.tail}, h.segments...)
	slices.SortStableFunc(order, func(a, b segment) int { return newestFirst(key{time: a.lastTime}, key{time: b.lastTime}) })
	var found []key
	for _, s := range order {
		if len(found) == n && found[n-1].time > s.lastTime {
			break
		}
		if !h.meets(s) || s.last < s.first {
			continue
		}
		p, err := h.place(s)
		if err != nil {
			return nil, err
		}
		if p.rows == 0 {
			continue
		}
		if !h.spend(p) {
			return nil, repo.ErrTooBroad
		}
		more, err := h.keys(p, n)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
		slices.SortFunc(found, newestFirst)
		found = found[:min(n, len(found))]
	}
	return found, nil
}

// keys returns the first n of the rows of a place.
func (h *hunt) keys(p place, n int) ([]key, error) {
	rows, err := h.tx.QueryContext(h.ctx, p.query("time, logs.id", "ORDER BY time DESC, logs.id DESC LIMIT ?"), append(p.cond.args, n)...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (k key, err error) {
		err = scan(&k.time, &k.id)
		return k, err
	})
}

// byKeys returns the rows, in the order of the keys.
func byKeys(ctx context.Context, tx *sql.Tx, keys []key) ([]repo.Log, error) {
	b := []byte{'['}
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, k.id, 10)
	}
	rows, err := tx.QueryContext(ctx, selectLogs+" WHERE id IN (SELECT value FROM json_each(?)) ORDER BY +time DESC, id DESC", string(append(b, ']')))
	if err != nil {
		return nil, err
	}
	return collect(rows, scanLog)
}
