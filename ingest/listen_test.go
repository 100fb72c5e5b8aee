package ingest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
)

// pipeListener is a listener whose connections are pipes, which a bubble can
// wait for.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	// failures is how often Accept fails before it works.
	failures int
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, errSink
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// dial returns the sender's end of a new connection.
func (l *pipeListener) dial() net.Conn {
	ours, theirs := net.Pipe()
	l.conns <- theirs
	return ours
}

// receiving runs a syslog receiver, inside a bubble.
func receiving(t *testing.T, sink ingest.Sink, change func(*ingest.Options)) (*process, *pipeListener) {
	t.Helper()
	l := newPipeListener()
	p := accepting(t, sink, func(o *ingest.Options) {
		o.Syslog.Listener = l
		if change != nil {
			change(o)
		}
	})
	return p, l
}

func sendTo(t *testing.T, c io.Writer, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

func counted(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "%d %s", len(line), line)
	}
	return b.String()
}

// decoyMessage is what a DECNET decoy sends.
func decoyMessage(n int) string {
	return fmt.Sprintf(`<134>1 2026-04-14T09:00:%02dZ web http - request [decnet@55555 src_ip="203.0.113.45" n="%d"] GET /`, n%60, n)
}

func TestSyslog_FramingIsFoundOut(t *testing.T) {
	t.Parallel()
	wrapped := "<13>1 2026-04-14T09:00:00Z host cowrie 7 - - " + cowrieLine("s1", "session.connect", `,"protocol":"telnet"`, 1)
	old := "<13>Apr 14 09:00:00 host cowrie[7]: " + cowrieLine("s1", "login.failed", `,"username":"a","password":"b"`, 2)
	ofSSHD := "<38>Apr 14 09:00:00 host sshd[7]: Failed password for root from 203.0.113.45 port 22 ssh2"
	for name, c := range map[string]struct {
		sent string
		want []string
		bad  []string
	}{
		"line feeds":             {sent: decoyMessage(1) + "\n" + decoyMessage(2) + "\r\n" + decoyMessage(3) + "\x00\n", want: []string{decoyMessage(1), decoyMessage(2), decoyMessage(3)}},
		"no end at the end":      {sent: decoyMessage(1) + "\n" + decoyMessage(2), want: []string{decoyMessage(1), decoyMessage(2)}},
		"octet counts":           {sent: counted(decoyMessage(1), decoyMessage(2)+"\n", decoyMessage(3)), want: []string{decoyMessage(1), decoyMessage(2), decoyMessage(3)}},
		"counts and line ends":   {sent: counted(decoyMessage(1)) + "\n" + counted(decoyMessage(2)), want: []string{decoyMessage(1), decoyMessage(2)}},
		"a line end in a frame":  {sent: counted(decoyMessage(1) + "\nx: 5 <y"), want: []string{decoyMessage(1) + "\nx: 5 <y"}},
		"another pot's line":     {sent: counted(wrapped, old), want: []string{wrapped, old}},
		"an sshd":                {sent: ofSSHD + "\n", want: []string{ofSSHD}},
		"bare lines":             {sent: event(1) + "\n" + event(2) + "\n", want: []string{event(1), event(2)}},
		"digits that are none":   {sent: "2026 is no count\n" + decoyMessage(1) + "\n", want: []string{decoyMessage(1)}, bad: []string{"2026 is no count"}},
		"a count in a line":      {sent: decoyMessage(1) + "\n" + "5 <13>x\n" + decoyMessage(2) + "\n", want: []string{decoyMessage(1), decoyMessage(2)}, bad: []string{"5 <13>x"}},
		"a cut frame":            {sent: counted(decoyMessage(1)) + "500 <13>1", want: []string{decoyMessage(1)}, bad: []string{"<13>1"}},
		"a count of nine digits": {sent: "123456789 <13>1", bad: []string{"<13>1"}},
		"a count of ten digits":  {sent: "1234567890 <13>x\n" + decoyMessage(1) + "\n", want: []string{decoyMessage(1)}, bad: []string{"1234567890 <13>x"}},
		"a zero before a count":  {sent: "012 <13>x\n", bad: []string{"012 <13>x"}},
		"a blank and no count":   {sent: " <13>x\n", bad: []string{" <13>x"}},
		"counts of all digits":   {sent: counted(ofLengths(99, 110)...), want: ofLengths(99, 110)},
		"a day of one digit":     {sent: ofDay("<191>", "host") + "\n", want: []string{ofDay("<191>", "host")}},
		"a tag too far behind":   {sent: ofDay("<13>", "host x") + "\n", bad: []string{ofDay("<13>", "host x")}},
		"no priority":            {sent: ofDay("<1234>", "host") + "\n", bad: []string{ofDay("<1234>", "host")}},
		"nothing":                {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, _ string) {
				t.Helper()
				sink := newMemSink()
				p, l := receiving(t, sink, nil)
				conn := l.dial()
				for i := range len(c.sent) { // as slowly as can be
					sendTo(t, conn, c.sent[i:i+1])
				}
				require.NoError(t, conn.Close())
				p.settle()
				stored, rejects := sink.stored()
				raws := make([]string, 0, len(stored))
				for i := range stored {
					raws = append(raws, stored[i].RawLine)
				}
				bad := make([]string, 0, len(rejects))
				for i := range rejects {
					bad = append(bad, string(rejects[i].Line))
				}
				assert.Equal(t, append([]string{}, c.want...), raws)
				assert.Equal(t, append([]string{}, c.bad...), bad)
				status := p.in.IngestStatus()
				require.Len(t, status.Sources, 1)
				assert.Equal(t, ingest.KindSyslog, status.Sources[0].Kind)
				assert.Equal(t, "pipe", status.Sources[0].Name)
				assert.Equal(t, "idle", status.Sources[0].State)
				assert.EqualValues(t, len(raws)+len(bad), status.Lines)
				p.finish(t)
			})
		})
	}
}

// ofLengths are messages of each length.
func ofLengths(from, to int) (messages []string) {
	for n := from; n < to; n++ {
		messages = append(messages, decoyMessage(1)+strings.Repeat("x", n-len(decoyMessage(1))))
	}
	return messages
}

// ofDay is another pot's line behind a header with a day of one digit.
func ofDay(priority, host string) string {
	return priority + "Apr  4 09:00:00 " + host + " cowrie[7]: " + cowrieLine("s1", "session.connect", "", 1)
}

func TestSyslog_AnAttackersTextIsNoOtherPotsLine(t *testing.T) {
	t.Parallel()
	forged := decoyMessage(1)[:len(decoyMessage(1))-len("GET /")] + cowrieLine("s", "login.success", `,"username":"a","password":"b"`, 1)
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newMemSink()
		p, l := receiving(t, sink, nil)
		conn := l.dial()
		sendTo(t, conn, forged+"\n")
		p.settle()
		require.Len(t, sink.events, 1)
		assert.Equal(t, "request", sink.events[0].EventType)
		require.NoError(t, conn.Close())
		p.finish(t)
	})
}

func TestSyslog_LongMessagesAreRejectedAndPassed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200_000)
	for name, sent := range map[string]string{
		"counted": counted(decoyMessage(1), "<13>"+long, decoyMessage(2)),
		"lines":   decoyMessage(1) + "\n<13>" + long + "\n" + decoyMessage(2) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, _ string) {
				t.Helper()
				sink := newMemSink()
				p, l := receiving(t, sink, func(o *ingest.Options) { o.MaxLine = 100_000 })
				conn := l.dial()
				sendTo(t, conn, sent)
				p.settle()
				assert.Len(t, sink.events, 2)
				require.Len(t, sink.rejects, 1)
				assert.Equal(t, ingest.ReasonLineTooLong, sink.rejects[0].Reason)
				assert.Len(t, sink.rejects[0].Line, 64<<10)
				require.NoError(t, conn.Close())
				p.finish(t)
			})
		})
	}
}

func TestSyslog_TheLongestMessageIsTaken(t *testing.T) {
	t.Parallel()
	longest := ofLengths(200, 202)
	for name, sent := range map[string]string{
		"counted":       counted(longest...),
		"lines":         strings.Join(longest, "\n") + "\n",
		"lines of CRLF": strings.Join(longest, "\r\n") + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, _ string) {
				t.Helper()
				sink := newMemSink()
				p, l := receiving(t, sink, func(o *ingest.Options) { o.MaxLine = 200 })
				conn := l.dial()
				sendTo(t, conn, sent)
				p.settle()
				assert.Equal(t, longest[:1], sink.raws())
				require.Len(t, sink.rejects, 1)
				assert.Equal(t, ingest.ReasonLineTooLong, sink.rejects[0].Reason)
				assert.Contains(t, string(sink.rejects[0].Line), longest[1])
				require.NoError(t, conn.Close())
				p.finish(t)
			})
		})
	}
}

func TestSyslog_ALostCountEndsTheConnection(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]string{"no digits": decoyMessage(2), "too many": "1234567890 <13>x"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testLostCount(t, next)
		})
	}
}

func testLostCount(t *testing.T, next string) {
	t.Helper()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newMemSink()
		p, l := receiving(t, sink, nil)
		conn := l.dial()
		sendTo(t, conn, counted(decoyMessage(1)))
		_, _ = io.WriteString(conn, next) // the receiver hangs up within
		p.settle()
		assert.Equal(t, []string{decoyMessage(1)}, sink.raws())
		assert.Empty(t, sink.rejects)
		_, err := conn.Write([]byte("x"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		assert.Contains(t, p.in.IngestStatus().Sources[0].Problem, "octets")
		p.finish(t)
	})
}

func TestSyslog_AListenerThatFailsIsAskedAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink, l := newMemSink(), newPipeListener()
		l.failures = 3
		begin := time.Now()
		p := accepting(t, sink, func(o *ingest.Options) { o.Syslog.Listener = l })
		conn := l.dial()
		assert.Positive(t, time.Since(begin), "and left alone between")
		sendTo(t, conn, decoyMessage(1)+"\n")
		p.settle()
		assert.Equal(t, []string{decoyMessage(1)}, sink.raws())
		require.NoError(t, conn.Close())
		p.finish(t)
	})
}

func TestSyslog_ConnectionsAreBoundedAndEndWhenSilent(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newMemSink()
		p, l := receiving(t, sink, func(o *ingest.Options) {
			o.Syslog.MaxConnections, o.Syslog.IdleTimeout = 2, time.Minute
		})
		first, second, third := l.dial(), l.dial(), l.dial()
		synctest.Wait()
		_, err := third.Write([]byte("x"))
		require.ErrorIs(t, err, io.ErrClosedPipe)
		assert.Equal(t, "connected", p.in.IngestStatus().Sources[0].State)
		for range 5 {
			time.Sleep(50 * time.Second) //nolint:forbidigo // in a bubble
			sendTo(t, second, decoyMessage(1)+"\n")
		}
		_, err = first.Write([]byte("x"))
		require.ErrorIs(t, err, io.ErrClosedPipe, "silent for too long")
		fourth := l.dial()
		sendTo(t, fourth, decoyMessage(2)+"\n")
		p.settle()
		assert.Len(t, sink.events, 6)
		p.finish(t)
	})
}

func TestSyslog_APeerIsConnectedUntilItsLastConnectionEnds(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		p, l := receiving(t, newMemSink(), nil)
		conns := []net.Conn{l.dial(), l.dial(), l.dial()}
		for i, conn := range conns {
			p.settle()
			require.Len(t, p.in.IngestStatus().Sources, 1)
			assert.Equal(t, "connected", p.in.IngestStatus().Sources[0].State, "%d have ended", i)
			require.NoError(t, conn.Close())
		}
		p.settle()
		assert.Equal(t, "idle", p.in.IngestStatus().Sources[0].State)
		p.finish(t)
	})
}

func TestSyslog_AStopKeepsWhatWasRead(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newHeldSink()
		p, l := receiving(t, sink, func(o *ingest.Options) { o.BatchSize = 1 })
		conn := l.dial()
		sent := 0
		for ; sent < 1000; sent++ { // until nothing more is taken
			require.NoError(t, conn.SetWriteDeadline(time.Now().Add(time.Second)))
			if _, err := io.WriteString(conn, decoyMessage(sent)+"\n"); err != nil {
				break
			}
		}
		assert.Less(t, sent, 100, "a sender is held up while the store is slow")
		p.stop()
		synctest.Wait()
		close(sink.free)
		require.NoError(t, <-p.done)
		assert.GreaterOrEqual(t, len(sink.events), sent, "what the sender got rid of is stored")
	})
}

func TestSyslog_OverTLS(t *testing.T) {
	t.Parallel()
	certificate, roots := certificateFor(t)
	var lc net.ListenConfig
	tcp, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener := tls.NewListener(tcp, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	sink := newMemSink()
	in, err := ingest.New(ingest.Options{Sink: sink, Syslog: ingest.SyslogOptions{Listener: listener}, BatchWait: time.Millisecond})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()

	var plain net.Dialer
	stranger, err := plain.DialContext(t.Context(), "tcp", tcp.Addr().String())
	require.NoError(t, err)
	sendTo(t, stranger, decoyMessage(3)+"\n")
	_, err = io.ReadAll(stranger)
	require.NoError(t, err, "one who speaks no TLS is hung up on")

	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "decnet.example", MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(t.Context(), "tcp", tcp.Addr().String())
	require.NoError(t, err)
	sendTo(t, conn, counted(decoyMessage(1), decoyMessage(2)))
	require.Eventually(t, func() bool { return len(sink.raws()) == 2 }, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	_ = conn.Close()
	assert.Equal(t, "127.0.0.1", in.IngestStatus().Sources[0].Name)
}

// certificateFor makes a certificate for decnet.example.
func certificateFor(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"decnet.example"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
