package memcached

import (
	"bufio"
	"context"
	"encoding/hex"
	"io"
	"strings"
	"sync/atomic"

	"decnet/decoy/trap"
)

// New makes the service. Of its settings it knows "version", such as 1.6.18.
func New(e trap.Env) (trap.Service, error) {
	s := &server{version: e.Config["version"], commands: commands(), opcodes: opcodes(), memory: &budget{most: maxMemory}}
	if s.version == "" {
		s.version = packaged(e.Host.Distro)
	}
	if s.old() {
		for name := range metaCommands() {
			delete(s.commands, name)
		}
	}
	return trap.Service{TCP: s}, nil
}

// packaged is the version that a distribution has.
func packaged(distro string) string {
	switch distro {
	case "ubuntu22":
		return "1.6.14"
	case "ubuntu20":
		return "1.5.22"
	case "centos7":
		return "1.4.15"
	case "rocky9":
		return "1.6.9"
	case "alpine", "fedora":
		return "1.6.22"
	case "kali", "arch":
		return "1.6.29"
	}
	return "1.6.18"
}

// server is the one of a decky. Its sessions share only the bound of their memory.
type server struct {
	version  string
	commands map[string]command
	opcodes  map[byte]opcode
	memory   *budget
}

// old reports whether the version is from before the meta commands.
func (s *server) old() bool {
	return strings.HasPrefix(s.version, "1.4.") || strings.HasPrefix(s.version, "1.5.")
}

// maxMemory bounds what all sessions of a decky have stored and are about to
// store, in bytes.
const maxMemory = 32 << 20

// budget is memory that several sessions share.
type budget struct {
	used atomic.Int64
	most int64
}

func (b *budget) take(n int) bool {
	if b.used.Add(int64(n)) > b.most {
		b.used.Add(int64(-n))
		return false
	}
	return true
}

// client is one session with a store of its own: what one attacker writes another
// doesn't find, so nobody can tell decoys apart or use one as a drop.
type client struct {
	*server
	conn  *trap.Session
	r     *bufio.Reader
	w     *bufio.Writer
	store *store
	held  int // of the budget, in bytes
	count map[string]int
	mute  bool // noreply: the answer to this command is not wanted
	quit  bool
}

func newClient(s *server, conn *trap.Session) *client {
	w := bufio.NewWriterSize(conn, 4096)
	return &client{
		server: s, conn: conn, r: bufio.NewReaderSize(answering{conn, w}, maxKeys+1), w: w,
		store: newStore(conn.Now, furniture(conn.Host, conn.Now())), count: map[string]int{},
	}
}

// answering sends the answers that are ready before it waits for more questions.
type answering struct {
	io.Reader
	w *bufio.Writer
}

func (a answering) Read(p []byte) (int, error) {
	if err := a.w.Flush(); err != nil {
		return 0, err
	}
	return a.Reader.Read(p)
}

// Serve implements [trap.Server].
func (s *server) Serve(_ context.Context, conn *trap.Session) {
	c := newClient(s, conn)
	defer func() { s.memory.used.Add(int64(-c.held)) }()
	first, err := c.r.Peek(1)
	if err != nil {
		return
	}
	next := c.nextLine
	if first[0] == magicRequest {
		next = c.nextPacket
	}
	for next() {
		c.settle()
	}
	_ = c.w.Flush()
}

// settle tells the budget what the session has stored now.
func (c *client) settle() {
	c.memory.used.Add(int64(c.store.bytes - c.held))
	c.held = c.store.bytes
}

// malformed records the begin of what isn't the protocol.
func (c *client) malformed(why string, data []byte) {
	c.conn.Record("protocol_error", trap.Field{Key: "error", Value: why},
		trap.Field{Key: "data", Value: hexOf(string(data[:min(len(data), 64)]))})
}

func hexOf(s string) string { return hex.EncodeToString([]byte(short(s, 4096))) }

// stored is what a command wants to keep; nil means that it keeps nothing.
type stored struct {
	key  string
	data string
}

// record tells of a command, and of what it would do to a real server.
func (c *client) record(words []string, what *stored, more ...trap.Field) {
	fields := []trap.Field{
		{Key: "cmd", Value: short(words[0], 64)},
		{Key: "args", Value: listOf(words[1:])},
		{Key: "query", Value: short(strings.Join(words, " "), 4096)},
	}
	if what != nil {
		fields = append(fields, trap.Field{Key: "size", Value: number(len(what.data))}, trap.Field{Key: "data", Value: short(what.data, 1024)})
	}
	c.conn.Record("command", append(fields, more...)...)
	if what != nil && isPayload(what.data) {
		kept := c.conn.Files.Save([]byte(what.data))
		c.conn.Record("file_upload", append(kept.Fields(), trap.Field{Key: "filename", Value: what.key})...)
	}
}

// isPayload reports whether a value is meant for more than to be read: to become a
// file, or to run where an application unpacks it.
func isPayload(v string) bool {
	for _, mark := range []string{"ssh-rsa ", "ssh-ed25519 ", "* * * *", "/bin/sh", "/bin/bash", "curl ", "wget ", "\x7fELF", "<?php", "os\nsystem", "posix\nsystem"} {
		if strings.Contains(v, mark) {
			return true
		}
	}
	return strings.HasPrefix(v, "\xac\xed\x00\x05") || strings.HasPrefix(v, "MZ\x90")
}

// listOf is the list as the wire dialect has it: the first eight, in the form of
// Python.
func listOf(args []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, a := range args[:min(len(args), 8)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('\'')
		b.WriteString(strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(short(a, 1024)))
		b.WriteByte('\'')
	}
	b.WriteByte(']')
	return b.String()
}

func short(s string, most int) string { return s[:min(len(s), most)] }
