package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"decnet/auth"
	"decnet/contract"
)

// Options are what a server is built from. Fields without a note are mandatory.
type Options struct {
	Store Store
	Fleet Fleet
	// Manager changes the fleet; nil answers that the service is not ready.
	Manager  FleetManager
	Contract *contract.Contract
	// Secret signs the tokens; [auth.CheckSecret] must accept it.
	Secret    []byte
	Passwords *auth.Passwords
	// Now tells the time to caches, tokens and throttles; nil means [time.Now].
	Now func() time.Time
	// Log takes what a client is not told; nil means nowhere.
	Log *slog.Logger
	// Registry takes the metrics; nil means a new one.
	Registry *prometheus.Registry
	// Ingest takes what sensors send; nil answers that the service is not ready.
	Ingest Ingest
	// Components are listed in /health beside the database and the fleet; may be nil.
	Components []Component
	// CORSOrigins may read answers in a browser; nil means none, "*" any.
	CORSOrigins []string
	// Developer allows reinit and a bounded stream.
	Developer bool
	// MetricsToken is what /metrics wants as a bearer token; "" means nothing.
	MetricsToken string
	// Admission bounds the requests that are worked on at once.
	Admission Admission
	// MaxStreams bounds the open streams; 0 means [DefaultMaxStreams].
	MaxStreams int
}

func (o *Options) validate() error {
	var faults []error
	for name, missing := range map[string]bool{
		"Store": o.Store == nil, "Fleet": o.Fleet == nil,
		"Contract": o.Contract == nil, "Passwords": o.Passwords == nil,
	} {
		if missing {
			faults = append(faults, fmt.Errorf("api.Options.%s is missing", name))
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.MaxStreams <= 0 {
		o.MaxStreams = DefaultMaxStreams
	}
	return errors.Join(faults...)
}

// Server answers the API. All that changes while it runs is in its fields, so
// that any number of servers live side by side in a process.
type Server struct {
	Options
	mux   *http.ServeMux
	ids   *requestIDs
	fixed fixedLines
	// admission is where requests wait for their turn.
	admission *admission
	cors      *cors
	metrics   *metrics
	tokens    *auth.Tokens
	throttle  *auth.Throttle
	users     *directory
	sensors   *sensorDirectory
	// pushes has a place for each batch that may be in memory.
	pushes chan struct{}
	// exports has a place for each export that may be under way.
	exports chan struct{}
	hub     *hub

	// page renders the docs once.
	page func() ([]byte, error)

	// overlapped are paths whose methods a ServeMux would mix with another's.
	overlapped map[string][]string

	resources
	caches map[cacheName]resettable

	stop  context.CancelFunc
	base  context.Context
	loads sync.WaitGroup
}

// resources are the handlers that own a cache, one a resource.
type resources struct {
	health    *healthResource
	stats     *statsResource
	logs      *logsResource
	histogram *histogramResource
	ranking   *rankingResource
	bounty    *bountyResource
	attackers *attackersResource
	deckies   *deckiesResource
	fleet     *fleetResource
	settings  *settingsResource
}

// New builds a server; Close ends it.
func New(o Options) (*Server, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	tokens, err := auth.NewTokens(o.Secret, o.Now)
	if err != nil {
		return nil, fmt.Errorf("api.Options.Secret: %w", err)
	}
	throttle, err := auth.NewThrottle(o.Now)
	if err != nil {
		return nil, fmt.Errorf("throttle: %w", err)
	}
	s := &Server{
		Options: o, mux: http.NewServeMux(), ids: newRequestIDs(), fixed: newFixedLines(), admission: newAdmission(o.Admission, o.Now, o.Log), cors: newCORS(o.CORSOrigins),
		tokens: tokens, throttle: throttle,
	}
	s.page = sync.OnceValues(func() ([]byte, error) { return contract.Page(o.Contract) })
	s.base, s.stop = context.WithCancel(context.Background())
	own := owner{now: o.Now, base: s.base, loads: &s.loads}
	s.users = newDirectory(own, o.Store)
	s.sensors = newSensorDirectory(own, o.Store)
	s.pushes = make(chan struct{}, pushesAtOnce)
	s.exports = make(chan struct{}, exportsAtOnce)
	s.deckies = newDeckies(own, o.Fleet, o.Log)
	s.stats = newStats(own, o.Store, s.deckies)
	s.logs = newLogs(own, o.Store, s.admission.crowded)
	s.histogram = newHistogram(own, o.Store)
	s.ranking = newRanking(own, o.Store)
	s.bounty = newBounty(own, o.Store)
	s.attackers = newAttackers(own, o.Store)
	s.settings = newSettings(own, o.Store, o.Developer)
	s.fleet = &fleetResource{manager: o.Manager, limit: s.settings.limit}
	s.health = newHealth(own, o.Store, s.deckies, o.Components)
	if s.hub, err = newHub(own, s); err != nil {
		s.stop()
		return nil, err
	}
	s.caches = s.cacheTable()
	s.metrics = newMetrics(o.Registry, s)
	if err := s.mount(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// cacheTable lists every cache by the name that routes drop it by.
func (s *Server) cacheTable() map[cacheName]resettable {
	table := map[cacheName]resettable{
		cacheUsers:          s.users.accounts,
		cacheSensors:        s.sensors.byHash,
		cacheStats:          s.stats.page,
		cacheLogsTotal:      s.logs.total,
		cacheHistogram:      s.histogram.page,
		cacheRankings:       s.ranking,
		cacheBountyPage:     s.bounty.page,
		cacheAttackersTotal: s.attackers,
		cacheDeckies:        s.deckies.page,
		cacheLimit:          s.settings.limit,
		cacheInterval:       s.settings.interval,
	}
	for _, p := range s.health.probes {
		table[cacheName("health_"+p.Name)] = p.outcome
	}
	table[cacheFiltered] = s.hub.filtered
	return table
}

// Cached returns every cached handler by the name of its resource.
func (s *Server) Cached() map[string]Resetter {
	return map[string]Resetter{
		"health": s.health, "stats": s.stats, "logs": s.logs, "histogram": s.histogram, "rankings": s.ranking, "bounty": s.bounty,
		"attackers": s.attackers, "deckies": s.deckies, "config": s.settings, "users": s.users, "sensors": s.sensors, "stream": s.hub,
	}
}

// Reset makes every cache cold.
func (s *Server) Reset() {
	for _, r := range s.Cached() {
		r.Reset()
	}
}

// EventsExpired drops what is remembered of events, after some were removed by
// others than the API's clients, such as retention.
func (s *Server) EventsExpired() {
	for _, r := range []Resetter{s.stats, s.logs, s.histogram, s.ranking, s.hub} {
		r.Reset()
	}
}

// CacheCounts returns the counters of every cache, in no order.
func (s *Server) CacheCounts() []CacheCounts {
	all := make([]CacheCounts, 0, len(s.caches))
	for _, c := range s.caches {
		if c, ok := c.(counted); ok {
			all = append(all, c.counts())
		}
	}
	return all
}

// Close ends the streams and the loads, and waits for them. Requests under way
// are the business of the [http.Server], whose Shutdown should be begun before.
func (s *Server) Close() {
	s.stop()
	s.hub.wait()
	s.loads.Wait()
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	rec := &recorder{ResponseWriter: w, id: s.ids.of(r)}
	defer s.finish(rec, r, begin)
	s.secure(w.Header(), rec)
	if s.cors.answer(w, r) {
		rec.route, rec.status = s.metrics.unmatched, http.StatusNoContent
		return
	}
	if own, ok := s.overlapped[r.URL.Path]; ok && !slices.Contains(own, r.Method) {
		rec.caught = http.StatusMethodNotAllowed
		rec.Header().Set("Allow", strings.Join(own, ", "))
	} else {
		s.mux.ServeHTTP(rec, r)
	}
	if rec.route == nil {
		s.unmatched(rec)
	}
}

// unmatched dresses what the ServeMux answered by itself. Its redirects of
// unclean paths lead to nothing of ours, so they are not found either.
func (s *Server) unmatched(rec *recorder) {
	p := errNotFound
	if rec.caught == http.StatusMethodNotAllowed {
		p = errMethod
	}
	rec.route = s.metrics.unmatched
	rec.Header().Del("Location")
	p.write(rec, rec.id)
}

// finish ends every request: panics become problems, and one line is logged.
func (s *Server) finish(rec *recorder, r *http.Request, begin time.Time) {
	if v := recover(); v != nil {
		if v == http.ErrAbortHandler { //nolint:errorlint,err113 // a sentinel of net/http that is panicked as it is
			panic(v)
		}
		s.Log.LogAttrs(r.Context(), slog.LevelError, "panic in a handler", slog.String("id", rec.id),
			slog.String("path", r.URL.Path), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
		if rec.status != 0 {
			// Half an answer must not look whole: cut the connection.
			panic(http.ErrAbortHandler)
		}
		if rec.route == nil {
			rec.route = s.metrics.unmatched
		}
		errInternal.write(rec, rec.id)
	}
	took := time.Since(begin)
	s.metrics.observe(rec, took)
	logAccess(r.Context(), s.Log, r, rec, took)
}

// secure sets what every answer carries.
func (s *Server) secure(h http.Header, rec *recorder) {
	h["X-Request-Id"] = one(&rec.lines.id, rec.id)
	h["X-Content-Type-Options"] = s.fixed.noSniff
	h["X-Frame-Options"] = s.fixed.deny
	h["Referrer-Policy"] = s.fixed.noReferrer
	h["Content-Security-Policy"] = s.fixed.policy
}

// isAPI reports whether the path belongs to the versioned API.
func isAPI(path string) bool { return strings.HasPrefix(path, "/api/") }

// The limits of the HTTP server. A stream lifts the write and read timeouts for
// itself and sets a deadline a message instead.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// NewHTTPServer returns a server for the handler with all limits set.
func NewHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}
