package trap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// DataPorts lets the client of one session open a second connection, as FTP's
// passive mode wants: to a port of the same machine, one at a time, and nobody
// but the client's own address gets in. A nil *DataPorts has no port to give.
type DataPorts struct {
	from   netip.Addr
	listen func(ctx context.Context) (net.Listener, error)
	wrap   func(net.Conn) net.Conn

	mu     sync.Mutex
	socket net.Listener
	conn   net.Conn
	closed bool
}

// NewDataPorts makes those of a session from an address. The listener is opened by
// listen; wrap lays the limits of the session upon a connection.
func NewDataPorts(from netip.Addr, listen func(ctx context.Context) (net.Listener, error), wrap func(net.Conn) net.Conn) *DataPorts {
	return &DataPorts{from: from, listen: listen, wrap: wrap}
}

var errNoDataPort = errors.New("there is no port for data")

// Open opens a port and returns its number. The one before, and its connection,
// are closed.
func (d *DataPorts) Open(ctx context.Context) (int, error) {
	if d == nil {
		return 0, errNoDataPort
	}
	d.end(false)
	l, err := d.listen(ctx)
	if err != nil {
		return 0, fmt.Errorf("a port for data: %w", err)
	}
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok || !d.keep(l, nil) {
		_ = l.Close()
		return 0, errNoDataPort
	}
	return at.Port, nil
}

// keep remembers what is open, unless the session has ended.
func (d *DataPorts) keep(l net.Listener, c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.socket, d.conn = l, c
	return true
}

// Accept waits for the client to connect to the open port, and closes the port.
// Whoever else connects is sent away.
func (d *DataPorts) Accept(patience time.Duration) (net.Conn, error) {
	if d == nil {
		return nil, errNoDataPort
	}
	d.mu.Lock()
	l := d.socket
	d.mu.Unlock()
	if l == nil {
		return nil, errNoDataPort
	}
	defer l.Close() //nolint:errcheck // one connection is all that it is for
	if s, ok := l.(interface{ SetDeadline(t time.Time) error }); ok {
		_ = s.SetDeadline(time.Now().Add(patience))
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return nil, fmt.Errorf("wait for the connection for data: %w", err)
		}
		remote, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil || remote.Addr().Unmap().WithZone("") != d.from {
			_ = c.Close()
			continue
		}
		if !d.keep(nil, c) {
			_ = c.Close()
			return nil, errNoDataPort
		}
		return d.wrap(c), nil
	}
}

// Close closes what is open, for good. The driver calls it when the session ends.
func (d *DataPorts) Close() { d.end(true) }

func (d *DataPorts) end(forGood bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.socket != nil {
		_ = d.socket.Close()
	}
	if d.conn != nil {
		_ = d.conn.Close()
	}
	d.socket, d.conn, d.closed = nil, nil, d.closed || forGood
}
