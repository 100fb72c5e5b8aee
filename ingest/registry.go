package ingest

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync"

	"decnet/repo"
)

// registry knows how far every file was read, and which source reads it now. A
// file is known by its content, so it is read once whatever its names are.
type registry struct {
	mu        sync.Mutex
	positions map[string]repo.Position
	readers   map[fileID]int
	last      int64
}

func newRegistry() *registry {
	return &registry{positions: map[string]repo.Position{}, readers: map[fileID]int{}}
}

func (r *registry) load(positions []repo.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range positions {
		r.positions[p.Source] = p
		r.last = max(r.last, keyNumber(p.Source))
	}
}

// newKey names a file that was never read. Keys ascend, so that a crash before
// the first commit leaves no trace.
func (r *registry) newKey() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	return "file-" + strconv.FormatInt(r.last, 10)
}

func keyNumber(key string) int64 {
	n, err := strconv.ParseInt(key[min(len("file-"), len(key)):], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// claim makes a source the only reader of a file.
func (r *registry) claim(id fileID, source int) bool {
	if id.inode == 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	owner, taken := r.readers[id]
	if taken && owner != source {
		return false
	}
	r.readers[id] = source
	return true
}

func (r *registry) release(id fileID, source int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.readers[id] == source {
		delete(r.readers, id)
	}
}

// update notes how far a file was read; the rows up to there are on their way.
func (r *registry) update(p repo.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.positions[p.Source] = p
}

// all returns the positions, the one that was read last first.
func (r *registry) all() []repo.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.positions), func(a, b repo.Position) int {
		return cmp.Or(b.UpdatedAt.Compare(a.UpdatedAt), cmp.Compare(keyNumber(b.Source), keyNumber(a.Source)))
	})
}

// find returns the position of a file that was read before, whatever its name
// was, and where to go on. Of several the file's own inode wins, then the one
// that was read furthest.
func (r *registry) find(c *file) (pos repo.Position, offset int64, ok bool) {
	all := r.all()
	slices.SortStableFunc(all, func(a, b repo.Position) int {
		aIs, bIs := c.id == fileID{a.Device, a.Inode}, c.id == fileID{b.Device, b.Inode}
		if aIs != bIs {
			if aIs {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Offset, a.Offset)
	})
	heads := newHeads(c)
	for i := range all {
		p := &all[i]
		if p.HeadLen == 0 || !heads.match(p) {
			continue
		}
		if offset, ok := c.resume(p); ok {
			return *p, offset, true
		}
	}
	return repo.Position{}, 0, false
}

// heads compares the beginning of one file with many positions, reading it once.
type heads struct {
	data []byte
	sums map[int64][]byte
}

func newHeads(c *file) *heads {
	data := make([]byte, edge)
	// An error shows as a short head, and again when the file is read.
	n, _ := c.readAt(data, 0)
	return &heads{data: data[:n], sums: map[int64][]byte{}}
}

func (h *heads) match(p *repo.Position) bool {
	if p.HeadLen > int64(len(h.data)) {
		return false
	}
	sum, ok := h.sums[p.HeadLen]
	if !ok {
		sum = sumOf(h.data[:p.HeadLen])
		h.sums[p.HeadLen] = sum
	}
	return bytes.Equal(sum, p.HeadHash)
}
