package ftp

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// file is one that a visitor finds. Only the README can be read by everybody.
type file struct {
	size     int64
	changed  time.Time
	readable bool
	// uploaded says that it is the visitor's own.
	uploaded bool
}

// incoming is the directory that is there to be uploaded to.
const incoming = "/incoming"

// readmePath is the file that can be read.
const readmePath = "/pub/README"

func readme(host string) string {
	return "File exchange of " + host + "\r\n\r\nPut what you send us into incoming/ and tell us its name.\r\nFiles are removed after 30 days.\r\n"
}

// listing are the files that an anonymous visitor finds.
func listing(e trap.Env) map[string]file {
	r := e.Host.Rand("ftp files")
	names := []string{readmePath, "/pub/backup.tar.gz", "/pub/site.zip", "/pub/config.bak", "/pub/db_dump.sql"}
	booted := e.Host.Booted(e.Now())
	files := map[string]file{}
	for _, name := range names[:2+r.IntN(len(names)-1)] {
		f := file{size: 1000 + r.Int64N(5_000_000), changed: booted.Add(-time.Duration(r.Int64N(400*24)) * time.Hour)}
		if name == readmePath {
			f.readable, f.size = true, int64(len(readme(e.Host.Hostname)))
		}
		files[name] = f
	}
	return files
}

func (c *client) find(name string) (file, bool) {
	if f, there := c.uploaded[name]; there {
		return f, true
	}
	f, there := c.files[name]
	return f, there
}

// isDir reports whether there is such a directory.
func (c *client) isDir(name string) bool {
	if name == "/" || name == incoming {
		return true
	}
	within := func(file string) bool { return strings.HasPrefix(file, name+"/") }
	for file := range c.files {
		if within(file) {
			return true
		}
	}
	for file := range c.uploaded {
		if within(file) {
			return true
		}
	}
	return false
}

// entry is a line of a listing.
type entry struct {
	name string
	dir  bool
	file
}

// entries are what is in a directory, or the file of that name, in the order of
// their names.
func (c *client) entries(of string) []entry {
	if f, there := c.find(of); there {
		return []entry{{name: path.Base(of), file: f}}
	}
	found := map[string]entry{}
	add := func(name string, f file) {
		rest, within := strings.CutPrefix(name, strings.TrimSuffix(of, "/")+"/")
		if !within {
			return
		}
		first, _, deeper := strings.Cut(rest, "/")
		if e, there := found[first]; !there || e.changed.Before(f.changed) {
			found[first] = entry{name: first, dir: deeper, file: f}
		}
	}
	booted := c.conn.Host.Booted(c.conn.Now())
	add(incoming+"/.", file{changed: booted})
	delete(found, ".")
	for name, f := range c.files {
		add(name, f)
	}
	for name, f := range c.uploaded {
		add(name, f)
	}
	return slices.SortedFunc(maps.Values(found), func(a, b entry) int { return cmp.Compare(a.name, b.name) })
}

// line is what vsftpd shows of it.
func (e *entry) line(now time.Time) string {
	mode, links, owner, size := "-rw-------", 1, 0, e.size
	switch {
	case e.dir && e.name == path.Base(incoming):
		mode, links, size = "drwxrwxrwx", 2, 4096
	case e.dir:
		mode, links, size = "drwxr-xr-x", 2, 4096
	case e.readable:
		mode = "-rw-r--r--"
	case e.uploaded:
		owner = 14
	}
	const halfYear = 182 * 24 * time.Hour
	date := e.changed.UTC().Format("Jan 02  2006")
	if now.Sub(e.changed) < halfYear {
		date = e.changed.UTC().Format("Jan 02 15:04")
	}
	return fmt.Sprintf("%s %4d %-8d %-8d %8d %s %s\r\n", mode, links, owner, owner, size, date, e.name)
}
