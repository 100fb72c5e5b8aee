package load

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"time"
)

// user is one dashboard: a connection, and one request after the other.
type user struct {
	*run
	number int
	rand   *rand.Rand
	conn   *conn
	check  checker
	// request is used again for each one.
	request []byte
	// body is that of the answer at hand, and goes back to the run with it.
	body  *bytes.Buffer
	pause *time.Timer
}

func (r *run) newUser(number int) *user {
	pause := time.NewTimer(time.Hour)
	pause.Stop()
	return &user{
		run: r, number: number, pause: pause, check: checker{floors: &r.floors},
		rand: rand.New(rand.NewPCG(r.options.Seed, uint64(number))), //nolint:gosec // it chooses what is asked; nothing is kept secret by it
	}
}

// work goes on until the user is not wanted any more, or the context is done. A
// request that was sent is answered first, unless the context is done.
func (u *user) work(ctx context.Context) {
	defer func() {
		u.pause.Stop()
		if u.conn != nil {
			u.conn.close()
		}
	}()
	for u.think(ctx) && int64(u.number) < u.wanted.Load() {
		u.ask(ctx, u.requests.choose(u.rand.IntN(u.requests.total)))
	}
}

// think pauses; it returns false when the context is done.
func (u *user) think(ctx context.Context) bool {
	d := u.options.ThinkMin
	if spread := u.options.ThinkMax - u.options.ThinkMin; spread > 0 {
		d += time.Duration(u.rand.Int64N(int64(spread) + 1))
	}
	u.pause.Reset(d)
	select {
	case <-u.pause.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// ask sends one request and counts what comes of it.
func (u *user) ask(ctx context.Context, i int) {
	e := &u.requests.list[i]
	offset := 0
	if e.offsets > 0 {
		offset = u.rand.IntN(e.offsets)
	}
	sampled := u.rand.IntN(u.options.SampleEvery) == 0
	u.request = u.requests.appendTo(u.request[:0], i, offset)
	u.check.sending()
	began := u.options.Now()
	a, err := u.exchange(ctx, e)
	ended := u.options.Now()
	defer u.release()
	if ctx.Err() != nil {
		return // cut off by us
	}
	if err == nil && a.status == http.StatusOK && e.kind != kindStream {
		err = u.verify(e, &a, sampled)
	}
	if u.tallies[i].count(e, &a, ended.Sub(began), err) && e.kind != kindLogin {
		// Checking a password is slow on purpose and would hide all else.
		u.windows.record(ended, ended.Sub(began))
	}
}

// release gives the body back.
func (u *user) release() {
	if u.body != nil {
		u.bodies.Put(u.body)
		u.body = nil
	}
}

// exchange sends the request over the user's connection, which it opens if need
// be; a stream has one of its own.
func (u *user) exchange(ctx context.Context, e *endpoint) (answer, error) {
	if e.kind == kindStream {
		c, err := u.open(ctx)
		if err != nil {
			return answer{}, err
		}
		defer c.close()
		return c.openStream(u.request, u.asked)
	}
	if u.conn == nil {
		c, err := u.open(ctx)
		if err != nil {
			return answer{}, err
		}
		u.conn = c
	} else if err := u.limit(ctx, u.conn); err != nil {
		return answer{}, err
	}
	a, err := u.conn.exchange(u.request, u.asked, func() *bytes.Buffer {
		u.body = u.bodies.Get().(*bytes.Buffer)
		return u.body
	})
	if err != nil || a.last {
		u.conn.close()
		u.conn = nil
	}
	return a, err
}

func (u *user) open(ctx context.Context) (*conn, error) {
	c, err := u.target.dial(ctx, u.options.Timeout)
	if err != nil {
		return nil, err
	}
	if err := u.limit(ctx, c); err != nil {
		_ = c.Close()
		return nil, err
	}
	c.endWith(ctx)
	return c, nil
}

// limit bounds the next exchange of a connection. The deadline is one of the
// operating system's clock, whatever clock latencies are measured with.
func (u *user) limit(ctx context.Context, c *conn) error {
	if err := c.SetDeadline(time.Now().Add(u.options.Timeout)); err != nil {
		return err
	}
	return ctx.Err() // whose end may have come before the deadline was set
}

// verify looks at an answer: at all of them from outside, at some from inside.
func (u *user) verify(e *endpoint, a *answer, sampled bool) error {
	if err := verifyMedia(a); err != nil || !sampled {
		return err
	}
	return e.check(&u.check, a.body)
}

func verifyMedia(a *answer) error {
	if a.media != jsonMedia {
		return wrong("media type %q instead of JSON", a.media)
	}
	if !isWhole(a.body) {
		return wrong("a body that is no whole JSON")
	}
	return nil
}
