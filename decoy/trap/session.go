package trap

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// Field is one detail of an event. The names are those of the wire dialect; the
// value is what the attacker sent, byte for byte.
type Field struct{ Key, Value string }

// Event is something that an attacker did.
type Event struct {
	Time     time.Time
	Decky    string
	Service  string
	Type     string
	Attacker netip.Addr
	Fields   []Field
	// Msg is a sentence, mostly "".
	Msg string
}

// Recorder takes events. It may make its caller wait, never for longer than it
// takes to write to a disk, and drops nothing. It does not keep e.Fields.
type Recorder interface{ Record(e Event) }

// Peer is the other side of a session or a datagram, and the way to record what
// it does.
type Peer struct {
	Env
	// ID tells the events of one session from those of others: 12 hexadecimal
	// digits.
	ID string
	// Remote is where the attacker is, and Port the port of the imitated service
	// that was spoken to: with services that have several, it tells which.
	Remote netip.AddrPort
	Port   int
	// SourceKey is that of the [Service].
	SourceKey string
	Recorder  Recorder
}

// NewID makes an id of a session.
func NewID() string {
	var b [6]byte
	n := rand.Uint64() //nolint:gosec // it tells sessions apart; it guards nothing
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
	return hex.EncodeToString(b[:])
}

// Record records what the attacker did. The address, the port and the session
// are added.
func (p *Peer) Record(event string, fields ...Field) {
	p.record(p.Service, event, fields)
}

// RecordAs records an event of another service: a watcher such as "sniffer"
// that saw something about this session.
func (p *Peer) RecordAs(service, event string, fields ...Field) {
	p.record(service, event, fields)
}

func (p *Peer) record(service, event string, fields []Field) {
	key := p.SourceKey
	if key == "" {
		key = "src"
	}
	all := make([]Field, 0, len(fields)+4)
	all = append(all,
		Field{key, p.Remote.Addr().String()},
		Field{"src_port", strconv.Itoa(int(p.Remote.Port()))},
		Field{"dst_port", strconv.Itoa(p.Port)},
		Field{"session", p.ID},
	)
	p.Recorder.Record(Event{
		Time: p.Now(), Decky: p.Host.Decky, Service: service, Type: event,
		Attacker: p.Remote.Addr(), Fields: append(all, fields...),
	})
}

// Session is one connection. Its Read and Write fail once a limit of time or
// size is reached.
type Session struct {
	net.Conn
	Peer
	// Data lets the client open a second connection, where a protocol has one.
	Data *DataPorts
}

// Over returns the same session over a connection that is laid upon this one,
// such as TLS.
func (s *Session) Over(c net.Conn) *Session {
	return &Session{Conn: c, Peer: s.Peer, Data: s.Data}
}

// Pause waits for a time between shortest and longest, as a real server does
// before it says that a password is wrong. It returns early when ctx ends.
func (s *Session) Pause(ctx context.Context, shortest, longest time.Duration) {
	d := shortest
	if longest > shortest {
		d += rand.N(longest - shortest) //nolint:gosec // a delay guards nothing
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Datagram is one packet.
type Datagram struct {
	Peer
	Data []byte
}

// ErrLineTooLong is what [ReadLine] returns for a line over its bound.
var ErrLineTooLong = errors.New("the line is too long")

// ReadLine reads up to a line feed, which is cut off together with a carriage
// return before it. It holds at most limit bytes and returns, with
// [ErrLineTooLong], the first limit of a longer line. A last line without a
// line feed comes with io.EOF.
func ReadLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if room := limit + 2 - len(line); len(part) > room {
			return append(line, part[:max(room, 0)]...)[:limit], ErrLineTooLong
		}
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if n := len(line); err == nil && n > 0 {
			line = line[:n-1]
			if n > 1 && line[n-2] == '\r' {
				line = line[:n-2]
			}
		}
		if len(line) > limit {
			return line[:limit], ErrLineTooLong
		}
		return line, err
	}
}
