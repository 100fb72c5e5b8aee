//go:build fuzz

package catchall_test

import (
	"testing"

	"decnet/decoy/catchall"
)

func FuzzGuess(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x2f\xffSMB"))
	f.Fuzz(func(_ *testing.T, b []byte) { catchall.Guess(b) })
}
