package ingest

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkSniff recognises lines one by one, as those of pushes and of syslog
// are: of an early format, of one in the middle and of one of the last.
func BenchmarkSniff(b *testing.B) {
	formats := Formats()
	for name, path := range map[string]string{
		"cowrie": "../examples/cowrie/tpot-2025-10-24.jsonl", "suricata": "testdata/suricata/sweetie-2020-02-22.eve.jsonl",
		"tanner": "testdata/tanner/sweetie-2020-01.jsonl",
	} {
		b.Run(name, func(b *testing.B) {
			data, err := os.ReadFile(path)
			require.NoError(b, err)
			lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
			for i := 0; b.Loop(); i++ {
				if f, ok := sniff(formats, lines[i%len(lines)]); !ok || f.Name != name {
					b.Fatal(f.Name)
				}
			}
		})
	}
}

func BenchmarkFormats(b *testing.B) {
	for b.Loop() {
		Formats()
	}
}
