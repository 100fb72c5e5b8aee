//go:build fuzz

package fuzz

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"decnet/testutil"
)

// The names of the flags; each has a variable of the environment beside it.
const (
	flagSeed     = "fuzz.seed"
	flagExamples = "fuzz.examples"
	flagReplay   = "fuzz.replay"
	flagURL      = "fuzz.url"
)

func TestMain(m *testing.M) {
	flag.String(flagSeed, os.Getenv("FUZZ_SEED"), "seed of all choices (FUZZ_SEED); a number, or \"random\"")
	flag.String(flagExamples, os.Getenv("FUZZ_EXAMPLES"), "random cases for each operation (FUZZ_EXAMPLES)")
	flag.String(flagReplay, os.Getenv("FUZZ_REPLAY"), "file of a failing case to play again (FUZZ_REPLAY)")
	flag.String(flagURL, os.Getenv("FUZZ_URL"), "service to aim at instead of worlds in memory (FUZZ_URL)")
	flag.Parse()
	testutil.Main(m)
}

// setting is the text of a flag.
func setting(name string) string {
	if f := flag.Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}

// defaultSeed is what CI uses, so that a red run is red again.
const defaultSeed = 20260417

func seed(t testing.TB) uint64 {
	t.Helper()
	switch text := setting(flagSeed); text {
	case "":
		return defaultSeed
	case "random":
		return rand.Uint64()
	default:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("-%s: %v", flagSeed, err)
		}
		return n
	}
}

// defaultExamples is short enough for CI.
const defaultExamples = 120

func examples(t testing.TB) int {
	t.Helper()
	text := setting(flagExamples)
	if text == "" {
		return defaultExamples
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("-%s: %q is no number", flagExamples, text)
	}
	return n
}

// replayCommand is the line that plays a kept failure again.
func replayCommand(file string) string {
	return fmt.Sprintf("go test -tags fuzz -run '^TestReplay$' ./fuzz -%s=%s", flagReplay, file)
}
