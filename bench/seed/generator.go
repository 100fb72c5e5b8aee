package seed

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// Version is of the lines that a seed gives: it changes whenever they do.
const Version = 1

// DefaultSpan is the time over which lines are spread: as much as the default
// histogram of the API shows.
const DefaultSpan = 30 * 24 * time.Hour

// Config chooses the lines.
type Config struct {
	// Seed chooses the attackers and all that they do.
	Seed uint64
	// End is the instant before which the time of all lines lies.
	End time.Time
	// Span is how long before End the first line is (DefaultSpan).
	Span time.Duration
}

// Generator gives lines in their order. It is for one goroutine.
type Generator struct {
	config Config
	words  *words
	rand   *rand.Rand
	source *rand.PCG

	row int64
	// begin is when the current block begins, in microseconds since 1970, and
	// length how long it is.
	begin, length int64
	made          bool
	text          []byte
	lines         []line
	present       []attacker
	stranger      attacker
	clock         clock
	current       visit
}

// line is one event of a block: its place in text, and its time in microseconds
// since the block's begin.
type line struct {
	at         int64
	begin, end int
}

// New returns a generator that is before its first line. A span that is
// negative is an error.
func New(c Config) (*Generator, error) {
	if c.Span == 0 {
		c.Span = DefaultSpan
	}
	if c.Span < 0 {
		return nil, errors.New("seed: the span is negative")
	}
	source := rand.NewPCG(0, 0)
	return &Generator{
		config: c, words: newWords(), source: source,
		rand:    rand.New(source), //nolint:gosec // it invents events; nothing is kept secret by it
		present: make([]attacker, presentAttackers),
	}, nil
}

// Row is the number of the line that Next returns next; the first is 0.
func (g *Generator) Row() int64 { return g.row }

// GoTo makes a line the next one. It takes the time of at most a thousand lines.
func (g *Generator) GoTo(row int64) {
	if row/blockRows != g.row/blockRows {
		g.made = false
	}
	g.row = row
}

// Next returns the next line, without its end. It is valid until the next call.
// There is no last line.
func (g *Generator) Next() []byte {
	if !g.made {
		g.makeBlock(g.row / blockRows)
		g.made = true
	}
	l := &g.lines[g.row%blockRows]
	g.row++
	g.made = g.row%blockRows != 0
	return g.text[l.begin:l.end]
}

// makeBlock makes the lines of a block, whatever was made before.
func (g *Generator) makeBlock(block int64) {
	g.source.Seed(mix(g.config.Seed), mix(uint64(block)+1))
	from, to := g.config.window(block)
	g.begin = g.config.End.Add(from - g.config.Span).UnixMicro()
	g.length = max((to - from).Microseconds(), 1)
	g.text, g.lines = g.text[:0], g.lines[:0]
	g.gather()
	for len(g.lines) < blockRows {
		g.session(blockRows - len(g.lines))
	}
	// Stable, because within a session two events may be of the same microsecond.
	slices.SortStableFunc(g.lines, func(a, b line) int { return cmp.Compare(a.at, b.at) })
}

// chance is true with a probability.
func (g *Generator) chance(p float64) bool { return g.rand.Float64() < p }

// mix spreads the bits of a number, one to one.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
