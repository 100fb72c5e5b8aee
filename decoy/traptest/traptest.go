// Package traptest runs one imitated service for a test: over real sockets on
// the loopback interface, with an own host, quarantine and recorder.
package traptest

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"decnet/decoy/trap"
)

// Bench is a service under test.
type Bench struct {
	// Env is what the service was made with.
	Env trap.Env
	// Service is what the maker made.
	Service trap.Service
	// QuarantineDir is where uploads are kept.
	QuarantineDir string

	t     testing.TB
	ctx   context.Context //nolint:containedctx // it is the life of the bench
	wg    sync.WaitGroup
	mu    sync.Mutex
	news  chan struct{}
	event []trap.Event
}

// Options change what a service is made with.
type Options struct {
	Service string
	Config  trap.Config
	// Identity overrules what isn't zero.
	Identity trap.Identity
	// Now is the clock; nil is a fixed instant.
	Now func() time.Time
}

// New makes the service. What it leaves open fails the test.
func New(t testing.TB, make trap.Maker, o Options) *Bench {
	t.Helper()
	id := trap.Identity{
		Decky: "decky-01", Hostname: "srv-web-07", Distro: "debian", System: "linux",
		Addr: netip.MustParseAddr("10.0.0.5"), Secret: []byte("the secret of a test bench"), Keys: t.TempDir(),
	}
	override(&id, o.Identity)
	host, err := trap.NewHost(id)
	require.NoError(t, err)
	b := &Bench{t: t, news: newsChannel(), QuarantineDir: t.TempDir()}
	files, err := trap.OpenQuarantine(b.QuarantineDir, 1<<20, 16<<20)
	require.NoError(t, err)
	now := o.Now
	if now == nil {
		now = func() time.Time { return time.Date(2026, 4, 14, 9, 3, 24, 0, time.UTC) }
	}
	b.Env = trap.Env{
		Host: host, Service: o.Service, Config: o.Config, Files: files, Now: now, Log: slog.New(slog.DiscardHandler),
	}
	b.Service, err = make(b.Env)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	b.ctx = ctx
	t.Cleanup(func() {
		cancel()
		b.wg.Wait()
	})
	return b
}

func newsChannel() chan struct{} { return make(chan struct{}, 1) }

func override(id *trap.Identity, by trap.Identity) {
	for _, f := range []struct{ to, by *string }{
		{&id.Decky, &by.Decky},
		{&id.Hostname, &by.Hostname},
		{&id.Distro, &by.Distro},
		{&id.System, &by.System},
		{&id.Archetype, &by.Archetype},
		{&id.Keys, &by.Keys},
	} {
		if *f.by != "" {
			*f.to = *f.by
		}
	}
	if by.Addr.IsValid() {
		id.Addr = by.Addr
	}
	if by.Secret != nil {
		id.Secret = by.Secret
	}
}

// Record implements [trap.Recorder].
func (b *Bench) Record(e trap.Event) {
	b.mu.Lock()
	e.Fields = append([]trap.Field(nil), e.Fields...)
	b.event = append(b.event, e)
	b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// Events returns what was recorded so far.
func (b *Bench) Events() []trap.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]trap.Event(nil), b.event...)
}

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// Wait returns the first event of that type, which must come within ten seconds.
func (b *Bench) Wait(eventType string) trap.Event {
	b.t.Helper()
	return b.WaitN(eventType, 1)[0]
}

// WaitN returns the first n events of that type.
func (b *Bench) WaitN(eventType string, n int) []trap.Event {
	b.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		var found []trap.Event
		for _, e := range b.Events() {
			if e.Type == eventType {
				found = append(found, e)
			}
		}
		if len(found) >= n {
			return found[:n]
		}
		select {
		case <-b.news:
		case <-timeout.C:
			require.FailNowf(b.t, "an event is missing", "%d of %d %q came; all: %+v", len(found), n, eventType, b.Events())
		}
	}
}

// Fields returns the details of an event by name.
func Fields(e trap.Event) map[string]string {
	m := make(map[string]string, len(e.Fields))
	for _, f := range e.Fields {
		m[f.Key] = f.Value
	}
	return m
}

// Dial opens a session to the service's TCP side, as if to that port.
func (b *Bench) Dial(port int) net.Conn {
	b.t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(b.ctx, "tcp", "127.0.0.1:0")
	require.NoError(b.t, err)
	defer l.Close() //nolint:errcheck // one connection is all that it is for
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			close(accepted)
			return
		}
		accepted <- c
	}()
	var dialer net.Dialer
	client, err := dialer.DialContext(b.ctx, "tcp", l.Addr().String())
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = client.Close() })
	server, ok := <-accepted
	require.True(b.t, ok, "accept")
	b.serve(server, port)
	require.NoError(b.t, client.SetDeadline(time.Now().Add(patience)))
	return client
}

// Listen serves every connection to the returned address, for clients that open
// theirs themselves.
func (b *Bench) Listen(port int) string {
	b.t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(b.ctx, "tcp", "127.0.0.1:0")
	require.NoError(b.t, err)
	stop := context.AfterFunc(b.ctx, func() { _ = l.Close() })
	b.t.Cleanup(func() { stop() })
	b.wg.Go(func() {
		defer l.Close() //nolint:errcheck // closed already, mostly
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.serve(c, port)
		}
	})
	return l.Addr().String()
}

func (b *Bench) serve(c net.Conn, port int) {
	s := &trap.Session{Conn: c, Peer: b.peer(c.RemoteAddr(), port)}
	s.Data = trap.NewDataPorts(s.Remote.Addr(), func(ctx context.Context) (net.Listener, error) {
		var config net.ListenConfig
		return config.Listen(ctx, "tcp", "127.0.0.1:0")
	}, func(c net.Conn) net.Conn { return c })
	b.wg.Go(func() {
		defer s.Data.Close()
		defer context.AfterFunc(b.ctx, s.Data.Close)()
		stop := context.AfterFunc(b.ctx, func() { _ = c.Close() })
		defer stop()
		defer c.Close() //nolint:errcheck // the test is over, or the client gone
		b.Service.TCP.Serve(b.ctx, s)
	})
}

func (b *Bench) peer(remote net.Addr, port int) trap.Peer {
	return trap.Peer{
		Env: b.Env, ID: trap.NewID(), Remote: netip.MustParseAddrPort(remote.String()), Port: port,
		SourceKey: b.Service.SourceKey, Recorder: b,
	}
}

// Ask sends one datagram to the service's UDP side and returns its answer.
func (b *Bench) Ask(port int, data []byte) []byte {
	b.t.Helper()
	remote := &net.UDPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 40000}
	return b.Service.UDP.Respond(b.ctx, &trap.Datagram{Peer: b.peer(remote, port), Data: data})
}
