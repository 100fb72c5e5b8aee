package load

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// tally counts what became of the requests of one endpoint. Its methods are safe
// for concurrent use.
type tally struct {
	good            histogram
	shed, throttled atomic.Int64

	mu     sync.Mutex
	errors map[string]int64
}

func (t *tally) fail(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.errors == nil {
		t.errors = map[string]int64{}
	}
	t.errors[kind]++
}

func (t *tally) failures() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.errors)
}

// windowLength is the width of a window of time in which latencies are gathered.
const windowLength = 250 * time.Millisecond

// windows gather latencies by the time at which answers came.
type windows struct {
	begin time.Time
	list  []histogram
}

// record counts an answer; one that came behind the last window counts there.
func (w *windows) record(at time.Time, d time.Duration) {
	w.list[max(min(int(at.Sub(w.begin)/windowLength), len(w.list)-1), 0)].record(d)
}

// between sums up the windows from one time since the begin to another.
func (w *windows) between(from, to time.Duration) *histogram {
	sum := &histogram{}
	for i := int(from / windowLength); i < min(int(to/windowLength), len(w.list)); i++ {
		sum.add(&w.list[i])
	}
	return sum
}

// The kinds of errors.
const (
	wrongKind   = "wrong: "
	kindTimeout = "timeout"
	kindConnect = "connect"
	kindClosed  = "connection closed"
	kindReset   = "connection reset"
	kindOther   = "other"
)

// kindOf names an error so that equal ones are counted together.
func kindOf(err error) string {
	var bad *wrongError
	var netErr net.Error
	var opErr *net.OpError
	switch {
	case errors.As(err, &bad):
		return wrongKind + bad.why
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return kindTimeout
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return kindReset
	case errors.As(err, &opErr) && opErr.Op == "dial":
		return kindConnect
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return kindClosed
	}
	return kindOther
}

// count sorts an answer or an error in. A service that is overloaded may say so
// with Retry-After, and one that is asked for too many logins may refuse them:
// neither is an error.
func (t *tally) count(e *endpoint, a *answer, took time.Duration, err error) (good bool) {
	switch {
	case err != nil:
		t.fail(kindOf(err))
	case a.status == http.StatusServiceUnavailable && a.retryAfter:
		t.shed.Add(1)
	case a.status == http.StatusTooManyRequests && e.kind == kindLogin:
		t.throttled.Add(1)
	case a.status != http.StatusOK:
		t.fail("status " + strconv.Itoa(a.status))
	default:
		t.good.record(took)
		return true
	}
	return false
}
