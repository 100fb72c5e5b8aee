//go:build !race

package ingest_test

// killLines is as many as twenty kills need, which come in the first half of them.
const killLines = 50_000
