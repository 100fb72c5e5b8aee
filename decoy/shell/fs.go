package shell

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Bounds of what one session may add to the invented file system.
const (
	maxNodes   = 512
	maxWritten = 64 << 10
	maxLinks   = 8
)

// Kinds of a node.
const (
	kindFile = iota
	kindDir
	kindLink
	kindDevice
)

// node is a file. Those of the machine are shared by its sessions and never
// changed; a session changes copies of its own.
type node struct {
	kind int
	mode uint32
	uid  int
	mod  time.Time
	// text is the content, or the target of a link. made, where it is set, gives
	// the content when it is read.
	text string
	made func() string
	// size is that of a file whose content is not kept; otherwise -1.
	size int64
	// program says that the file is one that the shell imitates.
	program bool
	// brought says that the attacker made it.
	brought bool
}

func (n *node) content() string {
	if n.made != nil {
		return n.made()
	}
	return n.text
}

func (n *node) length() int64 {
	switch {
	case n.kind == kindDir:
		return 4096
	case n.size >= 0:
		return n.size
	case n.made != nil:
		return 0 // as in /proc
	}
	return int64(len(n.text))
}

// fileSystem is the machine's files with the changes of one session.
type fileSystem struct {
	base map[string]*node
	// own are changes; nil is a file that is gone.
	own     map[string]*node
	written int
}

func newFileSystem(base map[string]*node) *fileSystem {
	return &fileSystem{base: base, own: map[string]*node{}}
}

func (f *fileSystem) at(name string) *node {
	if n, ok := f.own[name]; ok {
		return n
	}
	return f.base[name]
}

// resolve follows links, also those of directories on the way. It returns the
// name behind them, and nil where there is nothing.
func (f *fileSystem) resolve(name string) (string, *node) {
	links := 0
	done := "/"
	rest := strings.Split(strings.Trim(name, "/"), "/")
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		if part == "" || part == "." {
			continue
		}
		next := path.Join(done, part)
		n := f.at(next)
		if n == nil {
			return path.Join(append([]string{next}, rest...)...), nil
		}
		if n.kind == kindLink {
			if links++; links > maxLinks {
				return next, nil
			}
			target := n.text
			if !path.IsAbs(target) {
				target = path.Join(done, target)
			}
			rest = append(strings.Split(strings.Trim(target, "/"), "/"), rest...)
			done = "/"
			continue
		}
		done = next
	}
	return done, f.at(done)
}

// list returns the names in a directory, sorted.
func (f *fileSystem) list(dir string) []string {
	found := map[string]bool{}
	prefix := strings.TrimSuffix(dir, "/") + "/"
	add := func(name string) {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" && !strings.Contains(rest, "/") && f.at(name) != nil {
			found[rest] = true
		}
	}
	for name := range f.base {
		add(name)
	}
	for name := range f.own {
		add(name)
	}
	return slices.Sorted(maps.Keys(found))
}

// put sets a file, as far as the session may.
func (f *fileSystem) put(name string, n *node) bool {
	if _, ok := f.own[name]; !ok && len(f.own) >= maxNodes {
		return false
	}
	f.own[name] = n
	return true
}

// change returns a copy of the file that may be changed.
func (f *fileSystem) change(name string) *node {
	n := f.at(name)
	if n == nil {
		return nil
	}
	c := *n
	if !f.put(name, &c) {
		return nil
	}
	return &c
}

// remove takes away a file and what is under it.
func (f *fileSystem) remove(name string) {
	gone := func(n string) bool { return n == name || strings.HasPrefix(n, name+"/") }
	for n := range f.own {
		if gone(n) {
			f.forget(n)
		}
	}
	for n := range f.base {
		if gone(n) {
			f.put(n, nil)
		}
	}
}

func (f *fileSystem) forget(name string) {
	if n := f.own[name]; n != nil {
		f.written -= len(n.text)
	}
	if f.base[name] != nil {
		f.own[name] = nil
		return
	}
	delete(f.own, name)
}

// write appends to a file that the session made, as long as it may; what is
// over is only counted.
func (f *fileSystem) write(n *node, p string) {
	if n.size < 0 && f.written+len(p) <= maxWritten {
		n.text += p
		f.written += len(p)
		return
	}
	n.size = n.length() + int64(len(p))
}
