//go:build fuzz

package fuzz

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"decnet/contract"
	"decnet/repo"
	"decnet/testutil"
)

// FuzzSearch wants that a search is printed so that it is read back, and that
// whatever is searched for means something.
func FuzzSearch(f *testing.F) {
	for _, text := range []string{
		"", " ", "decky:decky-1 service:ssh", `"a b" 'c"d' e\ f`, `"open`, `a\`, "attacker-ip:192.0.2.1", "2001:db8::1", "::1",
		"port:443", "de-cky:x", "a.::b", ":", ":::", `''`, "k:\"v w\"", "\x00", "\xff", "a\u00a0'b", "event:", "%_\\\\", "'; DROP TABLE logs; --",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := repo.ParseSearch(text)
		if e == nil {
			return
		}
		again := repo.ParseSearch(e.String())
		require.True(t, reflect.DeepEqual(e, again), "%q is %#v, printed %q, read back %#v", text, e, e.String(), again)
		for i := range 8 {
			l := testutil.Event(i).Log
			require.Equal(t, e.Match(&l), again.Match(&l))
		}
		// What is in a row is found by it, if it is one plain word.
		if plain, ok := e.(repo.Contains); ok {
			require.True(t, e.Match(&repo.Log{RawLine: "before" + strings.ToUpper(plain.Text) + "after"}) || !isASCII(plain.Text), "%q", text)
			require.True(t, e.Match(&repo.Log{RawLine: "before" + plain.Text + "after"}), "%q", text)
		}
	})
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// FuzzTimeBound reads bounds of time.
func FuzzTimeBound(f *testing.F) {
	for _, text := range []string{
		"", "2026-04-17", "2026-04-17 12:00:00", "2026-04-17T12:00:00Z", "2026-04-17t12:00:00.5z", "2026-04-17T12:00:00 02:00",
		"2026-02-30", "0000-01-01", "9999-12-31T23:59:59.999999999-23:59", "2026-04-17T24:00:00Z", "2026-04-17T12:00:60Z", "null",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, last, ok := contract.ParseTimeBound(text)
		if !ok {
			require.True(t, first.IsZero() && last.IsZero())
			// Whatever our own answers hold is taken.
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
				_, _, ok := contract.ParseTimeBound(at.UTC().Format(time.RFC3339Nano))
				require.True(t, ok || at.UTC().Year() > 9999 || at.UTC().Year() < 0, "%q", text)
			}
			return
		}
		require.Equal(t, time.UTC, first.Location())
		require.Contains(t, []time.Duration{0, time.Second - 1, 24*time.Hour - 1}, last.Sub(first))
		if at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text)); err == nil {
			require.True(t, at.Equal(first), "%q: %v", text, first)
		}
		if first.Year() < 0 || first.Year() > 9999 {
			return // an offset led out of what can be written
		}
		again, _, ok := contract.ParseTimeBound(first.Format("2006-01-02T15:04:05.000000000Z07:00"))
		require.True(t, ok && again.Equal(first), "%q", text)
	})
}
