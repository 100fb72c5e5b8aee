//go:build !unix

package ingest

import "os"

// identify knows no inodes here: files are told apart by their content alone.
func identify(os.FileInfo) fileID { return fileID{} }
