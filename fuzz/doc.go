// Package fuzz holds the tests that search for faults instead of checking known
// ones: requests made from the contract, sequences of them, and fuzzers of the
// parsers. All but this file is behind the build tag fuzz, so that neither it nor
// the libraries that it needs are part of an ordinary build or test:
//
//	go test -tags fuzz ./fuzz/...
//
// It may import testutil and the package decnet; nothing imports it.
package fuzz
