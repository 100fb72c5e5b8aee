package trap

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// Quarantine keeps what attackers upload, in files that are named by the SHA-256
// of their content and that nobody can execute. Its methods are safe for
// concurrent use.
type Quarantine struct {
	dir      string
	maxFile  int64
	maxTotal int64

	mu   sync.Mutex
	used int64
}

// OpenQuarantine keeps files under dir, which it makes if need be with mode
// 0700: at most maxFile bytes of each and maxTotal of all, counting what is
// there already. What is over a bound is still hashed, and told as not kept.
func OpenQuarantine(dir string, maxFile, maxTotal int64) (*Quarantine, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the quarantine: %w", err)
	}
	q := &Quarantine{dir: dir, maxFile: maxFile, maxTotal: maxTotal}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("the quarantine: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), uploadPrefix) {
			_ = os.Remove(filepath.Join(dir, e.Name())) // a crash left it, half written
			continue
		}
		if info, err := e.Info(); err == nil {
			q.used += info.Size()
		}
	}
	return q, nil
}

// uploadPrefix begins the names of files that are not whole yet.
const uploadPrefix = ".upload-"

// Upload is a file on its way into the quarantine. It is for one goroutine.
type Upload struct {
	q       *Quarantine
	sum     hash.Hash
	size    int64
	tmp     *os.File
	written int64
	err     error
}

// Begin takes up a file. The caller calls Done once, whatever happens.
func (q *Quarantine) Begin() *Upload {
	return &Upload{q: q, sum: sha256.New()}
}

// Write takes a part of the file. It fails never: what can't be kept is counted
// and hashed.
func (u *Upload) Write(p []byte) (int, error) {
	u.sum.Write(p)
	u.size += int64(len(p))
	if u.err == nil {
		u.err = u.store(p)
	}
	return len(p), nil
}

// errFull is why a file is not kept.
var errFull = errors.New("the quarantine takes no more")

func (u *Upload) store(p []byte) error {
	if u.size > u.q.maxFile || !u.q.reserve(int64(len(p))) {
		return errFull
	}
	u.written += int64(len(p))
	if u.tmp == nil {
		tmp, err := os.CreateTemp(u.q.dir, uploadPrefix+"*") // mode 0600
		if err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		u.tmp = tmp
	}
	if _, err := u.tmp.Write(p); err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	return nil
}

func (q *Quarantine) reserve(n int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.used+n > q.maxTotal {
		return false
	}
	q.used += n
	return true
}

func (q *Quarantine) giveBack(n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used -= n
}

// Stored says what became of a file.
type Stored struct {
	// SHA256 is in hexadecimal digits, Size in bytes; both are of the whole file.
	SHA256 string
	Size   int64
	// Kept says that the whole content lies in the quarantine.
	Kept bool
}

// Fields returns what an event says about the file.
func (s Stored) Fields() []Field {
	return []Field{
		{"sha256", s.SHA256},
		{"size", strconv.FormatInt(s.Size, 10)},
		{"kept", strconv.FormatBool(s.Kept)},
	}
}

// Done ends the file.
func (u *Upload) Done() Stored {
	s := Stored{SHA256: hex.EncodeToString(u.sum.Sum(nil)), Size: u.size}
	if u.tmp == nil {
		u.q.giveBack(u.written)
		return s
	}
	err := errors.Join(u.err, u.tmp.Close())
	if err == nil {
		err = os.Link(u.tmp.Name(), filepath.Join(u.q.dir, s.SHA256))
	}
	_ = os.Remove(u.tmp.Name())
	s.Kept = err == nil || errors.Is(err, fs.ErrExist)
	if err != nil {
		u.q.giveBack(u.written) // not kept, or there already
	}
	return s
}

// Save takes a file that is in memory.
func (q *Quarantine) Save(content []byte) Stored {
	u := q.Begin()
	_, _ = u.Write(content)
	return u.Done()
}

var _ io.Writer = (*Upload)(nil)
