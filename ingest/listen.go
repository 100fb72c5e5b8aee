package ingest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"decnet/repo"
)

// The defaults of [SyslogOptions].
const (
	DefaultMaxConnections = 100
	DefaultSyslogIdle     = 15 * time.Minute
	// acceptPause is how long a listener that fails is left alone.
	acceptPause      = 100 * time.Millisecond
	handshakeTimeout = 10 * time.Second
)

// SyslogOptions describe the receiver of syslog over TCP (RFC 5424 or 3164
// lines, framed by octet counts or line ends as in RFC 6587).
//
// TCP tells a sender that bytes were received, not that they were stored: what
// was sent and not committed when a connection or this process dies is lost, and
// a sender that repeats it doubles it. Whoever needs every line exactly once
// reads files or pushes.
type SyslogOptions struct {
	// Listener is where connections come from, such as one of package crypto/tls
	// (RFC 5425). Run closes it. nil means no receiver.
	Listener net.Listener
	// MaxConnections bounds them; further ones are closed at once
	// (DefaultMaxConnections).
	MaxConnections int
	// IdleTimeout ends a connection on which nothing comes (DefaultSyslogIdle).
	IdleTimeout time.Duration
}

func (o *SyslogOptions) setDefaults() {
	setDefault(&o.MaxConnections, DefaultMaxConnections)
	setDefault(&o.IdleTimeout, DefaultSyslogIdle)
}

// receiveSyslog serves connections until ctx is done, and returns when all of
// them have ended.
func (in *Ingester) receiveSyslog(ctx context.Context) {
	listener := in.opt.Syslog.Listener
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	var peers errgroup.Group
	slots := make(chan struct{}, in.opt.Syslog.MaxConnections)
	for ctx.Err() == nil {
		conn, err := listener.Accept()
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
				in.opt.Log.Warn("syslog: accept a connection", slog.Any("error", err))
				pause(ctx, acceptPause)
				continue
			}
			break
		}
		select {
		case slots <- struct{}{}:
		default:
			in.opt.Log.Warn("syslog: too many connections; one was refused", slog.String("peer", peerOf(conn)))
			_ = conn.Close()
			continue
		}
		peers.Go(func() error {
			defer func() { <-slots }()
			in.serveSyslog(ctx, conn)
			return nil
		})
	}
	_ = listener.Close()
	_ = peers.Wait() // they return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// peerOf is the address that a connection comes from, without the port: a sender
// that connects anew is the same source.
func peerOf(conn net.Conn) string {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return conn.RemoteAddr().String()
	}
	return host
}

// serveSyslog reads one connection to its end. Nothing is read while the chunks
// before are not taken: the sender's writes block, which is all the back-pressure
// that TCP has.
func (in *Ingester) serveSyslog(ctx context.Context, conn net.Conn) {
	peer := peerOf(conn)
	if err := shakeHands(ctx, conn); err != nil {
		in.opt.Log.Warn("syslog: a connection was not made", slog.String("peer", peer), slog.Any("error", err))
		_ = conn.Close()
		return
	}
	id := in.status.connect(peer)
	s := in.newStreamReader(id, repo.Reject{Source: "syslog " + peer, Path: peer})
	s.parse = in.parseMessage
	// A deadline in the past ends the read that is under way; what is read by then
	// is still taken.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	f := newFrameReader(&idleReader{ctx, conn, in.opt.Syslog.IdleTimeout}, in.opt.MaxLine)
	err := s.readFrames(ctx, f)
	stop()
	_ = conn.Close()
	if ctx.Err() != nil {
		err = nil
	}
	in.status.disconnect(id, err)
}

// shakeHands completes a connection of TLS: one who never does would keep a
// place from others for as long as a silent sender may.
func shakeHands(ctx context.Context, conn net.Conn) error {
	secured, ok := conn.(interface {
		HandshakeContext(ctx context.Context) error
	})
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	return secured.HandshakeContext(ctx)
}

// idleReader ends a read that brings nothing for too long.
type idleReader struct {
	ctx  context.Context //nolint:containedctx // It lives as long as the connection.
	conn net.Conn
	idle time.Duration
}

// Read implements [io.Reader].
func (r *idleReader) Read(p []byte) (int, error) {
	if err := r.conn.SetReadDeadline(time.Now().Add(r.idle)); err != nil {
		return 0, err
	}
	// The stop may have set its deadline just before.
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.conn.Read(p)
}

// readFrames takes frames until the connection ends. Chunks are sent when they
// are full or when no more has arrived.
func (s *streamReader) readFrames(ctx context.Context, f *frameReader) error {
	for {
		line, err := f.next()
		if err == nil || line.size > 0 {
			if takeErr := s.take(ctx, &line); takeErr != nil {
				return takeErr
			}
		}
		if err != nil {
			_ = s.flush(ctx) // an error says that ctx is done
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if f.r.Buffered() == 0 {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// errFraming says that a connection with octet counts has lost its place.
var errFraming = errors.New("a frame does not begin with the count of its octets")

// maxCountDigits bounds an octet count.
const maxCountDigits = 9

// frameReader cuts a connection into messages. How they are framed is decided by
// the first one: digits, a blank and "<" begin a counted frame; anything else is
// ended by a line feed. It never changes within a connection, since else a line
// that an attacker wrote could begin a frame.
type frameReader struct {
	r       *bufio.Reader
	max     int
	decided bool
	counted bool
	// at counts the bytes that were read.
	at int64
}

func newFrameReader(r io.Reader, maxLine int) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 64<<10), max: maxLine}
}

// next returns a message. With an error it may return the last one, which its
// sender did not end.
func (f *frameReader) next() (rawLine, error) {
	if !f.decided {
		counted, err := f.beginsCounted()
		if err != nil {
			return rawLine{}, err
		}
		f.decided, f.counted = true, counted
	}
	if f.counted {
		return f.nextCounted()
	}
	return f.nextLine()
}

// beginsCounted looks at the first bytes of a connection.
func (f *frameReader) beginsCounted() (bool, error) {
	for n := 1; n <= maxCountDigits+1; n++ {
		b, err := f.r.Peek(n)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return false, nil
			}
			return false, err
		}
		switch c := b[n-1]; {
		case c >= '1' && c <= '9' || c == '0' && n > 1:
		case c == ' ' && n > 1:
			b, err := f.r.Peek(n + 1)
			return err == nil && b[n] == '<', nil
		default:
			return false, nil
		}
	}
	return false, nil
}

func (f *frameReader) nextCounted() (rawLine, error) {
	n, err := f.count()
	if err != nil {
		return rawLine{}, err
	}
	line := rawLine{begin: f.at, size: int64(n), long: n > f.max}
	keep := n
	if line.long {
		keep = repo.MaxRejectLine
	}
	text := make([]byte, min(keep, n))
	got, err := io.ReadFull(f.r, text)
	f.at += int64(got)
	line.text = text[:got]
	if err == nil && n > got {
		var rest int64
		rest, err = io.CopyN(io.Discard, f.r, int64(n-got))
		f.at += rest
	}
	if err != nil {
		// A frame that was cut off proves nothing, but it is not passed over.
		line.size = int64(len(line.text))
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return line, err
	}
	if !line.long {
		line.trim()
	}
	return line, nil
}

// trim drops the line end that some senders count as part of the message.
func (l *rawLine) trim() {
	l.text = []byte(strings.TrimRight(string(l.text), "\r\n\x00"))
	l.size = int64(len(l.text))
}

// count reads digits and the blank behind them. Line ends before them are passed.
func (f *frameReader) count() (int, error) {
	var digits []byte
	for {
		c, err := f.r.ReadByte()
		if err != nil {
			return 0, err
		}
		f.at++
		switch {
		case c >= '0' && c <= '9' && len(digits) < maxCountDigits:
			digits = append(digits, c)
		case c == ' ' && len(digits) > 0:
			return strconv.Atoi(string(digits))
		case len(digits) == 0 && (c == '\n' || c == '\r'):
		default:
			return 0, errFraming
		}
	}
}

func (f *frameReader) nextLine() (rawLine, error) {
	line := rawLine{begin: f.at}
	var text []byte
	for {
		part, err := f.r.ReadSlice('\n')
		f.at += int64(len(part))
		line.size += int64(len(part))
		if room := f.max + 2 - len(text); room > 0 {
			text = append(text, part[:min(room, len(part))]...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		line.text = text
		if line.size > int64(f.max)+2 {
			line.long = true
		} else {
			line.trim()
			line.long = len(line.text) > f.max
		}
		if line.long {
			line.text = line.text[:min(len(line.text), repo.MaxRejectLine)]
		}
		return line, err
	}
}

// parseMessage recognises a syslog message: the whole of it, or, where that is
// of no known format, what stands behind its header, as when a forwarder wraps
// the lines of a file. The whole counts first, because the text of a decoy's own
// message may hold what an attacker typed. RawLine keeps the header.
func (in *Ingester) parseMessage(line []byte) (string, []Record, error) {
	now := in.opt.Now()
	format, records, err := in.parseAny(line, now)
	if format != "" {
		return format, records, err
	}
	msg, ok := messageOf(string(line))
	if !ok {
		return "", nil, err
	}
	format, records, err = in.parseAny([]byte(msg), now)
	if format == "" {
		return "", nil, reject(ReasonUnknownFormat, "No known format recognises the message, with or without its syslog header.")
	}
	for i := range records {
		if records[i].Event.RawLine == msg {
			records[i].Event.RawLine = string(line)
		}
	}
	return format, records, err
}

// messageOf is the text behind the header of RFC 5424, or of RFC 3164 as far as
// that has a form: <PRI>Mmm dd hh:mm:ss host tag[pid]: text, where forwarders put
// a time of RFC 3339 too.
func messageOf(s string) (string, bool) {
	if m, ok := parseSyslog(s); ok {
		return strings.TrimLeft(strings.TrimPrefix(m.msg, "\uFEFF"), " "), m.msg != ""
	}
	pri, rest, found := strings.Cut(s, ">")
	if !found || !strings.HasPrefix(pri, "<") || !isNumber(pri[1:]) || len(pri) > 4 {
		return "", false
	}
	// The tag is the first word that ends in a colon; before it stand a time of one
	// or three words and a host.
	for words, at := 0, 0; words < 6; words++ {
		space := strings.IndexByte(rest[at:], ' ')
		if space < 0 {
			return "", false
		}
		word := rest[at : at+space]
		at += space + 1
		if strings.HasSuffix(word, ":") {
			return strings.TrimLeft(rest[at:], " "), true
		}
	}
	return "", false
}

// connect notes that a peer is connected and returns its number on the board.
func (b *board) connect(peer string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.streamLocked(KindSyslog, peer)
	s := b.sources[id]
	s.connections++
	s.State = StateConnected
	return id
}

// disconnect notes that a connection has ended, and why if that needs saying.
func (b *board) disconnect(id int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.sources[id]
	if s == nil {
		return
	}
	s.LastError = ""
	if err != nil {
		s.LastError = fmt.Sprintf("The last connection ended early: %v", err)
	}
	if s.connections--; s.connections <= 0 {
		s.State = StateIdle
	}
}
