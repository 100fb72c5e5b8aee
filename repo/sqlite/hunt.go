package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

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
	// remembered is how many counts were remembered that nobody knew.
	remembered int

	segments []segment // by first id
	tail     segment   // what they don't cover
	// version counts the changes of segments, removed the rows that ever were.
	version, removed int64

	lookup *sql.Stmt // see find
	chunk  []trigram.Chunk
	set    trigram.Set
}

// segmentList remembers the segments, which change seldom.
type segmentList struct {
	mu       sync.Mutex
	version  int64
	segments []segment
}

// newHunt prepares a hunt that may read so many rows.
func (s *Store) newHunt(ctx context.Context, tx *sql.Tx, f repo.LogFilter, times span, rows int64) (*hunt, error) {
	h := &hunt{ctx: ctx, quiet: context.WithoutCancel(ctx), tx: tx, span: times, ranges: rangesOf(f.Search), left: rows}
	if err := h.cond.addExpr(f.Search, access{byID: true}); err != nil {
		return nil, err
	}
	h.cond.addSpan(times, access{byID: true})
	var logs int64
	err := tx.QueryRowContext(ctx, `SELECT coalesce(sum(value) FILTER (WHERE name = ?1), 0), coalesce(sum(value) FILTER (WHERE name = ?2), 0),
		coalesce(sum(value) FILTER (WHERE name = ?3), 0) FROM counters WHERE name IN (?1, ?2, ?3)`,
		counterLogID, counterLogs, counterSearchVersion).Scan(&h.tail.last, &logs, &h.version)
	if err != nil {
		return nil, err
	}
	h.removed = h.tail.last - logs
	if h.segments, err = s.segments.get(ctx, tx, h.version); err != nil {
		return nil, err
	}
	h.tail.lastTime = repo.MaxUnixNano
	if n := len(h.segments); n > 0 {
		h.tail.first = h.segments[n-1].last + 1
	}
	return h, nil
}

// get returns the segments of a version, by first id; nobody changes the list.
func (l *segmentList) get(ctx context.Context, tx *sql.Tx, version int64) ([]segment, error) {
	l.mu.Lock()
	known, list := l.version, l.segments
	l.mu.Unlock()
	if known == version {
		return list, nil
	}
	rows, err := tx.QueryContext(ctx, selectSegments+" ORDER BY first_id")
	if err != nil {
		return nil, err
	}
	if list, err = collect(rows, scanSegment); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if version > l.version {
		l.version, l.segments = version, list
	}
	return list, nil
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
	rarest, fewest := 0, blocks+1
	for i, r := range h.ranges {
		if err := h.ctx.Err(); err != nil {
			return nil, err
		}
		if err := h.find(s, r); err != nil {
			return nil, err
		}
		if n := h.set.Len(); n < fewest {
			rarest, fewest = i, n
		}
		set.And(h.set)
		if set.Len() == 0 {
			break
		}
	}
	// What is rare in one segment mostly is in the next: asked for first, it often
	// answers alone.
	if len(h.ranges) > 0 {
		h.ranges[0], h.ranges[rarest] = h.ranges[rarest], h.ranges[0]
	}
	return set, nil
}

// find puts into h.set the blocks of a segment that have a term of the range.
func (h *hunt) find(s segment, r trigram.Range) error {
	if h.lookup == nil {
		var err error
		h.lookup, err = h.tx.PrepareContext(h.quiet, `SELECT id, data FROM search_chunks
			WHERE id BETWEEN coalesce((SELECT max(id) FROM search_chunks WHERE id <= ?1), ?1) AND ?2 ORDER BY id`)
		if err != nil {
			return err
		}
	}
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
	return h.placeOf(set, s, s), nil
}

// placeOf says where to read the candidates of a segment that are in a part of it.
func (h *hunt) placeOf(set trigram.Set, s, part segment) place {
	from, to := int(part.first-s.first)/trigram.BlockRows, int(part.last-s.first+1)/trigram.BlockRows
	var blocks []int64
	for first, end := range set.Runs {
		for b := max(first, from); b < min(end, to); b++ {
			blocks = append(blocks, s.first/trigram.BlockRows+int64(b))
		}
	}
	if len(blocks) > (to-from)/2 {
		return h.whole(part)
	}
	return h.blocks(blocks)
}

// blocks is a place of some blocks.
func (h *hunt) blocks(blocks []int64) place {
	p := place{from: "(SELECT value AS block FROM json_each(?)) CROSS JOIN logs", rows: int64(len(blocks)) * trigram.BlockRows}
	p.cond.add("logs.id BETWEEN block * 16 AND block * 16 + 15", jsonNumbers(blocks))
	p.cond.join(h.cond)
	return p
}

// whole is a place where all rows of a segment are read.
func (h *hunt) whole(s segment) place {
	p := place{from: "logs", rows: max(s.last-s.first+1, 0)}
	p.cond.add("logs.id BETWEEN ? AND ?", s.first, s.last)
	p.cond.join(h.cond)
	return p
}

// jsonNumbers writes a JSON array, which a query can read as a table.
func jsonNumbers(list []int64) string {
	b := []byte{'['}
	for i, n := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
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

func newestFirst(a, b key) int { return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(b.id, a.id)) }

// newest returns the first n rows, newest first, that match and lie behind after.
// It returns [repo.ErrTooBroad] when too many rows would have to be read for that.
func (h *hunt) newest(n int, after repo.LogPlace) ([]key, error) {
	if !after.IsZero() {
		h.cond.addAfter(after)
		h.span.last = min(h.span.last, after.Time.UnixNano())
	}
	found := newestKeys{n: n}
	if h.tail.first <= h.tail.last {
		if err := h.gather(&found, h.whole(h.tail)); err != nil {
			return nil, err
		}
	}
	// Those with the latest events first: once there are enough rows, what is older
	// than the last of them need not be looked at.
	order := slices.Clone(h.segments)
	slices.SortStableFunc(order, func(a, b segment) int { return cmp.Compare(b.lastTime, a.lastTime) })
	for _, s := range order {
		if found.complete(s.lastTime) {
			break
		}
		if !h.meets(s) {
			continue
		}
		if err := h.gatherSegment(&found, s); err != nil {
			return nil, err
		}
	}
	return found.list, nil
}

// newestKeys are the newest rows that were found, at most n.
type newestKeys struct {
	n    int
	list []key
}

// complete reports whether rows up to a time cannot be among them.
func (k *newestKeys) complete(latest int64) bool {
	return len(k.list) == k.n && k.list[k.n-1].time > latest
}

// gather adds the rows of a place.
func (h *hunt) gather(found *newestKeys, p place) error {
	if !h.spend(p) {
		return repo.ErrTooBroad
	}
	more, err := h.keys(p, found.n)
	if err != nil || len(more) == 0 {
		return err
	}
	found.list = append(found.list, more...)
	slices.SortFunc(found.list, newestFirst)
	found.list = found.list[:min(found.n, len(found.list))]
	return nil
}

// leastBlocks are read of a segment at once; then twice as many, and so on.
const leastBlocks = 16

// gatherSegment adds the rows of a segment: the candidates with the latest times
// first, until the others cannot be among the newest.
func (h *hunt) gatherSegment(found *newestKeys, s segment) error {
	set, err := h.candidates(s)
	if err != nil || set.Len() == 0 {
		return err
	}
	latest, err := h.times(s)
	if err != nil {
		return err
	}
	var blocks []int64
	for first, end := range set.Runs {
		for b := first; b < end; b++ {
			blocks = append(blocks, int64(b))
		}
	}
	slices.SortFunc(blocks, func(a, b int64) int { return cmp.Compare(latest[b], latest[a]) })
	for size := leastBlocks; len(blocks) > 0 && !found.complete(latest[blocks[0]]); size *= 2 {
		some := slices.Clone(blocks[:min(size, len(blocks))])
		blocks = blocks[len(some):]
		slices.Sort(some)
		for i := range some {
			some[i] += s.first / trigram.BlockRows
		}
		if err := h.gather(found, h.blocks(some)); err != nil {
			return err
		}
	}
	return nil
}

// times returns the latest time of each block of a segment; some may be later.
func (h *hunt) times(s segment) ([]int64, error) {
	var data []byte
	err := h.tx.QueryRowContext(h.ctx, "SELECT data FROM search_chunks WHERE id = ?", s.chunkID(timesTerm)).Scan(&data)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	latest := readTimes(data, s.firstTime)
	for len(latest) < s.blocks() {
		latest = append(latest, s.lastTime)
	}
	return latest, nil
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
