package seed_test

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// told is what these tests read of a line, of either form.
type told struct {
	EventID    string  `json:"eventid"`
	SourceIP   string  `json:"src_ip"`
	AttackerIP string  `json:"attacker_ip"`
	Session    string  `json:"session"`
	Username   *string `json:"username"`
	Password   *string `json:"password"`
	Fields     struct {
		Username *string `json:"username"`
		Password *string `json:"password"`
	} `json:"fields"`
}

// laws are the numbers that the generator and a capture are compared by.
type laws struct {
	lines                                int
	top10, top100, median                float64
	attackersAt                          map[int]int
	perThousand, burst, burst3           float64
	attempts, fresh, popular, once       float64
	types                                map[string]float64
	perSession                           float64
	size, sizeMedian, sizeTop, sizeLeast float64
}

// sample is what is counted on the way.
type sample struct {
	laws
	attackers, window, pairs, types, sessions map[string]int
	windows                                   int
	sizes                                     []int
}

// measure reads lines and says what they are like.
func measure(t *testing.T, r io.Reader) laws {
	t.Helper()
	s := sample{
		laws:      laws{attackersAt: map[int]int{}, types: map[string]float64{}},
		attackers: map[string]int{}, window: map[string]int{}, pairs: map[string]int{}, types: map[string]int{}, sessions: map[string]int{},
	}
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line told
		if json.Unmarshal(scanner.Bytes(), &line) == nil { // one line of the capture is cut
			s.count(&line, len(scanner.Bytes()))
		}
	}
	require.NoError(t, scanner.Err())
	s.sum()
	return s.laws
}

func (s *sample) count(line *told, size int) {
	s.lines++
	ip := cmp.Or(line.AttackerIP, line.SourceIP)
	s.attackers[ip]++
	s.window[ip]++
	user, password := cmp.Or(line.Username, line.Fields.Username), cmp.Or(line.Password, line.Fields.Password)
	if user != nil && password != nil {
		s.pairs[*user+"\x00"+*password]++
	}
	if line.EventID != "" {
		s.types[strings.TrimPrefix(line.EventID, "cowrie.")]++
		s.sessions[line.Session]++
		s.sizes = append(s.sizes, size)
	}
	s.attackersAt[s.lines] = len(s.attackers)
	if s.lines%1000 == 0 {
		n := descending(s.window)
		s.perThousand += float64(len(n))
		s.burst += float64(n[0]) / 1000
		s.burst3 += float64(n[0]+n[1]+n[2]) / 1000
		s.windows++
		clear(s.window)
	}
}

func (s *sample) sum() {
	n := descending(s.attackers)
	s.top10, s.top100 = part(n, 10), part(n, 100)
	s.median = float64(n[len(n)/2])
	s.perThousand /= float64(s.windows)
	s.burst /= float64(s.windows)
	s.burst3 /= float64(s.windows)
	pairs := descending(s.pairs)
	attempts := total(pairs)
	s.attempts = attempts / float64(s.lines)
	s.fresh = float64(len(pairs)) / attempts
	s.popular = part(pairs, 10)
	s.once = float64(len(pairs)-slices.Index(pairs, 1)) / float64(len(pairs))
	for name, n := range s.types {
		s.laws.types[name] = float64(n) / float64(len(s.sizes))
	}
	s.perSession = float64(len(s.sizes)) / float64(len(s.sessions))
	slices.Sort(s.sizes)
	s.size = total(s.sizes) / float64(len(s.sizes))
	at := func(p int) float64 { return float64(s.sizes[len(s.sizes)*p/100]) }
	s.sizeLeast, s.sizeMedian, s.sizeTop = at(10), at(50), at(90)
}

func descending(counts map[string]int) []int {
	var n []int
	for _, c := range counts {
		n = append(n, c)
	}
	slices.SortFunc(n, func(a, b int) int { return b - a })
	return n
}

func total(n []int) (sum float64) {
	for _, c := range n {
		sum += float64(c)
	}
	return sum
}

// part is the share of the first k in all.
func part(n []int, k int) float64 { return total(n[:min(k, len(n))]) / total(n) }

// capture is what three months of a real Cowrie are like.
func capture(t *testing.T) laws {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "ingest", "testdata", "cowrie", "sweetie-2019-12_2020-02.jsonl.gz"))
	require.NoError(t, err)
	defer f.Close() //nolint:errcheck // it was only read
	unpacked, err := gzip.NewReader(f)
	require.NoError(t, err)
	return measure(t, unpacked)
}

// TestGenerator_HasTheLawsOfTheCapture holds as many lines as the capture has
// against it. The tolerances are what seeds differ by, and what is left of the
// fit's error.
func TestGenerator_HasTheLawsOfTheCapture(t *testing.T) {
	t.Parallel()
	want := capture(t)
	require.Equal(t, 105_453, want.lines)
	got := measure(t, generator(t, 1).Lines(int64(want.lines)))
	within := func(what string, want, got, part float64) {
		t.Helper()
		assert.InEpsilonf(t, want, got, part, "%s", what)
	}
	within("share of the top ten attackers", want.top10, got.top10, 0.25)
	within("share of the top hundred", want.top100, got.top100, 0.3)
	within("median of an attacker's events", want.median, got.median, 0.3)
	within("attackers among 10 000 events", float64(want.attackersAt[10_000]), float64(got.attackersAt[10_000]), 0.3)
	within("attackers among 50 000 events", float64(want.attackersAt[50_000]), float64(got.attackersAt[50_000]), 0.3)
	within("attackers among 100 000 events", float64(want.attackersAt[100_000]), float64(got.attackersAt[100_000]), 0.3)
	within("attackers in a thousand events", want.perThousand, got.perThousand, 0.2)
	within("share of the busiest attacker in a thousand events", want.burst, got.burst, 0.2)
	within("share of the three busiest", want.burst3, got.burst3, 0.2)
	within("attempts to log in per event", want.attempts, got.attempts, 0.2)
	within("different credentials per attempt", want.fresh, got.fresh, 0.15)
	within("share of the ten most frequent credentials", want.popular, got.popular, 0.25)
	within("share of credentials that are tried once", want.once, got.once, 0.15)
	within("events a session", want.perSession, got.perSession, 0.2)
	within("mean size of a line", want.size, got.size, 0.15)
	within("a tenth of the lines is smaller", want.sizeLeast, got.sizeLeast, 0.15)
	within("median size", want.sizeMedian, got.sizeMedian, 0.15)
	within("a tenth of the lines is larger", want.sizeTop, got.sizeTop, 0.15)
	for _, name := range []string{
		"session.connect", "session.closed", "login.failed", "client.version", "client.kex", "command.input",
		"session.params", "log.closed", "login.success", "command.failed", "session.file_download",
	} {
		assert.InDeltaf(t, want.types[name], got.types[name], 0.03, "share of %s", name)
		assert.Positivef(t, got.types[name], "%s", name)
	}
}
