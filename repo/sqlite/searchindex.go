package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"decnet/repo"
	"decnet/repo/sqlite/trigram"
)

const (
	// smallRows and largeRows are how many ids a segment of the search index covers.
	// A small one is made as soon as there are enough rows, so that few are left to
	// be searched one by one; as many as make a large one are merged, so that a
	// search looks into few. Segments begin at multiples of their size.
	smallRows = 4096
	largeRows = trigram.MaxBlocks * trigram.BlockRows

	// termBits are the bits of a chunk's id below the number of its segment.
	termBits = 20
	// timesTerm is where the latest times of the blocks are, behind all terms.
	timesTerm = trigram.Term(1<<termBits - 1)

	// counterSearchVersion counts the changes of segments.
	counterSearchVersion = "search_version"
	raiseSearchVersion   = `INSERT INTO counters (name, value) VALUES ('search_version', 1)
		ON CONFLICT (name) DO UPDATE SET value = value + 1`
)

// segment is a stretch of ids that the search index covers.
type segment struct{ first, last, firstTime, lastTime, rows, removed int64 }

func (s segment) blocks() int { return int(s.last-s.first+1) / trigram.BlockRows }

// chunkID is the id of the chunk that begins with a term.
func (s segment) chunkID(t trigram.Term) int64 { return s.first/smallRows<<termBits | int64(t) }

const selectSegments = "SELECT first_id, last_id, first_time, last_time, rows, removed FROM search_segments"

func scanSegment(scan func(...any) error) (s segment, err error) {
	err = scan(&s.first, &s.last, &s.firstTime, &s.lastTime, &s.rows, &s.removed)
	return s, err
}

// Indexer makes the search index follow the rows. It is for one goroutine. It takes
// some 10 MB, so that one is made where it is needed and not with each store.
type Indexer struct {
	store   *Store
	builder *trigram.Builder
}

// NewIndexer returns an indexer.
func (s *Store) NewIndexer() *Indexer {
	return &Indexer{store: s, builder: trigram.NewBuilder()}
}

// Step makes a piece of the index, of at most 4096 rows, or merges pieces, or
// removes one whose rows have expired, and reports whether it found something to
// do. It holds the write lock for a few milliseconds; a caller goes on while it
// returns true and waits for new rows then. Searches are exact at any time: what is
// not in the index is read.
func (x *Indexer) Step(ctx context.Context) (bool, error) {
	for _, step := range []func(context.Context) (bool, error){x.build, x.merge, x.drop} {
		if did, err := step(ctx); did || err != nil {
			if err != nil {
				err = failed("search index", err)
			}
			return did, err
		}
	}
	return false, nil
}

// build indexes the next rows if there are enough of them.
func (x *Indexer) build(ctx context.Context) (did bool, err error) {
	var seg segment
	var chunks []trigram.Chunk
	err = x.store.snapshot(ctx, func(tx *sql.Tx) error {
		next, last, err := unindexed(ctx, tx)
		if err != nil || last < next+smallRows-1 {
			return err
		}
		did = true
		seg = segment{first: next, last: next + smallRows - 1, firstTime: math.MaxInt64}
		rows, err := tx.QueryContext(ctx, `SELECT id, time, decky, service, event_type, attacker_ip, raw_line, fields
			FROM logs WHERE id BETWEEN ? AND ? ORDER BY id`, seg.first, seg.last)
		if err != nil {
			return err
		}
		chunks, err = x.read(&seg, rows)
		return err
	})
	if err != nil || !did {
		return false, err
	}
	return true, x.store.update(ctx, func(tx *sql.Tx) error {
		// Some may have expired since they were read.
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM logs WHERE id BETWEEN ? AND ?", seg.first, seg.last).Scan(&seg.rows)
		if err != nil {
			return err
		}
		return putSegment(ctx, tx, seg, chunks)
	})
}

// unindexed returns the first id that no segment covers, and the last of a row.
func unindexed(ctx context.Context, tx *sql.Tx) (next, last int64, err error) {
	if err = tx.QueryRowContext(ctx, selectCounter, counterLogID).Scan(&last); err != nil {
		return 0, 0, err
	}
	var indexed, oldest sql.NullInt64
	err = tx.QueryRowContext(ctx, "SELECT (SELECT max(last_id) FROM search_segments), (SELECT min(id) FROM logs)").Scan(&indexed, &oldest)
	if err != nil || !oldest.Valid {
		return last + 1, last, err
	}
	return max(indexed.Int64+1, oldest.Int64/smallRows*smallRows) / smallRows * smallRows, last, nil
}

// read makes the index of rows and notes their times.
func (x *Indexer) read(seg *segment, rows *sql.Rows) ([]trigram.Chunk, error) {
	last := int64(-1)
	latest := make([]int64, smallRows/trigram.BlockRows)
	err := each(rows, func(scan func(...any) error) error {
		var l repo.Log
		var nanos int64
		if err := scan(&l.ID, &nanos, &l.Decky, &l.Service, &l.EventType, &l.AttackerIP, &l.RawLine, &l.Fields); err != nil {
			return err
		}
		seg.firstTime, seg.lastTime = min(seg.firstTime, nanos), max(seg.lastTime, nanos)
		if block := (l.ID - seg.first) / trigram.BlockRows; block != last {
			x.builder.Begin(int(block))
			last = block
		}
		latest[last] = max(latest[last], nanos)
		x.add(&l)
		return nil
	})
	chunks := x.builder.Chunks(smallRows / trigram.BlockRows)
	return append(chunks, trigram.Chunk{First: timesTerm, Data: appendTimes(nil, seg.firstTime, latest)}), err
}

// appendTimes writes the latest time of each block, in seconds since the first time
// of the segment, rounded up: four bytes each, which is enough for 136 years.
func appendTimes(b []byte, first int64, latest []int64) []byte {
	const second = int64(time.Second)
	for _, nanos := range latest {
		b = binary.LittleEndian.AppendUint32(b, uint32(min(max((nanos-first+second-1)/second, 0), math.MaxUint32)))
	}
	return b
}

// readTimes reads what appendTimes wrote. The last of all numbers stands for any
// time.
func readTimes(data []byte, first int64) []int64 {
	latest := make([]int64, len(data)/4)
	for i := range latest {
		n := binary.LittleEndian.Uint32(data[4*i:])
		if latest[i] = first + int64(n)*int64(time.Second); n == math.MaxUint32 || latest[i] < 0 {
			latest[i] = repo.MaxUnixNano
		}
	}
	return latest
}

// add lists all by which an expression may find the row; see [rangesOf].
func (x *Indexer) add(l *repo.Log) {
	for _, text := range []string{l.RawLine, l.Decky, l.Service, l.AttackerIP} {
		x.builder.Text(text)
	}
	for _, e := range []repo.Equals{
		{Column: repo.ColumnDecky, Value: l.Decky},
		{Column: repo.ColumnService, Value: l.Service},
		{Column: repo.ColumnEvent, Value: l.EventType},
		{Column: repo.ColumnAttacker, Value: l.AttackerIP},
	} {
		x.builder.Pair(columnKey(e.Column), e.Value)
	}
	repo.EachField(l.Fields, x.builder.Pair)
}

// columnKey is the key of a column among those of fields, where none begins so.
func columnKey(c repo.Column) string { return "\x00" + string(c) }

// rangesOf returns what the index must list of a block in which an expression
// holds for some row. None means that it cannot tell.
func rangesOf(e repo.Expr) []trigram.Range {
	switch e := e.(type) {
	case repo.And:
		var list []trigram.Range
		for _, part := range e {
			list = append(list, rangesOf(part)...)
		}
		return list
	case repo.Equals:
		return []trigram.Range{trigram.Pair(columnKey(e.Column), e.Value)}
	case repo.FieldEquals:
		return []trigram.Range{trigram.Pair(e.Key, e.Value)}
	case repo.Contains:
		return trigram.Text(e.Text)
	}
	return nil
}

// putSegment stores a segment, unless another process was faster.
func putSegment(ctx context.Context, tx *sql.Tx, seg segment, chunks []trigram.Chunk) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO search_segments (first_id, last_id, first_time, last_time, rows, removed)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, seg.first, seg.last, seg.firstTime, seg.lastTime, seg.rows, seg.removed)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if _, err = tx.ExecContext(ctx, raiseSearchVersion); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO search_chunks (id, data) VALUES (?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()                //nolint:errcheck // it ends with the transaction
	quiet := context.WithoutCancel(ctx) // see batchWriter.quiet
	for _, c := range chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := insert.ExecContext(quiet, seg.chunkID(c.First), c.Data); err != nil {
			return err
		}
	}
	return nil
}

// merge makes one large segment of small ones, if there are enough.
func (x *Indexer) merge(ctx context.Context) (did bool, err error) {
	var seg segment
	var chunks []trigram.Chunk
	err = x.store.snapshot(ctx, func(tx *sql.Tx) error {
		small, err := mergeable(ctx, tx)
		if err != nil || len(small) == 0 {
			return err
		}
		did = true
		seg = small[0]
		seg.last = seg.first + largeRows - 1
		for _, s := range small {
			seg.firstTime, seg.lastTime = min(seg.firstTime, s.firstTime), max(seg.lastTime, s.lastTime)
		}
		chunks, err = mergedChunks(ctx, tx, seg, small)
		return err
	})
	if err != nil || !did {
		return false, err
	}
	return true, x.store.update(ctx, func(tx *sql.Tx) error { return replaceSmall(ctx, tx, seg, chunks) })
}

// mergedChunks makes the index of a large segment of those of small ones.
func mergedChunks(ctx context.Context, tx *sql.Tx, seg segment, small []segment) ([]trigram.Chunk, error) {
	var parts [][]trigram.Chunk
	var latest []int64
	for _, s := range small {
		part, err := chunksOf(ctx, tx, s)
		if err != nil {
			return nil, err
		}
		times := make([]int64, s.blocks())
		if n := len(part); n > 0 && part[n-1].First == timesTerm {
			copy(times, readTimes(part[n-1].Data, s.firstTime))
			part = part[:n-1]
		}
		parts, latest = append(parts, part), append(latest, times...)
	}
	chunks, err := trigram.Merge(parts, smallRows/trigram.BlockRows)
	return append(chunks, trigram.Chunk{First: timesTerm, Data: appendTimes(nil, seg.firstTime, latest)}), err
}

// mergeable returns the small segments that make up a large one, or none.
func mergeable(ctx context.Context, tx *sql.Tx) ([]segment, error) {
	const each = largeRows / smallRows
	var group int64
	err := tx.QueryRowContext(ctx, `SELECT first_id / ? AS place FROM search_segments WHERE last_id - first_id < ?
		GROUP BY place HAVING count(*) = ? LIMIT 1`, int64(largeRows), int64(smallRows), int64(each)).Scan(&group)
	if err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, selectSegments+" WHERE first_id BETWEEN ? AND ? ORDER BY first_id", group*largeRows, (group+1)*largeRows-1)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanSegment)
}

// chunksOf reads the whole index of a segment.
func chunksOf(ctx context.Context, tx *sql.Tx, s segment) ([]trigram.Chunk, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, data FROM search_chunks WHERE id BETWEEN ? AND ? ORDER BY id",
		s.chunkID(0), s.chunkID(1<<termBits-1))
	if err != nil {
		return nil, err
	}
	return collect(rows, func(scan func(...any) error) (c trigram.Chunk, err error) {
		var id int64
		err = scan(&id, &c.Data)
		c.First = trigram.Term(id & (1<<termBits - 1))
		return c, err
	})
}

// replaceSmall puts a large segment in the place of the small ones it was made of.
// What expired of those meanwhile has expired of it.
func replaceSmall(ctx context.Context, tx *sql.Tx, seg segment, chunks []trigram.Chunk) error {
	var n int64
	err := tx.QueryRowContext(ctx, "SELECT count(*), coalesce(sum(rows), 0), coalesce(sum(removed), 0) FROM search_segments WHERE first_id BETWEEN ? AND ? AND last_id - first_id < ?",
		seg.first, seg.last, int64(smallRows)).Scan(&n, &seg.rows, &seg.removed)
	if err != nil || n != largeRows/smallRows { // another process was faster
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM search_segments WHERE first_id BETWEEN ? AND ?", seg.first, seg.last); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM search_chunks WHERE id >= ? AND id < ?",
		seg.chunkID(0), segment{first: seg.last + 1}.chunkID(0)); err != nil {
		return err
	}
	return putSegment(ctx, tx, seg, chunks)
}

// drop removes the segment whose rows have all expired, if there is one.
func (x *Indexer) drop(ctx context.Context) (did bool, err error) {
	var old segment
	err = x.store.snapshot(ctx, func(tx *sql.Tx) error {
		old, err = scanSegment(tx.QueryRowContext(ctx, selectSegments+
			" WHERE removed >= rows OR last_time < (SELECT min(time) FROM logs) LIMIT 1").Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		did = err == nil
		return err
	})
	if err != nil || !did {
		return false, err
	}
	err = x.store.update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, raiseSearchVersion); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM search_segments WHERE first_id = ?", old.first); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM search_chunks WHERE id >= ? AND id < ?",
			old.chunkID(0), segment{first: old.last + 1}.chunkID(0))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("drop a segment: %w", err)
	}
	return true, nil
}
