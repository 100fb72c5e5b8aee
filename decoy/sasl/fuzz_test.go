//go:build fuzz

package sasl_test

import (
	"testing"

	"decnet/decoy/sasl"
)

// FuzzAnswers: no answer makes the readers panic or find more than it holds.
func FuzzAnswers(f *testing.F) {
	f.Add("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw")
	f.Add("mrose c4c9334bac560ecc979e58001b3e22fb")
	f.Fuzz(func(t *testing.T, answer string) {
		for _, read := range []func(a, b string) (int, bool){
			func(a, b string) (int, bool) { got, ok := sasl.AnswerCRAM(a, b); return len(got), ok },
			func(a, b string) (int, bool) { got, ok := sasl.AnswerAPOP(a, b); return len(got), ok },
		} {
			if n, ok := read("<x@y>", answer); ok != (n == 3) {
				t.Fatal(n, ok)
			}
		}
	})
}
