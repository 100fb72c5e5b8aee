package shell

import (
	"fmt"
	"path"
	"strings"
	"time"
)

func modeText(n *node) string {
	b := []byte("-rwxrwxrwx")
	b[0] = "-dlc"[n.kind]
	for i := range 9 {
		if n.mode&(1<<(8-i)) == 0 {
			b[i+1] = '-'
		}
	}
	if n.mode&0o1000 != 0 {
		b[9] = 't'
	}
	return string(b)
}

func ls(c *call) int {
	flags, names := options(c.args)
	if len(names) == 0 {
		names = []string{"."}
	}
	good := true
	for i, name := range names {
		file, n := c.fs.resolve(c.abs(name))
		if n == nil {
			if c.m.embedded {
				c.fail("%s: No such file or directory", name)
			} else {
				_, _ = fmt.Fprintf(c.err, "ls: cannot access '%s': No such file or directory\n", name)
			}
			good = false
			continue
		}
		if n.kind != kindDir || strings.Contains(flags, "d") {
			c.entries(flags, file, []string{name}, false)
			continue
		}
		if c.user.uid != 0 && n.uid != c.user.uid && n.mode&0o004 == 0 {
			_, _ = fmt.Fprintf(c.err, "ls: cannot open directory '%s': Permission denied\n", name)
			good = false
			continue
		}
		if len(names) > 1 {
			c.printf("%s%s:\n", map[bool]string{true: "\n", false: ""}[i > 0], name)
		}
		c.entries(flags, file, c.visible(flags, file), true)
	}
	if !good {
		return map[bool]int{true: 1, false: 2}[c.m.embedded]
	}
	return 0
}

func (c *call) visible(flags, dir string) []string {
	var names []string
	c.pay(4 << 10) // looking through all files
	if strings.Contains(flags, "a") {
		names = []string{".", ".."}
	}
	for _, name := range c.fs.list(dir) {
		if name[0] != '.' || strings.ContainsAny(flags, "aA") {
			names = append(names, name)
		}
	}
	return names
}

// entries writes names as ls does.
func (c *call) entries(flags, dir string, names []string, inDir bool) {
	if !strings.Contains(flags, "l") {
		sep := "\n"
		if c.interactive && !strings.Contains(flags, "1") {
			sep = "  "
		}
		if len(names) > 0 {
			c.printf("%s\n", strings.Join(names, sep))
		}
		return
	}
	if inDir {
		c.printf("total %d\n", 4*len(names))
	}
	for _, name := range names {
		file := c.abs(name)
		if inDir {
			file = path.Join(dir, name)
		}
		n := c.fs.at(file)
		if n == nil {
			if _, n = c.fs.resolve(file); n == nil {
				continue
			}
		}
		owner := c.m.owner(n.uid)
		label := name
		if n.kind == kindLink {
			label += " -> " + n.text
		}
		stamp := n.mod.Format("Jan _2 15:04")
		if c.m.now().Sub(n.mod) > 180*24*time.Hour {
			stamp = n.mod.Format("Jan _2  2006")
		}
		links := 1
		if n.kind == kindDir {
			links = 2
		}
		c.printf("%s %2d %-8s %-8s %8d %s %s\n", modeText(n), links, owner, owner, n.length(), stamp, label)
	}
}

func (m *Machine) owner(uid int) string {
	switch uid {
	case 0:
		return "root"
	case 1000:
		return m.user
	}
	return "admin"
}

// find writes the names under a directory.
func find(c *call) int {
	root, pattern := ".", ""
	for i, a := range c.args {
		switch {
		case i == 0 && a[:min(1, len(a))] != "-":
			root = a
		case (a == "-name" || a == "-iname") && i+1 < len(c.args):
			pattern = c.args[i+1]
		}
	}
	top, n := c.fs.resolve(c.abs(root))
	if n == nil {
		return c.fail("‘%s’: No such file or directory", root)
	}
	var walk func(label, file string, depth int)
	walk = func(label, file string, depth int) {
		if !c.step() || depth > maxDepth {
			return
		}
		if pattern == "" || match(pattern, path.Base(file)) {
			c.printf("%s\n", label)
		}
		if n := c.fs.at(file); n == nil || n.kind != kindDir {
			return
		}
		for _, name := range c.fs.list(file) {
			walk(strings.TrimSuffix(label, "/")+"/"+name, path.Join(file, name), depth+1)
		}
	}
	walk(root, top, 0)
	return 0
}
