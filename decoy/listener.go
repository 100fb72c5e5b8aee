package decoy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"decnet/decoy/trap"
	"decnet/fleet"
)

// binding is what answers at a listener.
type binding struct {
	machine *machine
	env     trap.Env
	service trap.Service
	// port is that of the imitated service.
	port int
}

// listener is one socket of the fleet. What answers there may change while it
// is open.
type listener struct {
	at    place
	bound atomic.Pointer[binding]

	open, total, shed atomic.Int64
	ctx               context.Context //nolint:containedctx // the life of the socket
	close             context.CancelFunc

	mu       sync.Mutex
	socket   socket
	state    fleet.RunState
	problem  string
	restarts int64
	told     time.Time
}

// socket is a listening TCP or UDP socket: one of both is set.
type socket struct {
	tcp net.Listener
	udp net.PacketConn
}

func (s socket) close() {
	if s.tcp != nil {
		_ = s.tcp.Close()
	}
	if s.udp != nil {
		_ = s.udp.Close()
	}
}

// open opens a listener. Its close function ends it.
func (d *Driver) open(ctx context.Context, at place) (*listener, error) {
	s, err := d.openSocket(ctx, at)
	if err != nil {
		return nil, err
	}
	l := &listener{at: at, socket: s, state: fleet.Running}
	l.ctx, l.close = context.WithCancel(d.life)
	context.AfterFunc(l.ctx, func() { //nolint:contextcheck // the socket lives as long as the driver
		l.mu.Lock()
		defer l.mu.Unlock()
		l.socket.close()
	})
	return l, nil
}

func (d *Driver) openSocket(ctx context.Context, at place) (s socket, err error) {
	if at.network == "udp" {
		s.udp, err = d.o.ListenPacket(ctx, at.network, at.addr.String())
		return s, err
	}
	s.tcp, err = d.o.Listen(ctx, at.network, at.addr.String())
	return s, err
}

func (l *listener) status() fleet.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bound.Load()
	return fleet.Status{
		Decky: b.machine.name, Service: b.env.Service, Network: l.at.network, Port: b.port,
		Address: l.at.addr.String(), State: l.state, Error: l.problem, Restarts: l.restarts,
		Open: l.open.Load(), Total: l.total.Load(), Shed: l.shed.Load(),
	}
}

// run serves a listener until it is closed, and opens its socket again when that
// ends by itself.
func (d *Driver) run(l *listener) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 30*time.Second
	for {
		began := time.Now()
		err := d.serve(l)
		if l.ctx.Err() != nil {
			return
		}
		if time.Since(began) > pause.MaxInterval {
			pause.Reset()
		}
		d.failed(l, err)
		for err != nil {
			if !sleep(l.ctx, pause.NextBackOff()) {
				return
			}
			if err = d.reopen(l); err != nil {
				d.failed(l, explain(l.at, err))
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (d *Driver) failed(l *listener, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.socket.close()
	l.state, l.problem = fleet.BackingOff, err.Error()
	d.o.Log.Warn("a listener of a decoy ended and is opened again",
		slog.String("address", l.at.addr.String()), slog.Any("error", err))
}

func (d *Driver) reopen(l *listener) error {
	s, err := d.openSocket(l.ctx, l.at)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.ctx.Err(); err != nil {
		s.close()
		return err
	}
	l.socket, l.state = s, fleet.Running
	l.restarts++
	return nil
}

// serve returns when the socket fails or is closed.
func (d *Driver) serve(l *listener) error {
	l.mu.Lock()
	s := l.socket
	l.mu.Unlock()
	if s.udp != nil {
		return d.servePackets(l, s.udp)
	}
	for {
		c, err := s.tcp.Accept()
		if err != nil {
			if exhausted(err) && sleep(l.ctx, 50*time.Millisecond) {
				continue // the process has no file descriptor left; the sessions give some back
			}
			return fmt.Errorf("accept: %w", err)
		}
		d.accepted(l, c)
	}
}

func exhausted(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout() || isOutOfFiles(err)
}

// accepted begins a session, or refuses it.
func (d *Driver) accepted(l *listener, c net.Conn) {
	b := l.bound.Load()
	remote := remoteOf(c.RemoteAddr())
	l.total.Add(1)
	if why := d.gate.enter(b.machine.name, b.env.Service, remote.Addr()); why != "" {
		d.refused(l, b, why)
		_ = c.Close()
		return
	}
	l.open.Add(1)
	d.tasks.Go(func() {
		defer l.open.Add(-1)
		defer d.gate.leave(b.machine.name, b.env.Service, remote.Addr())
		d.talk(b, c, remote)
	})
}

// refused counts a session or a datagram that wasn't served, and says so in the
// log once a minute.
func (d *Driver) refused(l *listener, b *binding, why string) {
	n := l.shed.Add(1)
	l.mu.Lock()
	quiet := time.Since(l.told) < time.Minute
	if !quiet {
		l.told = time.Now()
	}
	l.mu.Unlock()
	if !quiet {
		d.o.Log.Warn("a decoy refuses connections", slog.String("decky", b.machine.name),
			slog.String("service", b.env.Service), slog.String("reason", why), slog.Int64("refused", n))
	}
}

func remoteOf(a net.Addr) netip.AddrPort {
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{} // not a network of addresses; only a test's
	}
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}

// talk serves one connection from its begin to its end.
func (d *Driver) talk(b *binding, c net.Conn, remote netip.AddrPort) {
	ctx, cancel := context.WithTimeout(b.machine.ctx, d.o.Limits.Life)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	defer c.Close() //nolint:errcheck // it may be closed already
	began := time.Now()
	limited := &limitedConn{
		Conn: c, end: began.Add(d.o.Limits.Life), idle: d.o.Limits.Idle, maxIn: d.o.Limits.In, maxOut: d.o.Limits.Out,
	}
	data := trap.NewDataPorts(remote.Addr(), func(ctx context.Context) (net.Listener, error) {
		return d.o.Listen(ctx, "tcp", netip.AddrPortFrom(remoteOf(c.LocalAddr()).Addr(), 0).String())
	}, limited.beside)
	defer data.Close()
	defer context.AfterFunc(ctx, data.Close)()
	events := &counter{to: d.journal}
	s := &trap.Session{Conn: limited, Peer: trap.Peer{
		Env: b.env, ID: trap.NewID(), Remote: remote, Port: b.port,
		SourceKey: b.service.SourceKey, Recorder: events,
	}, Data: data}
	name := greeting(b.env.Service)
	if name != "" {
		s.Record(name)
	}
	d.guard(b, func() { b.service.TCP.Serve(ctx, s) })
	if name == "" && events.n.Load() > 0 {
		return // its requests tell of the session
	}
	if name == "" {
		s.Record("connect")
	}
	s.Record("disconnect",
		trap.Field{Key: "duration_s", Value: strconv.FormatFloat(time.Since(began).Seconds(), 'f', 3, 64)},
		trap.Field{Key: "bytes_in", Value: strconv.FormatInt(limited.in.Load(), 10)},
		trap.Field{Key: "bytes_out", Value: strconv.FormatInt(limited.out.Load(), 10)},
	)
}

// greeting is the event that begins a session of a service; "" for those whose
// requests are events of their own, of which a client without a request is told
// at its end.
func greeting(service string) string {
	switch service {
	case "http", "https", "k8s", "docker_api", "elasticsearch":
		return ""
	case "ftp", "rdp", serviceSSH, "telnet":
		return "connection"
	default:
		return "connect"
	}
}

// guard keeps a panic of a service from ending more than its session.
func (d *Driver) guard(b *binding, f func()) {
	defer func() {
		if r := recover(); r != nil {
			d.o.Log.Error("a decoy panicked", slog.String("decky", b.machine.name), slog.String("service", b.env.Service),
				slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
		}
	}()
	f()
}

// counter counts the events of a session.
type counter struct {
	to trap.Recorder
	n  atomic.Int64
}

// Record implements [trap.Recorder].
func (c *counter) Record(e trap.Event) {
	c.n.Add(1)
	c.to.Record(e)
}
