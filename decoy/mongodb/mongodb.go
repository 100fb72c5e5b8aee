package mongodb

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	"decnet/decoy/trap"
)

// New makes the service. Of its settings it knows "version", such as 7.0.5, and
// "auth": with "true" it refuses who isn't logged in, and that is everybody.
func New(e trap.Env) (trap.Service, error) {
	s := &server{version: e.Config["version"], locked: e.Config["auth"] == "true", commands: commands(), host: e.Host}
	if s.version == "" {
		s.version = packaged(e.Host.Distro)
	}
	s.databases = furniture(e.Host, s.compatible(), e.Now())
	s.connections.Store(e.Host.Rand("mongodb connections").Int64N(4000) + 12)
	return trap.Service{TCP: s}, nil
}

// packaged is the version that is found on a distribution. Debian and others have
// none of their own since the licence changed; people take that of the maker.
func packaged(distro string) string {
	switch distro {
	case "ubuntu22", "rocky9":
		return "6.0.5"
	case "ubuntu20", "alpine":
		return "4.4.6"
	case "centos7":
		return "4.2.8"
	}
	return "7.0.5"
}

// server is the one of a decky. Its sessions share what never changes, and a
// bound of their memory.
type server struct {
	host        *trap.Host
	version     string
	locked      bool
	commands    map[string]command
	databases   map[string]map[string][]doc
	connections atomic.Int64
	stored      atomic.Int64 // by all sessions, in bytes
}

// release is major and minor version as one number: 404 is 4.4.
func (s *server) release() int {
	parts := strings.SplitN(s.version, ".", 3)
	major, _ := strconv.Atoi(parts[0])
	minor := 0
	if len(parts) > 1 {
		minor, _ = strconv.Atoi(parts[1])
	}
	return major*100 + minor
}

// compatible is the release as the server writes it: 4.4.
func (s *server) compatible() string { return itoa(s.release()/100) + "." + itoa(s.release()%100) }

// client is one session. What one attacker writes another doesn't find.
type client struct {
	*server
	conn      *trap.Session
	databases map[string]map[string][]doc
	written   int  // bytes that this session has stored
	full      bool // it may not store more
	cursors   map[int64]*cursor
	id        int64 // of the connection
	lastID    uint32
	greeted   bool
	login     *login
	nonce     string // that of a login of old clients
}

// Serve implements [trap.Server].
func (s *server) Serve(ctx context.Context, conn *trap.Session) {
	c := &client{server: s, conn: conn, cursors: map[int64]*cursor{}, id: s.connections.Add(1)}
	defer c.end()
	c.databases = borrowed(s.databases)
	r := bufio.NewReaderSize(conn, 4096)
	if begin, err := r.Peek(4); err == nil && isHTTP(begin) {
		c.refuseHTTP(r)
		return
	}
	for {
		m, head, err := readMessage(r)
		if errors.Is(err, errSize) {
			c.malformed(err, head[:])
		}
		if err != nil || !c.answer(ctx, &m) {
			return
		}
	}
}

// end gives back what the session held, and tells of a login that was given up.
func (c *client) end() {
	c.stored.Add(-int64(c.written))
	if c.login != nil {
		c.recordLogin(c.login, "")
	}
}

func isHTTP(begin []byte) bool {
	return bytes.Equal(begin, []byte("GET ")) || bytes.Equal(begin, []byte("POST")) || bytes.Equal(begin, []byte("HEAD"))
}

// refuseHTTP says what the real server says to a browser.
func (c *client) refuseHTTP(r *bufio.Reader) {
	begin, _ := r.Peek(min(r.Buffered(), 64))
	c.malformed(errors.New("HTTP"), begin)
	const text = "It looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n"
	_, _ = io.WriteString(c.conn, "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: "+itoa(len(text))+"\r\n\r\n"+text)
}

// malformed records the begin of what isn't the protocol.
func (c *client) malformed(why error, data []byte) {
	c.conn.Record("protocol_error", trap.Field{Key: "error", Value: why.Error()},
		trap.Field{Key: "data", Value: hex.EncodeToString(data[:min(len(data), 64)])})
}

// answer answers one message. It reports whether there may be more.
func (c *client) answer(ctx context.Context, m *message) bool {
	var q *request
	var err error
	switch m.op {
	case opMsg:
		q, err = parseMsg(m.body)
	case opQuery:
		q, err = parseQuery(m.body)
	default:
		c.conn.Record("message", trap.Field{Key: "opcode", Value: itoa(int(m.op))}, trap.Field{Key: "length", Value: itoa(len(m.body) + headerSize)},
			trap.Field{Key: "data", Value: hex.EncodeToString(m.body[:min(len(m.body), 64)])})
		// The writes of old clients have no answer; all else ends the connection.
		return m.op >= 2001 && m.op <= 2007 && c.release() < 600
	}
	if err != nil {
		c.malformed(err, m.body)
		return false
	}
	reply := c.run(ctx, q)
	if q.silent {
		return true
	}
	c.lastID++
	_, err = c.conn.Write(answerTo(q, c.lastID, m.id, reply))
	return err == nil
}

// record tells of a command.
func (c *client) record(q *request, name string) {
	fields := []trap.Field{
		{Key: "cmd", Value: short(name, 64)},
		{Key: "database", Value: short(q.database, 256)},
	}
	if collection, named := q.body[0].value.(string); named {
		fields = append(fields, trap.Field{Key: "collection", Value: short(collection, 256)})
	}
	c.conn.Record("command", append(fields, trap.Field{Key: "query", Value: jsonOf(shown(q.body), 4096)})...)
}

// shown leaves out what drivers add to every command.
func shown(d doc) doc {
	var kept doc
	for _, e := range d {
		switch e.key {
		case "$db", "lsid", "$clusterTime", "$readPreference", "$client":
		default:
			kept = append(kept, e)
		}
	}
	return kept
}

func itoa(n int) string                { return strconv.Itoa(n) }
func short(s string, most int) string  { return s[:min(len(s), most)] }
func ok(d ...element) doc              { return append(d, element{"ok", 1.0}) }
func el(key string, value any) element { return element{key, value} }
func count[T ~int | ~int64](n T) int32 { return int32(min(int64(n), 1<<31-1)) }
