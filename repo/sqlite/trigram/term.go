package trigram

// Term is what an index lists: below trigrams, three classes of bytes; above, the
// hash of a pair.
type Term uint32

const (
	// BlockRows is how many rows a block has.
	BlockRows = 16
	// MaxBlocks is the most blocks that a segment may have.
	MaxBlocks = 4096

	classBits = 6
	trigrams  = 1 << (3 * classBits)
	pairs     = 1 << 19
	// Terms is the number of different terms.
	Terms = trigrams + pairs

	// pad stands behind the end of a text, so that its last bytes begin a trigram
	// too.
	pad = 63
)

// classOf returns the class of a byte, below [pad]. Letters of either case fall
// together, since a search does not tell them apart.
func classOf(c byte) Term {
	const signs = " .-_/:\"=[]{},@\\<>();&|%+"
	switch {
	case c >= 'a' && c <= 'z':
		return Term(c - 'a')
	case c >= 'A' && c <= 'Z':
		return Term(c - 'A')
	case c >= '0' && c <= '9':
		return 26 + Term(c-'0')
	case c >= 0x80:
		return 60 + Term(c&1)
	}
	for i := range len(signs) {
		if signs[i] == c {
			return 36 + Term(min(i, 22))
		}
	}
	if c < ' ' {
		return 59
	}
	return 62
}

// classes is classOf as a table.
func classes() (table [256]Term) {
	for c := range table {
		table[c] = classOf(byte(c))
	}
	return table
}

// pairTerm returns the term of a key with a value.
func pairTerm(key, value string) Term {
	// FNV-1a. A length between the two keeps ("a", "bc") and ("ab", "c") apart.
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * prime
	}
	h = (h ^ uint64(len(key))) * prime
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * prime
	}
	h ^= h >> 32
	return trigrams + Term(h^(h>>19))%pairs
}

// Range is a range of terms, both ends included, one of which a block must have.
type Range struct{ First, Last Term }

// maxRanges bounds how many trigrams of a long text are looked up: a few of them,
// spread over the text, choose as well as all.
const maxRanges = 10

// Text returns what a block must have, each of the ranges, to hold a text that
// contains s in any case of its ASCII letters. It returns none where s is too
// short to choose anything.
func Text(s string) []Range {
	switch len(s) {
	case 0, 1:
		return nil
	case 2:
		first := (classOf(s[0])<<classBits | classOf(s[1])) << classBits
		return []Range{{first, first | (1<<classBits - 1)}}
	}
	n := len(s) - 2
	var list []Range
	seen := map[Term]bool{}
	for i := range min(n, maxRanges) {
		at := i
		if n > maxRanges {
			at = i * (n - 1) / (maxRanges - 1)
		}
		t := (classOf(s[at])<<classBits|classOf(s[at+1]))<<classBits | classOf(s[at+2])
		if !seen[t] {
			seen[t] = true
			list = append(list, Range{t, t})
		}
	}
	return list
}

// Pair returns what a block must have to hold a row with the pair.
func Pair(key, value string) Range {
	t := pairTerm(key, value)
	return Range{t, t}
}
