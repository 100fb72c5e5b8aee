package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// maxPast bounds the history of a session, in lines.
const maxPast = 500

// begin gives the next line its budget.
func (sh *Shell) begin(ctx context.Context) {
	sh.ctx = ctx
	sh.left = &budget{steps: maxSteps, output: maxOutput}
	sh.flow = flowNone
	sh.pid += 2
}

func (sh *Shell) record(line, mode string) {
	sh.peer.Record("command", trap.Field{Key: "username", Value: sh.user.name}, trap.Field{Key: "command", Value: line}, trap.Field{Key: "mode", Value: mode})
}

// Exec runs a command that the client sent with its login, and returns its exit
// status.
func (sh *Shell) Exec(ctx context.Context, line string, in io.Reader, out, errs io.Writer) int {
	sh.begin(ctx)
	sh.record(line, "exec")
	if sh.m.bash {
		sh.name = "bash"
	}
	sh.runLine(line, in, out, errs, nil)
	return sh.status
}

func (sh *Shell) runLine(line string, in io.Reader, out, errs io.Writer, hide func(bool)) {
	source, ok := in.(*bufio.Reader)
	if !ok {
		source = bufio.NewReaderSize(in, 4096)
	}
	sh.runSource(line, streams{
		in: &input{Reader: source, hide: hide, session: true}, out: limited{out, sh.left}, err: limited{errs, sh.left},
	})
}

// Interact shows a prompt, and runs what is typed until the client leaves. It
// returns the last exit status.
func (sh *Shell) Interact(ctx context.Context, t *Terminal) int {
	sh.interactive = !t.raw
	sh.name = "-" + path.Base(sh.user.shell)
	in := bufio.NewReaderSize(t, 512)
	var errs io.Writer = t
	if t.Errs != nil {
		errs = t.Errs
	}
	for ctx.Err() == nil {
		if !t.raw {
			if _, err := io.WriteString(t, sh.prompt()); err != nil {
				return sh.status
			}
		}
		line, err := sh.readCommand(t)
		if errors.Is(err, errInterrupted) {
			sh.status = 130
			continue
		}
		if strings.TrimSpace(line) == "" {
			if err != nil {
				break
			}
			continue
		}
		sh.begin(ctx)
		sh.record(line, "interactive")
		if *sh.past = append(*sh.past, line); len(*sh.past) > maxPast {
			*sh.past = (*sh.past)[1:]
		}
		t.past = *sh.past
		var source io.Reader = in
		if t.raw {
			source = t.r
		}
		sh.runLine(line, source, t, errs, t.Hide)
		t.hidden = false
		if sh.flow == flowExit || err != nil {
			break
		}
	}
	if sh.m.bash && !t.raw {
		_, _ = io.WriteString(t, "logout\n")
	}
	return sh.status
}

// readCommand reads a line, and further ones while it is not whole.
func (sh *Shell) readCommand(t *Terminal) (string, error) {
	var all string
	for {
		line, err := t.ReadLine()
		all += line
		if err != nil {
			return all, err
		}
		if len(all) > maxLine || !wantsMore(all) {
			return all, nil
		}
		all += "\n"
		if !t.raw {
			if _, err := io.WriteString(t, "> "); err != nil {
				return all, err
			}
		}
	}
}

// wantsMore reports whether a command goes on in the next line.
func wantsMore(s string) bool {
	if strings.HasSuffix(s, `\`) && !strings.HasSuffix(s, `\\`) {
		return true
	}
	p := &parser{src: s}
	if _, err := p.list(); errors.Is(err, errIncomplete) {
		return true
	}
	if i := strings.Index(s, "<<"); i >= 0 && !strings.HasPrefix(s[i:], "<<<") && len(p.heres) > 0 {
		return true
	}
	return waitsForHere(s)
}

// waitsForHere reports whether a here-document lacks its end.
func waitsForHere(s string) bool {
	first, rest, more := strings.Cut(s, "\n")
	i := strings.Index(first, "<<")
	if i < 0 || !more || strings.HasPrefix(first[i:], "<<<") {
		return false
	}
	end := strings.TrimLeft(first[i+2:], "- ")
	if j := strings.IndexAny(end, " ;|&>"); j >= 0 {
		end = end[:j]
	}
	end = strings.Trim(end, `'"\`)
	for line := range strings.SplitSeq(rest, "\n") {
		if strings.TrimLeft(line, "\t") == end {
			return false
		}
	}
	return end != ""
}

func (sh *Shell) prompt() string {
	where := sh.cwd
	if rest, ok := strings.CutPrefix(where, sh.user.home); ok && (rest == "" || rest[0] == '/') {
		where = "~" + rest
	}
	sign := "$"
	if sh.user.uid == 0 {
		sign = "#"
	}
	switch sh.m.id {
	case "buildroot":
		return sign + " "
	case "alpine":
		return sh.m.hostname + ":" + where + sign + " "
	case "rocky", "centos", "fedora", "arch":
		if where != "/" {
			where = path.Base(where)
		}
		host, _, _ := strings.Cut(sh.m.hostname, ".")
		return fmt.Sprintf("[%s@%s %s]%s ", sh.user.name, host, where, sign)
	}
	return fmt.Sprintf("%s@%s:%s%s ", sh.user.name, sh.m.hostname, where, sign)
}

// Motd is what is shown after a login on a terminal, with \n for line ends.
func (m *Machine) Motd() string {
	at := m.lastLogin().UTC().Format("Mon Jan _2 15:04:05 2006")
	last := "Last login: " + at + " from " + m.gateway() + "\n"
	kernel := "Linux " + m.hostname + " " + m.release + " " + m.build + " " + m.arch + "\n"
	switch m.id {
	case "debian", "kali":
		return kernel + "\nThe programs included with the " + strings.Join(strings.Fields(m.pretty)[:2], " ") + ` system are free software;
the exact distribution terms for each program are described in the
individual files in /usr/share/doc/*/copyright.

` + strings.Join(strings.Fields(m.pretty)[:2], " ") + ` comes with ABSOLUTELY NO WARRANTY, to the extent
permitted by applicable law.
` + last
	case "ubuntu":
		now := m.now().UTC()
		return fmt.Sprintf("Welcome to %s (GNU/Linux %s %s)\n\n * Documentation:  https://help.ubuntu.com\n * Management:     https://landscape.canonical.com\n * Support:        https://ubuntu.com/pro\n\n System information as of %s\n\n  System load:  %s\n  Usage of /:   %.1f%% of %.2fGB\n  Memory usage: %d%%\n\n",
			m.pretty, m.release, m.arch, now.Format("Mon Jan _2 03:04:05 PM MST 2006"), strings.Fields(m.load())[0], m.used*100, float64(m.disk)/(1<<20), int((0.1+m.used)*100)) + last
	case "alpine":
		return "Welcome to Alpine!\n\nThe Alpine Wiki contains a large amount of how-to guides and general\ninformation about administrating Alpine systems.\nSee <https://wiki.alpinelinux.org/>.\n\nYou can setup the system with the command: setup-alpine\n\nYou may change this message by editing /etc/motd.\n\n"
	case "buildroot":
		return fmt.Sprintf("\n\nBusyBox v%s (2021-03-09 09:10:27 CST) built-in shell (ash)\nEnter 'help' for a list of built-in commands.\n\n", m.busybox)
	}
	return last
}

// Info is a file of the invented system, as file transfers ask for it.
type Info struct {
	Name    string
	Size    int64
	Mode    uint32 // permissions
	Dir     bool
	Link    bool
	UID     int
	ModTime time.Time
}

func info(name string, n *node) Info {
	return Info{
		Name: name, Size: n.length(), Mode: n.mode & 0o7777, Dir: n.kind == kindDir, Link: n.kind == kindLink,
		UID: n.uid, ModTime: n.mod,
	}
}

// Abs makes a name absolute.
func (sh *Shell) Abs(name string) string { return sh.abs(name) }

// Home is where the session is.
func (sh *Shell) Home() string { return sh.cwd }

// Stat looks a file up, through links where follow is set.
func (sh *Shell) Stat(name string, follow bool) (Info, bool) {
	file := sh.abs(name)
	n := sh.fs.at(file)
	if n == nil || follow {
		file, n = sh.fs.resolve(file)
	}
	if n == nil {
		return Info{}, false
	}
	return info(path.Base(file), n), true
}

// List returns what is in a directory.
func (sh *Shell) List(name string) ([]Info, bool) {
	dir, n := sh.fs.resolve(sh.abs(name))
	if n == nil || n.kind != kindDir || !sh.readable(n) {
		return nil, false
	}
	var all []Info
	for _, name := range sh.fs.list(dir) {
		if n := sh.fs.at(path.Join(dir, name)); n != nil {
			all = append(all, info(name, n))
		}
	}
	return all, true
}

func (sh *Shell) readable(n *node) bool {
	return sh.user.uid == 0 || n.uid == sh.user.uid || n.mode&0o004 != 0
}

// ReadFile returns the content of a file.
func (sh *Shell) ReadFile(name string) (string, bool) {
	_, n := sh.fs.resolve(sh.abs(name))
	if n == nil || n.kind != kindFile || !sh.readable(n) {
		return "", false
	}
	if n.program {
		return sh.m.elf(), true
	}
	return n.content(), true
}

// File is one that the client sends. What is written goes to the quarantine,
// and, as far as there is room, into the invented file.
type File struct {
	w *fileWriter
}

// Create makes a file, or truncates it. It reports whether that is allowed.
func (sh *Shell) Create(name string) (*File, bool) {
	sh.left = &budget{steps: maxSteps, output: maxOutput}
	w, ok := sh.create(name, false, streams{err: io.Discard})
	if !ok {
		return nil, false
	}
	f, isFile := w.(*fileWriter)
	if !isFile {
		return nil, false
	}
	f.upload = sh.peer.Files.Begin()
	return &File{f}, true
}

// Write takes the next bytes.
func (f *File) Write(p []byte) (int, error) { return f.w.Write(p) }

// Close ends the file and records it.
func (f *File) Close() { f.w.close() }

// Mkdir makes a directory; it reports whether it could.
func (sh *Shell) Mkdir(name string) bool {
	file := sh.abs(name)
	if _, n := sh.fs.resolve(file); n != nil || !sh.mayWrite(file) {
		return false
	}
	sh.makeDirs(file)
	return true
}

// Remove takes a file away; it reports whether it could.
func (sh *Shell) Remove(name string) bool {
	file := sh.abs(name)
	if file == "/" || sh.fs.at(file) == nil || !sh.mayWrite(file) {
		return false
	}
	sh.fs.remove(file)
	return true
}

// Rename moves a file; it reports whether it could.
func (sh *Shell) Rename(from, to string) bool {
	from, to = sh.abs(from), sh.abs(to)
	n := sh.fs.at(from)
	if n == nil || n.kind == kindDir || !sh.mayWrite(from) || !sh.mayWrite(to) {
		return false
	}
	dup := *n
	if !sh.fs.put(to, &dup) {
		return false
	}
	size := len(dup.text)
	sh.fs.remove(from)
	sh.fs.written += size
	return true
}

// Chmod sets permissions; it reports whether it could.
func (sh *Shell) Chmod(name string, mode uint32) bool {
	file, n := sh.fs.resolve(sh.abs(name))
	if n == nil || sh.user.uid != 0 && n.uid != sh.user.uid {
		return false
	}
	if n = sh.fs.change(file); n == nil {
		return false
	}
	n.mode = mode & 0o7777
	return true
}

// Again logs the same user in once more, on the machine as this session left it.
// The two must not be used at once.
func (sh *Shell) Again() *Shell {
	next := sh.m.Start(sh.peer, sh.user.name)
	next.fs, next.told, next.cron = sh.fs, sh.told, sh.cron
	return next
}
