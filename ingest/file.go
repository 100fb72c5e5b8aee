package ingest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"decnet/repo"
)

// fileID is the device and inode of a file; zero where the system has none.
type fileID struct{ dev, inode uint64 }

// The ways in which a file is not what it was.
var (
	errNotRegular = errors.New("not a regular file")
	// errReplaced says that the bytes before the offset are not those that were
	// read: the file was truncated and written anew.
	errReplaced = errors.New("the file was replaced in place")
)

// file is an open log file. A .gz is seen decompressed, and can only be read
// forwards.
type file struct {
	path string
	f    *os.File
	info os.FileInfo
	id   fileID
	gz   *gzip.Reader
	// at is the offset that gz has been read to.
	at int64
}

func isGzip(path string) bool { return strings.HasSuffix(path, ".gz") }

// openFile opens a regular file, or a link to one.
func openFile(path string) (*file, error) {
	// Looking first: opening a named pipe would block for ever.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, errNotRegular)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err != nil {
		_ = f.Close()
		return nil, err
	}
	c := &file{path: path, f: f, info: info, id: identify(info)}
	if isGzip(path) {
		if c.gz, err = gzip.NewReader(f); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return c, nil
}

func (c *file) close() { _ = c.f.Close() }

// size is the length of a plain file; of a .gz, what has been read of it.
func (c *file) size() (int64, error) {
	if c.gz != nil {
		return c.at, nil
	}
	info, err := c.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// readAt fills p from an offset; like io.ReaderAt it returns io.EOF with fewer
// bytes. In a .gz an offset before the last one begins again.
func (c *file) readAt(p []byte, offset int64) (int, error) {
	if c.gz == nil {
		return c.f.ReadAt(p, offset)
	}
	if offset < c.at {
		if err := c.rewind(); err != nil {
			return 0, err
		}
	}
	if skip := offset - c.at; skip > 0 {
		n, err := io.CopyN(io.Discard, c.gz, skip)
		if c.at += n; err != nil {
			return 0, c.gzipError(err)
		}
	}
	n, err := io.ReadFull(c.gz, p)
	c.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) && n > 0 && n < len(p) {
		// Either the end of the stream, which the next read tells, or a cut one.
		_, again := c.gz.Read(make([]byte, 1))
		err = again
	}
	return n, c.gzipError(err)
}

func (c *file) gzipError(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return fmt.Errorf("%s: %w", c.path, err)
}

func (c *file) rewind() error {
	if _, err := c.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	c.at = 0
	return c.gzipError(c.gz.Reset(c.f))
}

// readExactly returns n bytes from an offset, and false if there are fewer.
func (c *file) readExactly(offset, n int64) ([]byte, bool) {
	p := make([]byte, n)
	got, err := c.readAt(p, offset)
	return p, int64(got) == n && (err == nil || errors.Is(err, io.EOF))
}

// resume returns where to go on in a file that was read to a position: at its
// offset if the bytes at the beginning and before the offset are those of the
// position. A file that only lost its end, as after a power cut, goes on at its
// new end: reading it again would double every line.
func (c *file) resume(p *repo.Position) (offset int64, ok bool) {
	head, ok := c.readExactly(0, p.HeadLen)
	if !ok || !sumIs(p.HeadHash, head) {
		return 0, false
	}
	if c.id.inode != 0 && c.id == (fileID{p.Device, p.Inode}) {
		if size, err := c.size(); c.gz == nil && err == nil && size < p.Offset {
			return size, true
		}
		if p.Done && c.gz != nil {
			return p.Offset, true
		}
	}
	tail, ok := c.readExactly(p.Offset-p.TailLen, p.TailLen)
	return p.Offset, ok && sumIs(p.TailHash, tail)
}

func sumIs(want, data []byte) bool {
	got := sha256.Sum256(data)
	return bytes.Equal(want, got[:])
}

func sumOf(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}
