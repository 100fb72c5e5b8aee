package repo_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// lower is how either case of a text is compared, byte by byte.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func TestContainsFold_EqualsStringsContains(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	const alphabet = "aAbBzZ0.\x00\xff\xe2\x84\xaa[@`{k"
	word := func(n int) string {
		var b strings.Builder
		for range r.IntN(n) {
			b.WriteByte(alphabet[r.IntN(len(alphabet))])
		}
		return b.String()
	}
	found := 0
	for range 200_000 {
		s, sub := word(12), word(4)
		want := strings.Contains(lower(s), lower(sub))
		if repo.ContainsFold(s, sub) != want {
			t.Fatalf("%q in %q: not %v", sub, s, want)
		}
		if want {
			found++
		}
	}
	require.Greater(t, found, 20_000)
	assert.False(t, repo.ContainsFold("\u212a", "k"), "the Kelvin sign is no k: only ASCII has cases")
}

func BenchmarkContainsFold(b *testing.B) {
	line := `{"timestamp":"2026-11-24T12:30:24.530830Z","decky":"decoy-web02","service":"ssh","event_type":"auth_attempt","attacker_ip":"89.126.233.163","fields":{"src_ip":"89.126.233.163","src_port":"24294","dst_port":"22","session":"cef43099b3976705","username":"quno","password":"tomcamax940321","status":"failed"}}`
	for _, sub := range []string{"root", "no-such-thing", "123456", "wget", "seen"} {
		b.Run(sub, func(b *testing.B) {
			for b.Loop() {
				repo.ContainsFold(line, sub)
			}
			b.SetBytes(int64(len(line)))
		})
	}
}
