package ingest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"decnet/ingest"
)

// benchmarkParse reports lines per second of one parser on one core.
func benchmarkParse(b *testing.B, format, path string) {
	b.Helper()
	data, err := os.ReadFile(path)
	require.NoError(b, err)
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	for _, f := range ingest.Formats() {
		if f.Name != format {
			continue
		}
		b.SetBytes(int64(len(data) / len(lines)))
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			if _, err := f.Parse(lines[n%len(lines)]); err != nil {
				b.Fatal(err)
			}
			n++
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "lines/s")
	}
}

func BenchmarkParse_Cowrie(b *testing.B) {
	benchmarkParse(b, "cowrie", filepath.Join(captureDir, "tpot-2025-10-24.jsonl"))
}

func BenchmarkParse_Decnet(b *testing.B) {
	benchmarkParse(b, "decnet", "testdata/decnet/examples.collector.jsonl")
}

// BenchmarkIngest_Cowrie reads a file of 20 000 lines through everything but
// an engine.
func BenchmarkIngest_Cowrie(b *testing.B) {
	path := filepath.Join(b.TempDir(), "cowrie.json")
	require.NoError(b, os.WriteFile(path, capture(1, 20_000), 0o600))
	lines := int64(0)
	for b.Loop() {
		in, err := ingest.New(ingest.Options{Sink: newMemSink(), Sources: []ingest.Source{{Path: path}}})
		require.NoError(b, err)
		require.NoError(b, in.Run(b.Context()))
		lines += in.Status().Lines
	}
	b.ReportMetric(float64(lines)/b.Elapsed().Seconds(), "lines/s")
}
