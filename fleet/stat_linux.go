package fleet

import (
	"os"
	"syscall"
)

// changeTime is when the file's content or metadata last changed. Unlike the
// time of modification no tool can set it back.
func changeTime(info os.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ctim.Nano()
	}
	return 0
}
