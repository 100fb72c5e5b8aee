//go:build !race

package ingest_test

const killLines = 100_000
