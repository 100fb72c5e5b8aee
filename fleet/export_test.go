package fleet

import (
	"os"
	"time"
)

// Cached reports whether the next read may be spared while the file looks
// unchanged.
func (f *StateFile) Cached() bool { return f.seen.file != nil }

// Settle sets how long a file must have been left alone for that.
func (f *StateFile) Settle(d time.Duration) { f.settle = d }

// Limit sets how large a file may be, in bytes.
func (f *StateFile) Limit(bytes int64) { f.limit = bytes }

// SameFile reports whether two looks at a file see the same content.
func SameFile(a, b os.FileInfo) bool { return sameFile(a, b) }
