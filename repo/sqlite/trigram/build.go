package trigram

import "slices"

// Builder makes the index of a segment. Its zero value is not usable; one builder
// makes one segment after another. It takes about 4 MB.
type Builder struct {
	class [256]Term
	// seen holds, for each term, in which block it was added last, so that a block
	// lists it once.
	seen  []uint32
	stamp uint32
	block uint32
	// pairs are term and block, in the order of blocks.
	pairs, spare []uint32
}

const blockBits = 12

// NewBuilder returns a builder of empty segments.
func NewBuilder() *Builder {
	return &Builder{class: classes(), seen: make([]uint32, Terms)}
}

// Begin makes what is added from now on part of a block. Blocks come in ascending
// order, below [MaxBlocks].
func (b *Builder) Begin(block int) {
	b.block = uint32(block)
	if b.stamp++; b.stamp == 0 { // after four billion blocks
		clear(b.seen)
		b.stamp = 1
	}
}

func (b *Builder) add(t Term) {
	if b.seen[t] != b.stamp {
		b.seen[t] = b.stamp
		b.pairs = append(b.pairs, uint32(t)<<blockBits|b.block)
	}
}

// Text adds a text, in which [Text] can be looked for.
func (b *Builder) Text(s string) {
	if s == "" {
		return
	}
	t := b.class[s[0]]
	for i := 1; i < len(s); i++ {
		t = (t<<classBits | b.class[s[i]]) & (trigrams - 1)
		if i > 1 {
			b.add(t)
		}
	}
	if len(s) > 1 {
		b.add((t<<classBits | pad) & (trigrams - 1))
	}
}

// Pair adds a pair, which [Pair] can look for.
func (b *Builder) Pair(key, value string) { b.add(pairTerm(key, value)) }

// Chunk is a part of a segment's index: its terms from First up to the next chunk's.
type Chunk struct {
	First Term
	Data  []byte
}

// Chunks returns the index of what was added, of a segment of that many blocks,
// and makes the builder empty. A segment to which nothing was added has no chunks.
func (b *Builder) Chunks(blocks int) []Chunk {
	b.sort()
	w := newWriter(blocks)
	set := NewSet(blocks)
	for i := 0; i < len(b.pairs); {
		t := b.pairs[i] >> blockBits
		set.Clear()
		for ; i < len(b.pairs) && b.pairs[i]>>blockBits == t; i++ {
			set.Add(int(b.pairs[i] & (1<<blockBits - 1)))
		}
		w.add(Term(t), set)
	}
	b.pairs = b.pairs[:0]
	return w.finish()
}

// sort brings the pairs into the order of terms, by two passes of a radix sort over
// the 20 bits of the term: they are in the order of blocks already.
func (b *Builder) sort() {
	const digit = 10
	b.spare = slices.Grow(b.spare[:0], len(b.pairs))[:len(b.pairs)]
	for shift := blockBits; shift < blockBits+2*digit; shift += digit {
		var starts [1 << digit]int
		for _, p := range b.pairs {
			starts[p>>shift&(1<<digit-1)]++
		}
		sum := 0
		for i, n := range starts {
			starts[i] = sum
			sum += n
		}
		for _, p := range b.pairs {
			d := p >> shift & (1<<digit - 1)
			b.spare[starts[d]] = p
			starts[d]++
		}
		b.pairs, b.spare = b.spare, b.pairs
	}
}
