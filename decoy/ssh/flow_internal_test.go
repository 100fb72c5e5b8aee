package ssh

import (
	"bufio"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// idle is a channel that gives out as much as it is asked for.
type idle struct{ ssh.Channel }

func (idle) Read(p []byte) (int, error) { return len(p), nil }

// A client may send only so much that nobody reads, and goes on when somebody does.
func TestFlow_HoldsUpWhoIsNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		w := &wire{Conn: ours, r: bufio.NewReaderSize(ours, 4096), done: true, flow: newFlow()}
		w.trusted.Store(true)
		go func() {
			for {
				if _, err := theirs.Write(make([]byte, 1000)); err != nil {
					return
				}
			}
		}()
		var came atomic.Int64
		failed := make(chan error, 1)
		go func() {
			buf := make([]byte, 4096)
			for {
				n, err := w.Read(buf)
				came.Add(int64(n))
				if err != nil {
					failed <- err
					return
				}
			}
		}()
		synctest.Wait()
		assert.InDelta(t, maxUnread, came.Load(), 4096)
		before := came.Load()

		ch, end := w.flow.over(idle{})
		_, err := ch.Read(make([]byte, 100_000))
		require.NoError(t, err)
		for range 100 {
			_, err = ch.Read(make([]byte, 1))
			require.NoError(t, err)
		}
		synctest.Wait()
		assert.InDelta(t, 150_000+100*65, came.Load()-before, 8192, "what was read, and what was around it")
		before = came.Load()
		end()
		synctest.Wait()
		assert.Greater(t, came.Load()-before, int64(maxUnread-8192), "with the last channel all is read")

		began := time.Now()
		require.ErrorIs(t, <-failed, errUnread)
		assert.Equal(t, unreadPatience, time.Since(began))
		require.NoError(t, ours.Close())
	})
}

func TestFlow_ClosingEndsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		w := &wire{Conn: ours, r: bufio.NewReaderSize(ours, 4096), done: true, flow: newFlow()}
		w.trusted.Store(true)
		w.flow.add(10 * maxUnread)
		failed := make(chan error, 1)
		go func() {
			_, err := w.Read(make([]byte, 1))
			failed <- err
		}()
		synctest.Wait()
		require.NoError(t, w.Close())
		require.ErrorIs(t, <-failed, net.ErrClosed)
		require.NoError(t, theirs.Close())
	})
}
