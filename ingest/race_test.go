//go:build race

package ingest_test

// killLines is smaller under the race detector, which makes the store ten times
// slower and looks for something else.
const killLines = 10_000
