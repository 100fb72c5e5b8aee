package decoy

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// errSpent is what Read and Write return once a session has used up its bytes.
var errSpent = errors.New("the session has used up its bytes")

// limitedConn is a connection whose use is bounded. It can be read by one and
// written by another goroutine at once.
type limitedConn struct {
	net.Conn
	end           time.Time
	idle          time.Duration
	maxIn, maxOut int64
	in, out       atomic.Int64
	// whole is the connection of the session where this is one beside it: it counts
	// for both.
	whole *limitedConn

	mu sync.Mutex
	// readBy and writeBy are deadlines that the service set; zero for none.
	readBy, writeBy time.Time
}

func (c *limitedConn) Read(p []byte) (int, error) {
	left := c.maxIn - c.in.Load()
	if left <= 0 {
		return 0, errSpent
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	if err := c.Conn.SetReadDeadline(c.deadline(&c.readBy)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	c.in.Add(int64(n))
	if c.whole != nil {
		c.whole.in.Add(int64(n))
	}
	return n, err
}

func (c *limitedConn) Write(p []byte) (int, error) {
	if c.out.Add(int64(len(p))) > c.maxOut {
		return 0, errSpent
	}
	if c.whole != nil {
		c.whole.out.Add(int64(len(p)))
	}
	if err := c.Conn.SetWriteDeadline(c.deadline(&c.writeBy)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// beside lays what is left of the limits upon a second connection of the session.
func (c *limitedConn) beside(conn net.Conn) net.Conn {
	return &limitedConn{
		Conn: conn, end: c.end, idle: c.idle, maxIn: c.maxIn - c.in.Load(), maxOut: c.maxOut - c.out.Load(), whole: c,
	}
}

// deadline is the earliest of the end of the session, the idle time from now and
// what the service has asked for.
func (c *limitedConn) deadline(asked *time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := time.Now().Add(c.idle)
	if c.end.Before(d) {
		d = c.end
	}
	if !asked.IsZero() && asked.Before(d) {
		d = *asked
	}
	return d
}

// The deadlines that a service sets hold from now on, for a call that waits
// already, too; they never reach beyond those of the session.

func (c *limitedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *limitedConn) SetReadDeadline(t time.Time) error {
	c.set(&c.readBy, t)
	return c.Conn.SetReadDeadline(c.deadline(&c.readBy))
}

func (c *limitedConn) SetWriteDeadline(t time.Time) error {
	c.set(&c.writeBy, t)
	return c.Conn.SetWriteDeadline(c.deadline(&c.writeBy))
}

func (c *limitedConn) set(which *time.Time, t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*which = t
}
