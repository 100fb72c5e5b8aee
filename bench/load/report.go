package load

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is how a load went. Times are in milliseconds, at most three percent too
// long.
type Report struct {
	Mode  Mode   `json:"mode"`
	URL   string `json:"url"`
	Users int    `json:"users"`
	Seed  uint64 `json:"seed"`
	// Seconds is how long it took until the last answer came.
	Seconds float64 `json:"seconds"`
	// Interrupted says that it was ended before its time.
	Interrupted bool `json:"interrupted,omitempty"`
	// Total is of all endpoints but that its times leave out logins, which are slow on
	// purpose.
	Total     Line   `json:"total"`
	Endpoints []Line `json:"endpoints"`
	// Wrong are answers that were not what they must be; they are among the errors.
	Wrong int64 `json:"wrong"`
	// Service is what the service took, nil when it can't be told, which ServiceNote
	// explains; Load is what the load maker took.
	Service     *Usage `json:"service,omitempty"`
	ServiceNote string `json:"service_note,omitempty"`
	Load        *Usage `json:"load,omitempty"`
	// Fed is what came in meanwhile, nil where nothing was to.
	Fed *Fed `json:"fed,omitempty"`
	// Windows are of five seconds in a mix and sustained, of one in a spike.
	Windows []Window     `json:"windows"`
	Drift   *Drift       `json:"drift,omitempty"`
	Spike   *SpikeReport `json:"spike,omitempty"`
}

// Line is what became of the requests of an endpoint.
type Line struct {
	Name   string `json:"name"`
	Weight int    `json:"weight,omitempty"`
	// Count are good answers; only those have times.
	Count int64   `json:"count"`
	Rate  float64 `json:"rate"`
	Times
	// Shed are refusals for overload (503 with Retry-After), Throttled refusals of
	// logins (429).
	Shed      int64            `json:"shed"`
	Throttled int64            `json:"throttled"`
	Failed    int64            `json:"failed"`
	Errors    map[string]int64 `json:"errors,omitempty"`
}

// Times are quantiles of latency in milliseconds.
type Times struct {
	P50 float64 `json:"p50_ms"`
	P95 float64 `json:"p95_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

func timesOf(h *histogram) Times {
	return Times{
		P50: milliseconds(h.quantile(0.5)), P95: milliseconds(h.quantile(0.95)), P99: milliseconds(h.quantile(0.99)),
		Max: float64(h.max.Load()) / 1000,
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Window is a piece of the time.
type Window struct {
	// From is when it began, in seconds since the load did.
	From  float64 `json:"from"`
	Users int     `json:"users"`
	Count int64   `json:"count"`
	Times
}

// Drift is how latencies changed from the first third of the time to the last:
// 1 means not at all, 2 that they doubled.
type Drift struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// Fine reports whether there were no errors.
func (r *Report) Fine() bool { return r.Total.Failed == 0 && (r.Fed == nil || r.Fed.Problem == "") }

// report gathers what was counted.
func (r *run) report(took time.Duration) *Report {
	rep := &Report{
		Mode: r.options.Mode, URL: r.options.URL, Users: r.options.Users, Seed: r.options.Seed, Seconds: took.Seconds(),
		Total: Line{Name: "total", Errors: map[string]int64{}},
	}
	seconds := max(took.Seconds(), 0.001)
	all := &rep.Total
	for i := range r.tallies {
		line := r.line(i)
		line.Rate = float64(line.Count) / seconds
		rep.Endpoints = append(rep.Endpoints, line)
		all.Count += line.Count
		all.Shed += line.Shed
		all.Throttled += line.Throttled
		all.Failed += line.Failed
		for kind, n := range line.Errors {
			all.Errors[kind] += n
			if strings.HasPrefix(kind, wrongKind) {
				rep.Wrong += n
			}
		}
	}
	all.Rate = float64(all.Count) / seconds
	end := time.Duration(len(r.windows.list)) * windowLength
	all.Times = timesOf(r.windows.between(0, end))
	r.addWindows(rep, took)
	return rep
}

func (r *run) line(i int) Line {
	t, e := &r.tallies[i], &r.requests.list[i]
	line := Line{
		Name: e.name, Weight: e.weight, Count: t.good.n.Load(), Times: timesOf(&t.good),
		Shed: t.shed.Load(), Throttled: t.throttled.Load(), Errors: t.failures(),
	}
	for _, n := range line.Errors {
		line.Failed += n
	}
	return line
}

// addWindows adds what changed in the course of time.
func (r *run) addWindows(rep *Report, took time.Duration) {
	phases := r.options.phases()
	width := 5 * time.Second
	if r.options.Mode == Spike {
		width = time.Second
	}
	for from := time.Duration(0); from < min(took, lengthOf(phases)); from += width {
		h := r.windows.between(from, from+width)
		users, _ := usersAt(phases, from)
		rep.Windows = append(rep.Windows, Window{From: from.Seconds(), Users: users, Count: h.n.Load(), Times: timesOf(h)})
	}
	if r.options.Mode == Spike {
		rep.Spike = r.spike()
		return
	}
	third := (min(took, r.options.Duration) / 3).Truncate(windowLength)
	first, last := r.windows.between(0, third), r.windows.between(2*third, 3*third)
	if a, b := timesOf(first), timesOf(last); a.P50 > 0 && a.P99 > 0 {
		rep.Drift = &Drift{P50: b.P50 / a.P50, P99: b.P99 / a.P99}
	}
}

// kinds are the names of errors, the most frequent first.
func kinds(errors map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(errors), func(a, b string) int {
		if errors[a] != errors[b] {
			return int(errors[b] - errors[a])
		}
		return strings.Compare(a, b)
	})
}
