//go:build fuzz

package engine

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// headTooLarge reports whether the head is larger than the server of the world
// takes, so that no handler may see the request.
func (w *World) headTooLarge(req *http.Request) bool {
	if w.Server == nil {
		return false
	}
	most := w.Server(w.Handler).MaxHeaderBytes
	if most <= 0 {
		most = http.DefaultMaxHeaderBytes
	}
	n := len(req.Method) + len(req.URL.RequestURI())
	for name, values := range req.Header {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	return n > most
}

// serve sends the request to the server of the world through a pipe. It answers
// what is too large by itself, and net/http allows a little more than was asked
// for, so that what it does is not repeated here but asked.
func (w *World) serve(ctx context.Context, cancel context.CancelFunc, req *http.Request, streams bool, x *Exchange) {
	var handling sync.WaitGroup
	server := w.Server(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		handling.Add(1)
		defer handling.Done()
		w.Handler.ServeHTTP(rw, r)
	}))
	closed := make(chan struct{})
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	near, far := newDuplex()
	listener := &oneConn{conn: far, done: make(chan struct{})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // it ends with the listener
	transport := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil },
	}
	once := &World{Client: &http.Client{Transport: transport}}
	once.ask(ctx, cancel, req, streams, x)
	handling.Wait()
	_, _ = near.Close(), listener.Close()
	serving.Wait()
	if w.closing == nil {
		<-closed
		return
	}
	w.closing.Go(func() { <-closed })
}

// duplex is one end of a connection in memory whose directions end apart, as
// those of TCP do: net/http refuses a large head while the client still writes
// it, and its answer must be read even so.
type duplex struct{ in, out net.Conn }

func newDuplex() (client, server *duplex) {
	clientIn, serverOut := net.Pipe()
	serverIn, clientOut := net.Pipe()
	return &duplex{clientIn, clientOut}, &duplex{serverIn, serverOut}
}

// The methods of [net.Conn], whose errors net/http wants as they are.

func (d *duplex) Read(p []byte) (int, error)         { return d.in.Read(p) }   //nolint:wrapcheck // see above
func (d *duplex) Write(p []byte) (int, error)        { return d.out.Write(p) } //nolint:wrapcheck // see above
func (d *duplex) Close() error                       { return errors.Join(d.in.Close(), d.out.Close()) }
func (d *duplex) LocalAddr() net.Addr                { return d.in.LocalAddr() }
func (d *duplex) SetReadDeadline(t time.Time) error  { return d.in.SetReadDeadline(t) }   //nolint:wrapcheck // see above
func (d *duplex) SetWriteDeadline(t time.Time) error { return d.out.SetWriteDeadline(t) } //nolint:wrapcheck // see above
func (d *duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.in.SetReadDeadline(t), d.out.SetWriteDeadline(t))
}

// RemoteAddr is that of [World.call].
func (*duplex) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 10), Port: 40000} }

// CloseWrite implements what net/http looks for. After it the client need not wait
// for the pause that net/http makes before it closes.
func (d *duplex) CloseWrite() error { return d.out.Close() } //nolint:wrapcheck // see above

// oneConn is a listener with one connection.
type oneConn struct {
	conn  net.Conn
	taken sync.Once
	close sync.Once
	done  chan struct{}
}

// Accept implements [net.Listener].
func (l *oneConn) Accept() (net.Conn, error) {
	var c net.Conn
	l.taken.Do(func() { c = l.conn })
	if c != nil {
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

// Close implements [net.Listener].
func (l *oneConn) Close() error {
	l.close.Do(func() { close(l.done) })
	return nil
}

// Addr implements [net.Listener].
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }
