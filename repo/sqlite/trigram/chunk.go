package trigram

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// chunkBytes is the size at which a chunk is full: what a search reads a term.
const chunkBytes = 6 << 10

// The forms of a set. The least of the first two is taken.
const (
	formGaps = iota // each block as the distance from the one before
	formBits        // the set itself
	formAll         // every block
	forms    = 3
)

// ErrDamaged says that a chunk is not what a builder made.
var ErrDamaged = errors.New("the search index is damaged")

// writer cuts sets into chunks: the distance of the term from the one before, the
// length and form of the set, and the set.
type writer struct {
	blocks  int
	chunks  []Chunk
	data    []byte
	last    Term
	scratch []byte
}

func newWriter(blocks int) *writer { return &writer{blocks: blocks} }

func (w *writer) add(t Term, s Set) {
	if len(w.data) >= chunkBytes {
		w.cut()
	}
	if len(w.data) == 0 {
		w.chunks = append(w.chunks, Chunk{First: t})
		w.last = t
	}
	form := w.encode(s)
	w.data = binary.AppendUvarint(w.data, uint64(t-w.last))
	w.data = binary.AppendUvarint(w.data, uint64(len(w.scratch)*forms+form))
	w.data = append(w.data, w.scratch...)
	w.last = t
}

// encode writes the set into scratch.
func (w *writer) encode(s Set) (form int) {
	w.scratch = w.scratch[:0]
	if s.Len() == w.blocks {
		return formAll
	}
	last := -1
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			block := i*64 + bits.TrailingZeros64(word)
			w.scratch = binary.AppendUvarint(w.scratch, uint64(block-last-1))
			last = block
		}
	}
	if len(w.scratch) < len(s)*8 {
		return formGaps
	}
	w.scratch = w.scratch[:0]
	for _, word := range s {
		w.scratch = binary.LittleEndian.AppendUint64(w.scratch, word)
	}
	return formBits
}

func (w *writer) cut() {
	w.chunks[len(w.chunks)-1].Data = append([]byte(nil), w.data...)
	w.data = w.data[:0]
}

func (w *writer) finish() []Chunk {
	if len(w.data) > 0 {
		w.cut()
	}
	return w.chunks
}

// reader goes through the terms of chunks.
type reader struct {
	chunks []Chunk
	rest   []byte

	term Term
	form int
	set  []byte
}

// next goes to the next term; it returns false after the last one.
func (r *reader) next() (bool, error) {
	for len(r.rest) == 0 {
		if len(r.chunks) == 0 {
			return false, nil
		}
		r.term, r.rest = r.chunks[0].First, r.chunks[0].Data
		r.chunks = r.chunks[1:]
	}
	gap, n := binary.Uvarint(r.rest)
	if n <= 0 || gap >= Terms {
		return false, ErrDamaged
	}
	length, m := binary.Uvarint(r.rest[n:])
	if m <= 0 || length/forms > uint64(len(r.rest)-n-m) {
		return false, ErrDamaged
	}
	end := n + m + int(length/forms)
	r.term += Term(gap)
	r.form, r.set, r.rest = int(length%forms), r.rest[n+m:end], r.rest[end:]
	return true, nil
}

// addTo puts the blocks of the term into a set for a segment of so many blocks,
// each moved by offset.
func (r *reader) addTo(s Set, blocks, offset int) error {
	switch r.form {
	case formAll:
		for b := range blocks {
			s.Add(offset + b)
		}
	case formBits:
		if len(r.set) != (blocks+63)/64*8 {
			return ErrDamaged
		}
		for b := range blocks {
			if r.set[b/8]&(1<<(b%8)) != 0 {
				s.Add(offset + b)
			}
		}
	default:
		block := -1
		for rest := r.set; len(rest) > 0; {
			gap, n := binary.Uvarint(rest)
			if n <= 0 || gap >= uint64(blocks-block-1) {
				return ErrDamaged
			}
			block += int(gap) + 1
			s.Add(offset + block)
			rest = rest[n:]
		}
	}
	return nil
}

// Find puts into the set, which is for a segment of that many blocks, those that
// have a term of the range, as far as these chunks list it. It returns [ErrDamaged]
// for chunks that no builder made.
func Find(chunks []Chunk, want Range, blocks int, into Set) error {
	r := reader{chunks: chunks}
	for {
		ok, err := r.next()
		if err != nil {
			return err
		}
		if !ok || r.term > want.Last {
			return nil
		}
		if r.term >= want.First {
			if err := r.addTo(into, blocks, 0); err != nil {
				return err
			}
		}
	}
}

// Merge makes one segment of several that follow one another, of blocks blocks
// each. It returns [ErrDamaged] for chunks that no builder made.
func Merge(segments [][]Chunk, blocks int) ([]Chunk, error) {
	readers := make([]*reader, len(segments))
	for i, chunks := range segments {
		r := &reader{chunks: chunks}
		if ok, err := r.next(); err != nil {
			return nil, err
		} else if ok {
			readers[i] = r
		}
	}
	w := newWriter(blocks * len(segments))
	set := NewSet(blocks * len(segments))
	for {
		least := Term(Terms)
		for _, r := range readers {
			if r != nil {
				least = min(least, r.term)
			}
		}
		if least == Terms {
			return w.finish(), nil
		}
		set.Clear()
		for i, r := range readers {
			if r == nil || r.term != least {
				continue
			}
			if err := r.addTo(set, blocks, i*blocks); err != nil {
				return nil, err
			}
			if ok, err := r.next(); err != nil {
				return nil, err
			} else if !ok {
				readers[i] = nil
			}
		}
		w.add(least, set)
	}
}
