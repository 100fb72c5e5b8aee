//go:build fuzz

package mailbox

import (
	"strings"
	"testing"
)

// FuzzWords: no command makes the reader panic or find more than it holds.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{`a LOGIN "x\"y" z`, `a LOGIN "`, `"\`, `a  b`, ``} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if all := strings.Join(words(line), ""); len(all) > len(line) {
			t.Fatalf("%q from %q", all, line)
		}
		_, _, _ = plain(line)
	})
}
