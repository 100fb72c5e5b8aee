//go:build unix

package decoy

import (
	"errors"
	"syscall"
)

// isOutOfFiles reports whether the process or the system has no file
// descriptor left.
func isOutOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
