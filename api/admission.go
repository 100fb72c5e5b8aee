package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"decnet/repo"
)

// Admission bounds the work that the server takes on at once; the zero value is
// the default. What a cache answers, probes, metrics, streams, exports, logins and
// pushes have bounds of their own or need none, and are not counted.
type Admission struct {
	// Reads and Searches are how many requests may ask the store at once: those that
	// an index answers, and those that look into texts. 0 means four for each
	// processor, of either kind.
	Reads, Searches int
	// Waiting is how many more of each kind may wait for a place; 0 means 64 for each place.
	Waiting int
	// Patience is how long a request waits for a place; 0 means 500 ms.
	Patience time.Duration
}

func (a Admission) withDefaults() Admission {
	if a.Reads <= 0 {
		a.Reads = 4 * runtime.GOMAXPROCS(0)
	}
	if a.Searches <= 0 {
		a.Searches = 4 * runtime.GOMAXPROCS(0)
	}
	if a.Patience <= 0 {
		a.Patience = 500 * time.Millisecond
	}
	return a
}

// admission are the gates before the store. Searches have one of their own: however
// many there are, they take no place of another read.
type admission struct{ reads, searches *gate }

func newAdmission(a Admission, now func() time.Time, log *slog.Logger) *admission {
	a = a.withDefaults()
	newGate := func(kind string, places int) *gate {
		most := a.Waiting
		if most <= 0 {
			most = 64 * places
		}
		return &gate{
			kind: kind, places: semaphore.NewWeighted(int64(places)), most: int64(most), patience: a.Patience, now: now, log: log,
		}
	}
	return &admission{reads: newGate("read", a.Reads), searches: newGate("search", a.Searches)}
}

// crowded reports whether requests wait for a place.
func (a *admission) crowded() bool { return a.reads.waiting.Load()+a.searches.waiting.Load() > 0 }

// gate lets a number of requests work at once. The next ones wait, first come, first
// served, and not for long; beyond them a request is turned away at once. So what is
// accepted is answered soon, however much is asked.
type gate struct {
	kind     string
	places   *semaphore.Weighted
	most     int64
	patience time.Duration
	now      func() time.Time
	log      *slog.Logger

	waiting, shed atomic.Int64
	// told is when it was logged last that requests are turned away, in nanoseconds
	// since 1970.
	told atomic.Int64
}

// errShed is why a request was turned away. It has no line in the log of its own:
// a thousand a second would hide all others.
var errShed = errors.New("there was no place to work")

// tellEvery is the pace at which overload is logged.
const tellEvery = 10 * time.Second

// turnAway counts a request that gets no place.
func (g *gate) turnAway(ctx context.Context) error {
	n := g.shed.Add(1)
	now, last := g.now().UnixNano(), g.told.Load()
	if now-last >= int64(tellEvery) && g.told.CompareAndSwap(last, now) {
		g.log.LogAttrs(ctx, slog.LevelWarn, "more is asked than can be answered: requests are turned away with 503",
			slog.String("work", g.kind), slog.Int64("since_start", n))
	}
	return errOverloaded.because(errShed)
}

// enter waits for a place, which leave gives back. It returns [errOverloaded] when
// there are too many that wait or the wait takes too long, and the context's error
// when the client gives up.
func (g *gate) enter(ctx context.Context) error {
	if g.places.TryAcquire(1) { // which is never ahead of one that waits
		return nil
	}
	if g.waiting.Add(1) > g.most {
		g.waiting.Add(-1)
		return g.turnAway(ctx)
	}
	defer g.waiting.Add(-1)
	limited, cancel := context.WithTimeout(ctx, g.patience)
	defer cancel()
	err := g.places.Acquire(limited, 1)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("wait for a place: %w", ctx.Err())
	default:
		return g.turnAway(ctx)
	}
}

func (g *gate) leave() { g.places.Release(1) }

// work takes a place for the request, which it has until its handler returns. A
// handler calls it once, before it asks the store for what no cache holds.
func (c *call) work(search bool) error {
	g := c.admission.reads
	if search {
		g = c.admission.searches
	}
	if err := g.enter(c.Context()); err != nil {
		return err
	}
	c.place = g
	return nil
}

// rest gives the place back, if the request has one.
func (c *call) rest() {
	if c.place != nil {
		c.place.leave()
		c.place = nil
	}
}

// looksIntoTexts reports whether a search has a condition that no index of a column
// answers.
func looksIntoTexts(e repo.Expr) bool {
	switch e := e.(type) {
	case nil, repo.Equals:
		return false
	case repo.And:
		for _, part := range e {
			if looksIntoTexts(part) {
				return true
			}
		}
		return false
	default:
		return true
	}
}

// admissionCollector reads the gates when Prometheus asks.
type admissionCollector struct{ *admission }

func (admissionCollector) describe() (shed, waiting *prometheus.Desc) {
	label := []string{"work"}
	return prometheus.NewDesc("decnet_http_shed_total", "Requests turned away with 503 because too many were at work, by the kind of work.", label, nil),
		prometheus.NewDesc("decnet_http_waiting", "Requests that wait for a place to work, by the kind of work.", label, nil)
}

// Describe implements [prometheus.Collector].
func (c admissionCollector) Describe(ch chan<- *prometheus.Desc) {
	shed, waiting := c.describe()
	ch <- shed
	ch <- waiting
}

// Collect implements [prometheus.Collector].
func (c admissionCollector) Collect(ch chan<- prometheus.Metric) {
	shed, waiting := c.describe()
	for _, g := range []*gate{c.reads, c.searches} {
		ch <- prometheus.MustNewConstMetric(shed, prometheus.CounterValue, float64(g.shed.Load()), g.kind)
		ch <- prometheus.MustNewConstMetric(waiting, prometheus.GaugeValue, float64(g.waiting.Load()), g.kind)
	}
}
