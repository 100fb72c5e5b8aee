package shell

import (
	"io"
	"path"
	"strings"

	"decnet/decoy/trap"
)

// redirect opens what the redirections name. done closes them.
func (sh *Shell) redirect(all []redirection, s streams) (_ streams, done func(), ok bool) {
	var open []*fileWriter
	done = func() {
		for _, f := range open {
			f.close()
		}
	}
	for _, r := range all {
		switch r.op {
		case "<<", "<<-", "<<<":
			text := sh.expandText(r.word)
			if r.op == "<<<" {
				text += "\n"
			}
			s.in = textInput(text)
		case "<", "<>":
			name := sh.expandText(r.word)
			_, n := sh.fs.resolve(sh.abs(name))
			if n == nil || n.kind == kindDir {
				sh.cannot(s.err, name, n)
				return s, done, false
			}
			if n.kind != kindDevice {
				s.in = textInput(n.content())
			} else if name == "/dev/null" {
				s.in = textInput("")
			}
		case ">&", "<&":
			target := sh.expandText(r.word)
			switch {
			case target == "1" && r.fd == 2:
				s.err = s.out
			case target == "2":
				s.out = s.err
			case target == "-" && r.fd == 2:
				s.err = io.Discard
			case target == "-":
				s.out = io.Discard
			}
		default:
			w, ok := sh.create(sh.expandText(r.word), strings.HasSuffix(r.op, ">>"), s)
			if !ok {
				return s, done, false
			}
			if f, isFile := w.(*fileWriter); isFile {
				open = append(open, f)
			}
			if r.fd != 2 {
				s.out = w
			}
			if r.fd == 2 || r.op[0] == '&' {
				s.err = w
			}
		}
	}
	return s, done, true
}

func (sh *Shell) cannot(w io.Writer, name string, n *node) {
	switch {
	case n != nil && n.kind == kindDir:
		sh.complain(w, "%s: Is a directory", name)
	case n != nil:
		sh.complain(w, "%s: Permission denied", name)
	case sh.m.bash:
		sh.complain(w, "%s: No such file or directory", name)
	default:
		sh.complain(w, "can't open %s: no such file", name)
	}
}

// create opens a file for writing.
func (sh *Shell) create(name string, more bool, s streams) (io.Writer, bool) {
	file, n := sh.fs.resolve(sh.abs(name))
	if n != nil && n.kind == kindDevice {
		return io.Discard, true
	}
	if n != nil && n.kind == kindDir {
		sh.cannot(s.err, name, n)
		return nil, false
	}
	if n == nil {
		if _, dir := sh.fs.resolve(path.Dir(file)); dir == nil || dir.kind != kindDir {
			if sh.m.bash {
				sh.complain(s.err, "%s: No such file or directory", name)
			} else {
				sh.complain(s.err, "can't create %s: nonexistent directory", name)
			}
			return nil, false
		}
	}
	if !sh.mayWrite(file) {
		if sh.m.bash {
			sh.complain(s.err, "%s: Permission denied", name)
		} else {
			sh.complain(s.err, "can't create %s: Permission denied", name)
		}
		return nil, false
	}
	n = sh.makeFile(file, more)
	if n == nil {
		sh.complain(s.err, "%s: No space left on device", name)
		return nil, false
	}
	return &fileWriter{sh: sh, file: file, n: n, in: s.in}, true
}

// mayWrite is as the modes of the machine's directories have it.
func (sh *Shell) mayWrite(file string) bool {
	if strings.HasPrefix(file, "/proc/") || strings.HasPrefix(file, "/sys/") {
		return false
	}
	if sh.user.uid == 0 {
		return true
	}
	if n := sh.fs.at(file); n != nil {
		return n.uid == sh.user.uid || n.mode&0o002 != 0
	}
	dir := sh.fs.at(path.Dir(file))
	return dir != nil && (dir.uid == sh.user.uid || dir.mode&0o002 != 0)
}

// makeFile returns a file of the session, empty unless more is to be appended; nil
// where the session may have no further.
func (sh *Shell) makeFile(file string, more bool) *node {
	old := sh.fs.at(file)
	n := &node{kind: kindFile, mode: 0o644, uid: sh.user.uid, size: -1}
	if old != nil {
		n.mode, n.uid = old.mode, old.uid
	}
	text := ""
	if old != nil && more {
		text, n.size = old.content(), old.size
	}
	if own := sh.fs.own[file]; own != nil {
		sh.fs.written -= len(own.text)
	}
	n.mod, n.brought = sh.m.now(), true
	if !sh.fs.put(file, n) {
		return nil
	}
	sh.fs.write(n, text)
	return n
}

// fileWriter writes into a file of the session. What comes from the client's
// own input goes to the quarantine at once, however much it is.
type fileWriter struct {
	sh     *Shell
	file   string
	n      *node
	in     *input
	upload *trap.Upload
}

func (f *fileWriter) Write(p []byte) (int, error) {
	if f.upload == nil && f.in != nil && f.in.session && f.in.used {
		f.upload = f.sh.peer.Files.Begin()
	}
	if f.upload != nil {
		_, _ = f.upload.Write(p)
	} else if f.sh.left.output -= len(p); f.sh.left.output < -maxOutput {
		f.sh.left.dead = true // an endless loop into a file
		return 0, errSpent
	}
	f.sh.fs.write(f.n, string(p))
	return len(p), nil
}

func (f *fileWriter) close() {
	if f.upload == nil {
		return
	}
	f.sh.uploaded(f.file, f.upload.Done())
}

// uploaded records a file, once.
func (sh *Shell) uploaded(file string, s trap.Stored) {
	key := file + "\x00" + s.SHA256
	if s.Size == 0 || sh.told[key] || len(sh.told) >= maxNodes {
		return
	}
	sh.told[key] = true
	sh.peer.Record("file_upload", append([]trap.Field{{Key: "filename", Value: file}}, s.Fields()...)...)
}

// bring keeps a file that the attacker made and now uses.
func (sh *Shell) bring(file string, n *node) {
	if n.brought && n.size < 0 && n.text != "" {
		sh.uploaded(file, sh.peer.Files.Save([]byte(n.text)))
	}
}
