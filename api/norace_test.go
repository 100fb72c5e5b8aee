//go:build !race

package api_test

// underRace says that the race detector is built in, which allocates for itself.
const underRace = false
