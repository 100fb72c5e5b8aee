package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"decnet/fleet"
	"decnet/ingest"
	"decnet/repo/sqlite"
)

// register adds what /metrics shows beside the API's own numbers.
func register(r *prometheus.Registry, in *ingest.Ingester, store *sqlite.Store, now func() time.Time) error {
	b := readBuild()
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "decnet_build_info", Help: "Always 1; its labels say what runs.",
		ConstLabels: prometheus.Labels{"version": b.version, "commit": b.commit, "go": b.goVersion},
	})
	info.Set(1)
	var errs []error
	for _, c := range []prometheus.Collector{
		info, newIngestCollector(in.Status, now), newDatabaseCollector(store),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		errs = append(errs, r.Register(c))
	}
	return errors.Join(errs...)
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("decnet_"+name, help, labels, nil)
}

// ingestCollector reads the ingester's counters when it is asked, so that
// ingesting costs nothing for being watched.
type ingestCollector struct {
	status func() ingest.Status
	now    func() time.Time
	began  time.Time

	lines, rejects, ignored, lagBytes, lagSeconds, batches, retries, caughtUp *prometheus.Desc
}

func newIngestCollector(status func() ingest.Status, now func() time.Time) *ingestCollector {
	return &ingestCollector{
		status:     status,
		now:        now,
		began:      now(),
		lines:      desc("ingest_lines_total", "Lines committed, by what became of them: accepted ones are events.", "source", "result"),
		rejects:    desc("ingest_rejects_total", "Lines that gave no event, by reason.", "source", "reason"),
		ignored:    desc("ingest_ignored_total", "Lines that gave no event on purpose, by reason or rule; blank ones are left out.", "source", "reason"),
		lagBytes:   desc("ingest_lag_bytes", "Bytes of a source that are not committed yet.", "source"),
		lagSeconds: desc("ingest_lag_seconds", "Time since the last commit while a source has bytes that are not committed, else 0.", "source"),
		batches:    desc("ingest_batches_total", "Batches committed."),
		retries:    desc("ingest_retries_total", "Commits that failed and were tried again."),
		caughtUp:   desc("ingest_caught_up", "1 once every source was read to its end for the first time."),
	}
}

// Describe implements [prometheus.Collector].
func (c *ingestCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.lines, c.rejects, c.ignored, c.lagBytes, c.lagSeconds, c.batches, c.retries, c.caughtUp} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *ingestCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.status()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	since := s.LastCommit
	if since.IsZero() {
		since = c.began
	}
	for path, source := range byLabel(s.Sources) {
		send(c.lines, prometheus.CounterValue, float64(source.Accepted), path, "accepted")
		send(c.lines, prometheus.CounterValue, float64(source.Duplicate), path, "duplicate")
		send(c.lines, prometheus.CounterValue, float64(source.Rejected), path, "rejected")
		send(c.lines, prometheus.CounterValue, float64(source.Ignored), path, "ignored")
		for reason, n := range source.RejectedBy {
			send(c.rejects, prometheus.CounterValue, float64(n), path, reason)
		}
		for reason, n := range source.IgnoredBy {
			send(c.ignored, prometheus.CounterValue, float64(n), path, reason)
		}
		seconds := 0.0
		if source.Lag > 0 {
			seconds = max(0, c.now().Sub(since).Seconds())
		}
		send(c.lagBytes, prometheus.GaugeValue, float64(source.Lag), path)
		send(c.lagSeconds, prometheus.GaugeValue, seconds, path)
	}
	send(c.batches, prometheus.CounterValue, float64(s.Batches))
	send(c.retries, prometheus.CounterValue, float64(s.Retries))
	caught := 0.0
	if s.CaughtUp {
		caught = 1
	}
	send(c.caughtUp, prometheus.GaugeValue, caught)
}

// byLabel adds up sources that have the same label, such as one file under two
// names that are not UTF-8: a series must come once.
func byLabel(sources []ingest.SourceStatus) map[string]*ingest.SourceStatus {
	merged := map[string]*ingest.SourceStatus{}
	for i := range sources {
		s := &sources[i]
		path := strings.ToValidUTF8(s.Path, "\uFFFD")
		into := merged[path]
		if into == nil {
			merged[path] = s
			continue
		}
		into.Lag += s.Lag
		into.Accepted += s.Accepted
		into.Duplicate += s.Duplicate
		into.Rejected += s.Rejected
		into.Ignored += s.Ignored
		for reason, n := range s.RejectedBy {
			into.RejectedBy[reason] += n
		}
		for reason, n := range s.IgnoredBy {
			into.IgnoredBy[reason] += n
		}
	}
	return merged
}

// databaseCollector shows the size of the database and its two pools.
type databaseCollector struct {
	store *sqlite.Store

	size, connections, waits, waited *prometheus.Desc
}

func newDatabaseCollector(store *sqlite.Store) *databaseCollector {
	return &databaseCollector{
		store:       store,
		size:        desc("database_size_bytes", "Bytes of the database, its write-ahead log included."),
		connections: desc("database_connections", "Connections of a pool, by what they do.", "pool", "state"),
		waits:       desc("database_waits_total", "How often something waited for a connection of a pool.", "pool"),
		waited:      desc("database_wait_seconds_total", "How long it waited in all.", "pool"),
	}
}

// Describe implements [prometheus.Collector].
func (c *databaseCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.size, c.connections, c.waits, c.waited} {
		ch <- d
	}
}

// sizeTimeout keeps a database that doesn't answer from hiding all other metrics.
const sizeTimeout = time.Second

// Collect implements [prometheus.Collector].
func (c *databaseCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), sizeTimeout)
	defer cancel()
	if size, err := c.store.Size(ctx); err == nil {
		ch <- prometheus.MustNewConstMetric(c.size, prometheus.GaugeValue, float64(size))
	}
	write, read := c.store.PoolStats()
	for pool, s := range map[string]sql.DBStats{"write": write, "read": read} {
		ch <- prometheus.MustNewConstMetric(c.connections, prometheus.GaugeValue, float64(s.InUse), pool, "in_use")
		ch <- prometheus.MustNewConstMetric(c.connections, prometheus.GaugeValue, float64(s.Idle), pool, "idle")
		ch <- prometheus.MustNewConstMetric(c.waits, prometheus.CounterValue, float64(s.WaitCount), pool)
		ch <- prometheus.MustNewConstMetric(c.waited, prometheus.CounterValue, s.WaitDuration.Seconds(), pool)
	}
}

// decoyCollector shows what the decoys are doing.
type decoyCollector struct {
	status func() []fleet.Status
	lost   func() int64

	listeners, open, total, shed, restarts, lostEvents *prometheus.Desc
}

// registerDecoys adds what /metrics shows of decoys.
func registerDecoys(r *prometheus.Registry, status func() []fleet.Status, lost func() int64) error {
	return r.Register(&decoyCollector{
		status: status, lost: lost,
		listeners:  desc("decoy_listeners", "Ports that decoys listen on, by state.", "state"),
		open:       desc("decoy_connections", "Open connections.", "decky", "service"),
		total:      desc("decoy_connections_total", "Connections taken; for UDP datagrams.", "decky", "service"),
		shed:       desc("decoy_shed_total", "Connections and datagrams refused because there were too many.", "decky", "service"),
		restarts:   desc("decoy_restarts_total", "How often a listener was started again after it ended by itself.", "decky", "service"),
		lostEvents: desc("decoy_events_lost_total", "Events that could not be written down, as when the disk is full."),
	})
}

// Describe implements [prometheus.Collector].
func (c *decoyCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.listeners, c.open, c.total, c.shed, c.restarts, c.lostEvents} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector]. The ports of a service are added up.
func (c *decoyCollector) Collect(ch chan<- prometheus.Metric) {
	type key struct{ decky, service string }
	sums := map[key]fleet.Status{}
	states := map[fleet.RunState]int{fleet.Running: 0, fleet.BackingOff: 0, fleet.Failed: 0}
	for _, s := range c.status() {
		states[s.State]++
		k := key{strings.ToValidUTF8(s.Decky, "\uFFFD"), s.Service}
		sum := sums[k]
		sum.Open, sum.Total, sum.Shed, sum.Restarts = sum.Open+s.Open, sum.Total+s.Total, sum.Shed+s.Shed, sum.Restarts+s.Restarts
		sums[k] = sum
	}
	for state, n := range states {
		ch <- prometheus.MustNewConstMetric(c.listeners, prometheus.GaugeValue, float64(n), string(state))
	}
	for k, s := range sums {
		ch <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(s.Open), k.decky, k.service)
		ch <- prometheus.MustNewConstMetric(c.total, prometheus.CounterValue, float64(s.Total), k.decky, k.service)
		ch <- prometheus.MustNewConstMetric(c.shed, prometheus.CounterValue, float64(s.Shed), k.decky, k.service)
		ch <- prometheus.MustNewConstMetric(c.restarts, prometheus.CounterValue, float64(s.Restarts), k.decky, k.service)
	}
	if c.lost != nil {
		ch <- prometheus.MustNewConstMetric(c.lostEvents, prometheus.CounterValue, float64(c.lost()))
	}
}
