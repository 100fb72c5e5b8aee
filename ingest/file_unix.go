//go:build unix

package ingest

import (
	"os"
	"syscall"
)

// identify returns what tells a file from others while it lives.
func identify(info os.FileInfo) fileID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{dev: uint64(st.Dev), inode: uint64(st.Ino)} //nolint:unconvert // Dev is an int32 on some systems.
	}
	return fileID{}
}
