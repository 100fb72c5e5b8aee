package testutil

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// memoryListener is a net.Listener without a network: real HTTP, no port to
// collide on, and connections that a testing/synctest bubble can wait for.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemoryListener() *memoryListener {
	return &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept implements [net.Listener].
func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements [net.Listener].
func (l *memoryListener) Addr() net.Addr { return memoryAddr("192.0.2.1:54321") }

// dial connects a client.
func (l *memoryListener) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- addressed{server}:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("dial: %w", ctx.Err())
	}
}

// addressed gives a pipe the addresses that a network would.
type addressed struct{ net.Conn }

func (addressed) RemoteAddr() net.Addr { return memoryAddr("192.0.2.10:40000") }
func (addressed) LocalAddr() net.Addr  { return memoryAddr("192.0.2.1:54321") }

// memoryAddr is an address of RFC 5737, which no host has.
type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }
