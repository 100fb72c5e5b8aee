package seed_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"decnet/bench/seed"
)

func BenchmarkGenerator(b *testing.B) {
	g, err := seed.New(seed.Config{Seed: 1, End: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)})
	require.NoError(b, err)
	var bytes int64
	b.ReportAllocs()
	for b.Loop() {
		bytes += int64(len(g.Next()))
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "bytes/line")
}
