package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// run is one load under way.
type run struct {
	options  Options
	token    string // of the account
	target   target
	asked    *http.Request
	requests *requests
	tallies  []tally
	windows  windows
	floors   floors
	// bodies are buffers of bytes that no user needs at the moment.
	bodies sync.Pool
	// wanted is how many users there should be: those whose number is not below it
	// leave.
	wanted atomic.Int64
}

// phase is a time in which the number of users goes from one to another.
type phase struct {
	length   time.Duration
	from, to int
}

func (o *Options) phases() []phase {
	if o.Mode != Spike {
		return []phase{{o.Duration, o.Users, o.Users}}
	}
	few := min(SpikeUsers, o.Users)
	return []phase{{spikeCalm, few, few}, {spikeRise, few, o.Users}, {spikeHold, o.Users, o.Users}, {o.Duration, few, few}}
}

// usersAt returns how many users there should be at a time, and whether that is
// before the end.
func usersAt(phases []phase, at time.Duration) (users int, more bool) {
	for _, p := range phases {
		if at < p.length {
			return p.from + int(float64(p.to-p.from)*float64(at)/float64(p.length)), true
		}
		at -= p.length
	}
	return 0, false
}

func lengthOf(phases []phase) (sum time.Duration) {
	for _, p := range phases {
		sum += p.length
	}
	return sum
}

// ErrLogin says that the account can't be used for a load.
var ErrLogin = errors.New("no login")

// Run makes the load and returns how it went. A service that can't be logged in to
// is an error; what goes wrong under load is in the report. When ctx is done, all
// is ended at once, and the report tells of what was until then.
func Run(ctx context.Context, o Options) (*Report, error) {
	root, err := o.complete()
	if err != nil {
		return nil, err
	}
	asked, err := http.NewRequestWithContext(ctx, http.MethodGet, o.URL, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("the service's URL: %w", err)
	}
	r := &run{options: o, target: newTarget(root), asked: asked, bodies: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
	login, err := json.Marshal(map[string]string{"username": o.Username, "password": o.Password})
	if err != nil {
		return nil, fmt.Errorf("encode the login: %w", err)
	}
	token, err := r.login(ctx, login)
	if err != nil {
		return nil, err
	}
	r.token = token
	list := mix()
	r.requests = render(list, r.target.host, token, login)
	r.tallies = make([]tally, len(list))
	return r.measure(ctx), nil
}

// login takes the token with which all users ask.
func (r *run) login(ctx context.Context, body []byte) (string, error) {
	list := []endpoint{{path: "/api/v1/auth/login", kind: kindLogin, weight: 1}}
	u := r.newUser(0)
	u.requests = render(list, r.target.host, "", body)
	u.request = u.requests.appendTo(nil, 0, 0)
	a, err := u.exchange(ctx, &list[0])
	if u.conn != nil {
		defer u.conn.close()
	}
	if err != nil {
		return "", fmt.Errorf("log in at %s: %w", r.options.URL, err)
	}
	if a.status != http.StatusOK {
		return "", fmt.Errorf("%w as %s: status %d", ErrLogin, r.options.Username, a.status)
	}
	if err := verifyMedia(&a); err != nil {
		return "", fmt.Errorf("%w as %s: %w", ErrLogin, r.options.Username, err)
	}
	token, err := tokenOf(a.body)
	if err != nil {
		return "", fmt.Errorf("%w as %s: %w", ErrLogin, r.options.Username, err)
	}
	return token, nil
}

// tick is how often the number of users is set.
const tick = 10 * time.Millisecond

// crew lets users come and go by the phases, and waits for all of them.
func (r *run) crew(ctx context.Context, phases []phase) {
	var all sync.WaitGroup
	defer all.Wait()
	defer r.wanted.Store(0)
	clock := time.NewTicker(tick)
	defer clock.Stop()
	came := 0
	for {
		users, more := usersAt(phases, r.options.Now().Sub(r.windows.begin))
		if !more {
			return
		}
		r.wanted.Store(int64(users))
		for ; came < users; came++ {
			u := r.newUser(came)
			all.Go(func() { u.work(ctx) })
		}
		select {
		case <-clock.C:
		case <-ctx.Done():
			return
		}
	}
}

// measure makes the load and gathers what came of it.
func (r *run) measure(ctx context.Context) *Report {
	phases := r.options.phases()
	length := lengthOf(phases)
	client := &http.Client{Transport: &http.Transport{}, Timeout: r.options.Timeout}
	defer client.CloseIdleConnections()
	service := watch(ctx, r.options.Now, func(ctx context.Context) (reading, error) {
		if r.options.PID != 0 {
			return readProc(r.options.PID)
		}
		return r.scrape(ctx, client)
	})
	own := watch(ctx, r.options.Now, func(context.Context) (reading, error) { return readProc(os.Getpid()) })
	fed := func() *Fed { return nil }
	if feed := r.options.Feed; feed != nil {
		fed = feed.start(ctx, r.options.Now, func(ctx context.Context) (intake, error) { return r.intake(ctx, client) })
	}
	r.windows.begin = r.options.Now()
	// Answers that come late have windows of their own, so that they don't count as
	// the last ones.
	r.windows.list = make([]histogram, (length+r.options.Timeout)/windowLength+1)
	r.crew(ctx, phases)
	took := r.options.Now().Sub(r.windows.begin)
	rep := r.report(took)
	rep.Fed = fed()
	rep.Interrupted = ctx.Err() != nil
	var err error
	if rep.Service, err = service(); err != nil {
		rep.ServiceNote = err.Error()
	}
	rep.Load, _ = own() // where there is no /proc nobody is told
	return rep
}
