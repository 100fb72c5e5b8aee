package api

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what Prometheus is told of the API.
type metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	unmatched *mounted
	handler   http.Handler
}

// routeMetrics are the metrics of one route, looked up at its first request.
type routeMetrics struct {
	begin    sync.Once
	labels   prometheus.Labels
	requests *prometheus.CounterVec
	duration prometheus.Observer
	// ok is the counter of status 200, by far the most; nil before the first.
	ok atomic.Pointer[prometheus.Counter]
}

// durationBuckets are in seconds: from a cached read to a slow search.
func durationBuckets() []float64 {
	return []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
}

func newMetrics(reg *prometheus.Registry, s *Server) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "decnet_http_requests_total", Help: "Requests answered, by route, method and status.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "decnet_http_request_duration_seconds", Help: "Time to answer, by route; streams are left out.",
			Buckets: durationBuckets(),
		}, []string{"route", "method"}),
	}
	m.unmatched = &mounted{metrics: newRouteMetrics("", "unmatched")}
	reg.MustRegister(m.requests, m.duration, cacheCollector{s}, admissionCollector{s.admission}, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "decnet_streams_open", Help: "Open event streams.",
	}, func() float64 { return float64(s.hub.open.Load()) }))
	m.handler = promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	return m
}

func newRouteMetrics(method, path string) *routeMetrics {
	return &routeMetrics{labels: prometheus.Labels{"route": path, "method": method}}
}

func (m *metrics) observe(rec *recorder, took time.Duration) {
	if rec.route == nil {
		return
	}
	of := rec.route.metrics
	of.begin.Do(func() {
		of.requests = m.requests.MustCurryWith(of.labels)
		of.duration = m.duration.With(of.labels)
	})
	of.counter(rec.status).Inc()
	if rec.route.path != streamPath || rec.status != http.StatusOK {
		of.duration.Observe(took.Seconds())
	}
}

// counter returns that of a status. Looking it up by its label costs as much as
// all else that is measured of a request.
func (of *routeMetrics) counter(status int) prometheus.Counter {
	if status != http.StatusOK {
		return of.requests.WithLabelValues(strconv.Itoa(status))
	}
	if known := of.ok.Load(); known != nil {
		return *known
	}
	c := of.requests.WithLabelValues(strconv.Itoa(status))
	of.ok.Store(&c)
	return c
}

// cacheCollector reads the counters of the caches when Prometheus asks.
type cacheCollector struct{ s *Server }

func (cacheCollector) describe() (hits, misses, loads *prometheus.Desc) {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("decnet_cache_"+name+"_total", help, []string{"cache"}, nil)
	}
	return desc("hits", "Calls answered from a cache."),
		desc("misses", "Calls that waited for a load."),
		desc("loads", "Loads of a cache from the store.")
}

// Describe implements [prometheus.Collector].
func (c cacheCollector) Describe(ch chan<- *prometheus.Desc) {
	hits, misses, loads := c.describe()
	ch <- hits
	ch <- misses
	ch <- loads
}

// Collect implements [prometheus.Collector].
func (c cacheCollector) Collect(ch chan<- prometheus.Metric) {
	hits, misses, loads := c.describe()
	for _, n := range c.s.CacheCounts() {
		ch <- prometheus.MustNewConstMetric(hits, prometheus.CounterValue, float64(n.Hits), n.Name)
		ch <- prometheus.MustNewConstMetric(misses, prometheus.CounterValue, float64(n.Misses), n.Name)
		ch <- prometheus.MustNewConstMetric(loads, prometheus.CounterValue, float64(n.Loads), n.Name)
	}
}

// serveMetrics answers GET /metrics.
func (s *Server) serveMetrics(c *call) (answer, error) {
	if s.MetricsToken != "" && !sameSecret(bearer(c.Request), s.MetricsToken) {
		return answer{}, errUnauthenticated
	}
	return answer{stream: func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-store")
		s.metrics.handler.ServeHTTP(w, r)
		return nil
	}}, nil
}
