package ssh

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// scpTarget reads the arguments of scp as its own client gives them: -t is to
// receive, -f to send.
func scpTarget(args []string) (target string, upload, ok bool) {
	for _, a := range args {
		if strings.HasPrefix(a, "-") && a != "-" {
			upload = upload || strings.Contains(a, "t") && !strings.HasPrefix(a, "--")
			ok = ok || strings.ContainsAny(a, "tf") && !strings.HasPrefix(a, "--")
			continue
		}
		target = strings.Trim(a, `'"`)
	}
	return target, upload, ok && target != ""
}

// maxScpLine bounds a line of control.
const maxScpLine = 4096

// scpSink receives files.
func (s *session) scpSink(target string) int {
	r := bufio.NewReaderSize(s.ch, 4096)
	say := func(problem string) bool {
		answer := "\x00"
		if problem != "" {
			answer = "\x01scp: " + problem + "\n"
		}
		_, err := io.WriteString(s.ch, answer)
		return err == nil
	}
	dirs := []string{target}
	if !say("") {
		return 1
	}
	for {
		line, err := trap.ReadLine(r, maxScpLine)
		if err != nil {
			return 0
		}
		kind, size, name, ok := parseScp(string(line))
		switch {
		case !ok:
			say("protocol error: unexpected <newline>")
			return 1
		case kind == 'T':
			say("")
		case kind == 'E':
			if len(dirs) > 1 {
				dirs = dirs[:len(dirs)-1]
			}
			say("")
		case kind == 'D':
			at := s.scpName(dirs, name)
			if info, exists := s.sh.Stat(at, true); len(dirs) > 64 || exists && !info.Dir || !exists && !s.sh.Mkdir(at) {
				say(at + ": Permission denied")
				return 1
			}
			dirs = append(dirs, at)
			say("")
		default:
			if !s.scpFile(r, s.scpName(dirs, name), size, say) {
				return 1
			}
		}
	}
}

// scpName is where a file of that name goes.
func (s *session) scpName(dirs []string, name string) string {
	last := dirs[len(dirs)-1]
	if info, exists := s.sh.Stat(last, true); exists && info.Dir || len(dirs) > 1 {
		return path.Join(last, name)
	}
	return last
}

func (s *session) scpFile(r *bufio.Reader, name string, size int64, say func(string) bool) bool {
	f, ok := s.sh.Create(name)
	if !ok {
		return say(name + ": Permission denied")
	}
	if !say("") {
		f.Close()
		return false
	}
	_, err := io.CopyN(f, r, size)
	f.Close()
	if err != nil {
		return false
	}
	if _, err := r.ReadByte(); err != nil {
		return false
	}
	return say("")
}

// parseScp reads a line of control such as "C0644 12 name".
func parseScp(line string) (kind byte, size int64, name string, ok bool) {
	if line == "" {
		return 0, 0, "", false
	}
	switch line[0] {
	case 'T', 'E':
		return line[0], 0, "", true
	case 'C', 'D':
	default:
		return 0, 0, "", false
	}
	parts := strings.SplitN(line[1:], " ", 3)
	if len(parts) != 3 || parts[2] == "" || parts[2] == "." || parts[2] == ".." || strings.Contains(parts[2], "/") {
		return 0, 0, "", false
	}
	size, err := strconv.ParseInt(parts[1], 10, 64)
	return line[0], size, parts[2], err == nil && size >= 0
}

// scpSource sends one file.
func (s *session) scpSource(target string) int {
	r := bufio.NewReaderSize(s.ch, 512)
	if _, err := r.ReadByte(); err != nil {
		return 1
	}
	s.s.Record("file_read", trap.Field{Key: "filename", Value: s.sh.Abs(target)})
	text, ok := s.sh.ReadFile(target)
	if !ok {
		_, _ = fmt.Fprintf(s.ch, "\x01scp: %s: No such file or directory\n", target)
		return 1
	}
	_, _ = fmt.Fprintf(s.ch, "C0644 %d %s\n", len(text), path.Base(target))
	if _, err := r.ReadByte(); err != nil {
		return 1
	}
	_, _ = io.WriteString(s.ch, text+"\x00")
	_, _ = r.ReadByte()
	return 0
}
