//go:build fuzz

package engine

import (
	"context"
	"net"
	"net/http"
	"sync"
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
	near, far := net.Pipe()
	listener := &oneConn{conn: halfPipe{far}, done: make(chan struct{})}
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

// halfPipe is the server's end of a pipe. Its client does not wait for the pause
// that net/http makes before it closes a connection whose request it did not
// read: there is nothing on the way that a reset could destroy.
type halfPipe struct{ net.Conn }

// CloseWrite implements what net/http looks for.
func (h halfPipe) CloseWrite() error { return h.Close() } //nolint:wrapcheck // nobody reads it

// RemoteAddr is that of [World.call].
func (halfPipe) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 10), Port: 40000} }

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
