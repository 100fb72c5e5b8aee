//go:build fuzz

package fuzz

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
)

// captured are the lines that package ingest is tested with, real captures
// among them: the corpus of the targets that read lines. A line longer than most
// tells a fuzzer nothing that a short one does not.
func captured(t testing.TB) [][]byte {
	t.Helper()
	archives, err := filepath.Glob("../ingest/testdata/*/*.txtar")
	require.NoError(t, err)
	examples, err := filepath.Glob("../examples/*/*.json*")
	require.NoError(t, err)
	var lines [][]byte
	add := func(text []byte) {
		for line := range bytes.Lines(text) {
			if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 && len(line) <= 4096 {
				lines = append(lines, line)
			}
		}
	}
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		require.NoError(t, err)
		for _, f := range archive.Files {
			if strings.HasPrefix(f.Name, "lines") {
				add(f.Data)
			}
		}
	}
	for _, path := range examples {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		add(text[:min(len(text), 64<<10)])
	}
	require.NotEmpty(t, lines)
	return lines
}

// shippedMappings are the mappings that ship.
func shippedMappings(t testing.TB) [][]byte {
	t.Helper()
	paths, err := filepath.Glob("../ingest/mappings/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	texts := make([][]byte, len(paths))
	for i, path := range paths {
		texts[i], err = os.ReadFile(path)
		require.NoError(t, err)
	}
	return texts
}
