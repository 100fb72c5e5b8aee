package ssh

import (
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// The bounds of what came and nobody has read. The library keeps it: up to 2 MiB
// for each channel, and it has no smaller window.
const (
	// maxUnread is in bytes. What packets have around them is never read: around is
	// let through for each small read, as of a key that was pressed, and half as much
	// again as was read, up to maxAround.
	maxUnread = 128 << 10
	maxAround = 256 << 10
	around    = 64
	small     = 1024
	// unreadPatience is how long a session waits for somebody to read.
	unreadPatience = 30 * time.Second
)

var errUnread = errors.New("nobody reads what the client sends")

// flow keeps a client from filling the memory with what no channel reads: it holds
// up the connection as long as there is too much of it.
type flow struct {
	mu sync.Mutex
	// came counts bytes of the connection, read those that channels gave out, and
	// extra what was around those that were read in small pieces.
	came, read, extra int64
	channels          int
	// room wakes the reader of the connection; ended is closed with the session.
	room  chan struct{}
	ended chan struct{}
	once  sync.Once
}

func newFlow() *flow { return &flow{room: make(chan struct{}, 1), ended: make(chan struct{})} }

// stop ends the wait, for good.
func (f *flow) stop() { f.once.Do(func() { close(f.ended) }) }

func (f *flow) add(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.came += int64(n)
}

func (f *flow) full() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.came > f.read+f.extra+maxUnread+min(f.read/2, maxAround)
}

// wait returns when there is room.
func (f *flow) wait() error {
	if !f.full() {
		return nil
	}
	t := time.NewTimer(unreadPatience)
	defer t.Stop()
	for f.full() {
		select {
		case <-f.room:
		case <-f.ended:
			return net.ErrClosed
		case <-t.C:
			return errUnread
		}
	}
	return nil
}

func (f *flow) change(do func()) {
	f.mu.Lock()
	do()
	f.mu.Unlock()
	select {
	case f.room <- struct{}{}:
	default:
	}
}

// over returns the channel, whose reads make room. The caller calls end when it
// has ended; with the last one all is read.
func (f *flow) over(ch ssh.Channel) (counted ssh.Channel, end func()) {
	f.change(func() { f.channels++ })
	return &flowing{ch, f}, func() {
		f.change(func() {
			if f.channels--; f.channels == 0 {
				f.read, f.extra = f.came, 0
			}
		})
	}
}

// flowing is a channel that counts what is read of it.
type flowing struct {
	ssh.Channel
	flow *flow
}

func (c *flowing) Read(p []byte) (int, error) {
	n, err := c.Channel.Read(p)
	c.flow.change(func() {
		c.flow.read += int64(n)
		if n < small {
			c.flow.extra += around
		}
	})
	return n, err
}
