//go:build !unix

package decoy

// isOutOfFiles is unknown here.
func isOutOfFiles(error) bool { return false }
