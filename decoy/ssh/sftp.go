package ssh

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"

	"decnet/decoy/octets"
	"decnet/decoy/shell"
	"decnet/decoy/trap"
)

// Bounds of the file transfer.
const (
	maxPacket  = 64 << 10
	maxHandles = 32
	maxNames   = 64
)

// Codes of draft-ietf-secsh-filexfer-02, the version that OpenSSH speaks.
const (
	fxpInit, fxpVersion                                                         = 1, 2
	fxpOpen, fxpClose, fxpRead, fxpWrite, fxpLstat, fxpFstat, fxpSetstat        = 3, 4, 5, 6, 7, 8, 9
	fxpFsetstat, fxpOpendir, fxpReaddir, fxpRemove, fxpMkdir, fxpRmdir          = 10, 11, 12, 13, 14, 15
	fxpRealpath, fxpStat, fxpRename, fxpExtended                                = 16, 17, 18, 200
	fxpStatus, fxpHandle, fxpData, fxpName, fxpAttrs                            = 101, 102, 103, 104, 105
	fxOK, fxEOF, fxNoSuchFile, fxDenied, fxFailure, fxBadMessage, fxUnsupported = 0, 1, 2, 3, 4, 5, 8
)

// handle is an open file or directory.
type handle struct {
	name  string
	file  *shell.File
	at    uint64
	text  string
	list  []shell.Info
	isDir bool
}

type transfer struct {
	*session
	handles map[string]*handle
	next    int
}

// sftp serves the subsystem: one request after the other.
func (s *session) sftp() int {
	in := bufio.NewReaderSize(s.ch, 4096)
	t := &transfer{session: s, handles: map[string]*handle{}}
	defer func() {
		for _, h := range t.handles {
			if h.file != nil {
				h.file.Close() // the client left in the middle
			}
		}
	}()
	buf := make([]byte, maxPacket)
	for {
		if _, err := io.ReadFull(in, buf[:4]); err != nil {
			return 0
		}
		n := binary.BigEndian.Uint32(buf)
		if n < 1 || n > maxPacket {
			return 11 // as sftp-server does with a bad message
		}
		if _, err := io.ReadFull(in, buf[:n]); err != nil {
			return 0
		}
		answer, err := t.answer(&message{octets.Cursor{Rest: buf[1:n]}}, buf[0])
		if err != nil {
			return 11
		}
		framed := binary.BigEndian.AppendUint32(nil, uint32(len(answer)))
		if _, err := s.ch.Write(append(framed, answer...)); err != nil {
			return 1
		}
	}
}

// message is a packet that is read from its begin.
type message struct{ octets.Cursor }

func (m *message) u32() uint32 { return m.Uint32(binary.BigEndian) }

func (m *message) u64() uint64 { return m.Uint64(binary.BigEndian) }

func (m *message) text() string { return string(m.Take(int(m.u32()))) }

// permissions reads attributes, of which only these matter.
func (m *message) permissions() (mode uint32, ok bool) {
	flags := m.u32()
	if flags&1 != 0 {
		m.u64()
	}
	if flags&2 != 0 {
		m.u64()
	}
	if flags&4 != 0 {
		return m.u32(), !m.Bad
	}
	return 0, false
}

var errMessage = errors.New("bad message")

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

func reply(kind byte, id uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, id)
}

func statusReply(id, code uint32) []byte {
	text := "Failure"
	switch code {
	case fxOK:
		text = "Success"
	case fxEOF:
		text = "End of file"
	case fxNoSuchFile:
		text = "No such file"
	case fxDenied:
		text = "Permission denied"
	case fxBadMessage:
		text = "Bad message"
	case fxUnsupported:
		text = "Operation unsupported"
	}
	b := binary.BigEndian.AppendUint32(reply(fxpStatus, id), code)
	return appendText(appendText(b, text), "")
}

func (t *transfer) answer(m *message, kind byte) ([]byte, error) {
	if kind == fxpInit {
		b := binary.BigEndian.AppendUint32([]byte{fxpVersion}, 3)
		for _, name := range [...]string{"posix-rename@openssh.com", "fsync@openssh.com", "lsetstat@openssh.com"} {
			b = appendText(appendText(b, name), "1")
		}
		return b, nil
	}
	id := m.u32()
	if m.Bad {
		return nil, errMessage
	}
	var b []byte
	switch kind {
	case fxpOpen, fxpOpendir:
		b = t.open(m, id, kind)
	case fxpClose, fxpRead, fxpWrite, fxpFstat, fxpFsetstat, fxpReaddir:
		b = t.onHandle(m, id, kind)
	default:
		b = t.onPath(m, id, kind)
	}
	if m.Bad {
		return nil, errMessage
	}
	return b, nil
}

func (t *transfer) note(op, name string) {
	t.s.Record("sftp_request", trap.Field{Key: "op", Value: op}, trap.Field{Key: "path", Value: name})
}

func (t *transfer) open(m *message, id uint32, kind byte) []byte {
	name := t.sh.Abs(m.text())
	h := &handle{name: name, isDir: kind == fxpOpendir}
	var ok bool
	var flags uint32
	if !h.isDir {
		flags = m.u32()
	}
	if m.Bad {
		return nil
	}
	info, exists := t.sh.Stat(name, true)
	switch {
	case len(t.handles) >= maxHandles:
		return statusReply(id, fxFailure)
	case h.isDir:
		t.note("opendir", name)
		h.list, ok = t.sh.List(name)
	case flags&2 != 0: // to write
		h.file, ok = t.sh.Create(name)
		exists = true
	default:
		t.note("open", name)
		h.text, ok = t.sh.ReadFile(name)
		ok = ok && !info.Dir
	}
	if !ok {
		if !exists {
			return statusReply(id, fxNoSuchFile)
		}
		return statusReply(id, fxDenied)
	}
	key := string(binary.BigEndian.AppendUint32(nil, uint32(t.next)))
	t.next++
	t.handles[key] = h
	return appendText(reply(fxpHandle, id), key)
}

func (t *transfer) onHandle(m *message, id uint32, kind byte) []byte {
	key := m.text()
	h := t.handles[key]
	if h == nil {
		return statusReply(id, fxFailure)
	}
	switch kind {
	case fxpClose:
		delete(t.handles, key)
		if h.file != nil {
			h.file.Close()
		}
		return statusReply(id, fxOK)
	case fxpRead:
		at, n := m.u64(), m.u32()
		if h.file != nil || at >= uint64(len(h.text)) {
			return statusReply(id, fxEOF)
		}
		end := min(at+uint64(min(n, maxPacket/2)), uint64(len(h.text)))
		return appendText(reply(fxpData, id), h.text[at:end])
	case fxpWrite:
		at, data := m.u64(), m.text()
		if h.file == nil || at != h.at || m.Bad {
			return statusReply(id, fxFailure)
		}
		_, _ = h.file.Write([]byte(data))
		h.at += uint64(len(data))
		return statusReply(id, fxOK)
	case fxpFstat:
		return t.attributes(id, h.name, true)
	case fxpFsetstat:
		if mode, ok := m.permissions(); ok {
			t.sh.Chmod(h.name, mode)
		}
		return statusReply(id, fxOK)
	}
	if !h.isDir || len(h.list) == 0 {
		return statusReply(id, fxEOF)
	}
	part := h.list[:min(len(h.list), maxNames)]
	h.list = h.list[len(part):]
	b := binary.BigEndian.AppendUint32(reply(fxpName, id), uint32(len(part)))
	for _, i := range part {
		long := fmt.Sprintf("%s    1 %-8s %-8s %8d %s %s", modeText(i), "root", "root", i.Size, i.ModTime.Format("Jan _2  2006"), i.Name)
		b = appendInfo(appendText(appendText(b, i.Name), long), i)
	}
	return b
}

func modeText(i shell.Info) string {
	b := []byte("-rwxrwxrwx")
	switch {
	case i.Dir:
		b[0] = 'd'
	case i.Link:
		b[0] = 'l'
	}
	for n := range 9 {
		if i.Mode&(1<<(8-n)) == 0 {
			b[n+1] = '-'
		}
	}
	return string(b)
}

func appendInfo(b []byte, i shell.Info) []byte {
	mode := i.Mode | 0o100000
	switch {
	case i.Dir:
		mode = i.Mode | 0o040000
	case i.Link:
		mode = i.Mode | 0o120000
	}
	b = binary.BigEndian.AppendUint32(b, 1|2|4|8)
	b = binary.BigEndian.AppendUint64(b, uint64(i.Size))
	for _, n := range [...]uint32{uint32(i.UID), uint32(i.UID), mode, uint32(i.ModTime.Unix()), uint32(i.ModTime.Unix())} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func (t *transfer) attributes(id uint32, name string, follow bool) []byte {
	i, ok := t.sh.Stat(name, follow)
	if !ok {
		return statusReply(id, fxNoSuchFile)
	}
	return appendInfo(reply(fxpAttrs, id), i)
}

func (t *transfer) onPath(m *message, id uint32, kind byte) []byte {
	name := m.text()
	if m.Bad {
		return nil
	}
	done := func(op string, ok bool) []byte {
		t.note(op, t.sh.Abs(name))
		if !ok {
			return statusReply(id, fxFailure)
		}
		return statusReply(id, fxOK)
	}
	switch kind {
	case fxpRealpath:
		full := t.sh.Abs(name)
		b := binary.BigEndian.AppendUint32(reply(fxpName, id), 1)
		return binary.BigEndian.AppendUint32(appendText(appendText(b, full), full), 0)
	case fxpStat, fxpLstat:
		return t.attributes(id, name, kind == fxpStat)
	case fxpSetstat:
		if mode, ok := m.permissions(); ok {
			return done("chmod "+strconv.FormatUint(uint64(mode), 8), t.sh.Chmod(name, mode))
		}
		return statusReply(id, fxOK)
	case fxpMkdir:
		return done("mkdir", t.sh.Mkdir(name))
	case fxpRemove, fxpRmdir:
		return done("remove", t.sh.Remove(name))
	case fxpRename:
		return done("rename", t.sh.Rename(name, m.text()))
	case fxpExtended:
		switch name {
		case "posix-rename@openssh.com":
			from, to := m.text(), m.text()
			name = path.Join(from)
			return done("rename", t.sh.Rename(from, to))
		case "fsync@openssh.com":
			return statusReply(id, fxOK)
		}
	}
	return statusReply(id, fxUnsupported)
}
