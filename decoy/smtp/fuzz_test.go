//go:build fuzz

package smtp

import (
	"strings"
	"testing"
)

// FuzzAddress: no argument makes the reader panic or find what isn't there.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"FROM:<a@b>", "from: <>", "FROM:<a", "FROM:", "FROM:a@b SIZE=1", "TO:<x>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := address(text, "FROM:"); ok && !strings.Contains(text, got) {
			t.Fatalf("%q from %q", got, text)
		}
		_, _ = decode(text)
	})
}
