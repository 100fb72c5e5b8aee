package api

import (
	"crypto/subtle"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"decnet/contract"
)

// access says who may call a route.
type access int

const (
	// accessPublic needs no token.
	accessPublic access = iota
	// accessAny needs a token, also of a user who must change the password.
	accessAny
	// accessViewer needs a token of any role, accessAdmin of an administrator.
	accessViewer
	accessAdmin
	// accessSensor needs the token of a sensor, which opens nothing else.
	accessSensor
)

// String is the word that the contract uses.
func (a access) String() string {
	return [...]string{"none", "any", "viewer", "admin", "sensor"}[a]
}

// cacheName names a cache in the table of routes and in the metrics.
type cacheName string

const (
	cacheUsers          cacheName = "users"
	cacheSensors        cacheName = "sensors"
	cacheStats          cacheName = "stats"
	cacheLogsTotal      cacheName = "logs_total"
	cacheHistogram      cacheName = "histogram"
	cacheRankings       cacheName = "rankings"
	cacheBountyPage     cacheName = "bounty_page"
	cacheAttackersTotal cacheName = "attackers_total"
	cacheDeckies        cacheName = "deckies"
	cacheLimit          cacheName = "deployment_limit"
	cacheInterval       cacheName = "global_mutation_interval"
	// cacheFiltered are the histograms that streams with a filter share.
	cacheFiltered cacheName = "stream_histograms"
)

// route is one row of the table that registers the handlers, checks the roles,
// drops the caches and is compared with the contract.
type route struct {
	method, path string
	access       access
	handler      handler
	// drops are the caches that this write makes wrong. They are dropped after the
	// handler and before its answer, whatever the answer is: a write that failed
	// may have been committed.
	drops []cacheName
	// maxBody bounds the body in bytes; 0 means [maxBody].
	maxBody int64
}

// maxBody bounds a JSON body, in bytes.
const maxBody = 64 << 10

func (s *Server) routes() []route {
	purged := []cacheName{cacheStats, cacheLogsTotal, cacheHistogram, cacheRankings, cacheBountyPage, cacheAttackersTotal, cacheFiltered}
	users := []cacheName{cacheUsers}
	// The counters say how many are deployed.
	fleet := []cacheName{cacheDeckies, cacheStats}
	return []route{
		{method: "POST", path: "/api/v1/auth/login", access: accessPublic, handler: s.login},
		{method: "POST", path: "/api/v1/auth/change-password", access: accessAny, handler: s.changePassword, drops: users},
		{method: "GET", path: "/api/v1/stats", access: accessViewer, handler: s.stats.get},
		{method: "GET", path: "/api/v1/logs", access: accessViewer, handler: s.logs.list},
		{method: "GET", path: "/api/v1/logs/histogram", access: accessViewer, handler: s.histogram.get},
		{method: "GET", path: "/api/v1/logs/export", access: accessViewer, handler: s.export},
		{method: "GET", path: "/api/v1/logs/{id}", access: accessViewer, handler: s.event},
		{method: "GET", path: "/api/v1/rankings", access: accessViewer, handler: s.ranking.get},
		{method: "GET", path: "/api/v1/bounty", access: accessViewer, handler: s.bounty.list},
		{method: "GET", path: "/api/v1/attackers", access: accessViewer, handler: s.attackers.list},
		{method: "GET", path: "/api/v1/attackers/{uuid}", access: accessViewer, handler: s.attackers.get},
		{method: "GET", path: "/api/v1/attackers/{uuid}/commands", access: accessViewer, handler: s.attackers.commands},
		{method: "GET", path: "/api/v1/credentials", access: accessViewer, handler: s.credentials},
		{method: "POST", path: "/api/v1/ingest", access: accessSensor, handler: s.push, maxBody: pushBody},
		{method: "GET", path: "/api/v1/ingest/status", access: accessViewer, handler: s.ingestStatus},
		{method: "POST", path: "/api/v1/ingest/explain", access: accessViewer, handler: s.explain, maxBody: explainMaxBody},
		{method: "GET", path: "/api/v1/sensors", access: accessAdmin, handler: s.listSensors},
		{method: "POST", path: "/api/v1/sensors", access: accessAdmin, handler: s.createSensor, drops: []cacheName{cacheSensors}},
		{method: "DELETE", path: "/api/v1/sensors/{uuid}", access: accessAdmin, handler: s.deleteSensor, drops: []cacheName{cacheSensors}},
		{method: "GET", path: "/api/v1/ingest/rejects", access: accessViewer, handler: s.rejects},
		{method: "GET", path: "/api/v1/deckies", access: accessViewer, handler: s.deckies.list},
		{method: "GET", path: "/api/v1/fleet/status", access: accessViewer, handler: s.fleet.status},
		{method: "POST", path: "/api/v1/deckies/deploy", access: accessAdmin, handler: s.fleet.deploy, drops: fleet, maxBody: deployBodyMax},
		{method: "DELETE", path: "/api/v1/deckies/{name}", access: accessAdmin, handler: s.fleet.remove, drops: fleet},
		{method: "POST", path: "/api/v1/deckies/{name}/mutate", access: accessAdmin, handler: s.fleet.mutate, drops: fleet},
		{method: "PUT", path: "/api/v1/deckies/{name}/mutate-interval", access: accessAdmin, handler: s.fleet.setInterval, drops: fleet},
		{method: "GET", path: "/api/v1/stream", access: accessViewer, handler: s.stream},
		{method: "GET", path: "/api/v1/health", access: accessViewer, handler: s.health.get},
		{method: "GET", path: "/api/v1/config", access: accessViewer, handler: s.config},
		{method: "PUT", path: "/api/v1/config/deployment-limit", access: accessAdmin, handler: s.settings.setLimit, drops: []cacheName{cacheLimit}},
		{method: "PUT", path: "/api/v1/config/global-mutation-interval", access: accessAdmin, handler: s.settings.setInterval, drops: []cacheName{cacheInterval}},
		{method: "POST", path: "/api/v1/config/users", access: accessAdmin, handler: s.createUser, drops: users},
		{method: "DELETE", path: "/api/v1/config/users/{uuid}", access: accessAdmin, handler: s.deleteUser, drops: users},
		{method: "PUT", path: "/api/v1/config/users/{uuid}/role", access: accessAdmin, handler: s.setRole, drops: users},
		{method: "PUT", path: "/api/v1/config/users/{uuid}/reset-password", access: accessAdmin, handler: s.resetPassword, drops: users},
		{method: "DELETE", path: "/api/v1/config/reinit", access: accessAdmin, handler: s.reinit, drops: purged},
		{method: "GET", path: "/healthz", access: accessPublic, handler: s.live},
		{method: "GET", path: "/readyz", access: accessPublic, handler: s.ready},
		{method: "GET", path: "/metrics", access: accessPublic, handler: s.serveMetrics},
		{method: "GET", path: "/openapi.yaml", access: accessPublic, handler: s.specYAML},
		{method: "GET", path: "/openapi.json", access: accessPublic, handler: s.specJSON},
		{method: "GET", path: "/docs", access: accessPublic, handler: s.docs},
		{method: "GET", path: "/docs/style.css", access: accessPublic, handler: s.docsStyle},
	}
}

// RouteInfo is what the table says of a route, for those who walk all routes.
type RouteInfo struct {
	// Method and Path are as in the contract; Access is none, any, viewer or admin.
	Method, Path, Access string
	// Drops are the names of the caches that the route drops.
	Drops []string
}

// Routes returns the table of routes in its order.
func (s *Server) Routes() []RouteInfo {
	rows := s.routes()
	infos := make([]RouteInfo, len(rows))
	for i, r := range rows {
		infos[i] = RouteInfo{Method: r.method, Path: r.path, Access: r.access.String()}
		for _, d := range r.drops {
			infos[i].Drops = append(infos[i].Drops, string(d))
		}
	}
	return infos
}

// mounted is a route in the ServeMux.
type mounted struct {
	route
	server  *Server
	op      *contract.Operation
	metrics *routeMetrics
}

func (s *Server) mount() error {
	s.overlapped = overlapped(s.routes())
	for _, r := range s.routes() {
		op, ok := s.Contract.Operation(r.method, r.path)
		if !ok {
			return fmt.Errorf("%s %s is not in the contract", r.method, r.path)
		}
		m := &mounted{route: r, server: s, op: op, metrics: newRouteMetrics(r.method, r.path)}
		s.mux.Handle(r.method+" "+r.path, m)
	}
	return nil
}

// overlapped returns the paths without parameters that a path with parameters
// matches too, and the methods they have. To the contract such a path is no
// instance of the other (DELETE /deckies/deploy is not DELETE /deckies/{name}),
// which cannot be said to a ServeMux.
func overlapped(routes []route) map[string][]string {
	methods := map[string][]string{}
	for _, r := range routes {
		methods[r.path] = append(methods[r.path], r.method)
		if r.method == http.MethodGet { // a ServeMux answers it likewise
			methods[r.path] = append(methods[r.path], http.MethodHead)
		}
	}
	fixed := map[string][]string{}
	for path, own := range methods {
		for other := range methods {
			if path != other && !strings.Contains(path, "{") && matchesTemplate(path, other) {
				fixed[path] = own
			}
		}
	}
	return fixed
}

func matchesTemplate(path, template string) bool {
	return slices.EqualFunc(strings.Split(path, "/"), strings.Split(template, "/"), func(segment, pattern string) bool {
		return segment == pattern || strings.HasPrefix(pattern, "{")
	})
}

// ServeHTTP implements [http.Handler]; w is always a *recorder.
func (m *mounted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec, ok := w.(*recorder)
	if !ok {
		panic("api: a route was called past Server.ServeHTTP")
	}
	rec.route = m
	a, err := m.run(rec, r)
	if err == nil && a.stream != nil {
		err = a.stream(rec, r)
		if rec.status != 0 { // too late for a problem
			rec.cause = err
			return
		}
	}
	if err != nil {
		p := asProblem(err)
		rec.cause = err
		p.write(rec, rec.id)
		return
	}
	a.write(rec, r, &m.server.fixed)
}

// run checks the call and lets the handler answer it.
func (m *mounted) run(rec *recorder, r *http.Request) (answer, error) {
	c := &rec.call
	c.Request, c.id, c.op, c.admission = r, rec.id, m.op, m.server.admission
	defer c.rest()
	var err error
	switch m.access {
	case accessPublic:
	case accessSensor:
		if c.sensor, err = m.server.sensorOf(r); err != nil {
			return answer{}, err
		}
	default:
		if c.user, err = m.server.authenticate(m.access, r); err != nil {
			return answer{}, err
		}
	}
	if c.params, err = readParams(m.op, r); err != nil {
		return answer{}, err
	}
	if r.Body != nil && r.Body != http.NoBody {
		limit := m.maxBody
		if limit == 0 {
			limit = maxBody
		}
		r.Body = http.MaxBytesReader(nil, r.Body, limit)
	}
	defer func() {
		for _, name := range m.drops {
			m.server.caches[name].reset()
		}
	}()
	return m.handler(c)
}

func readParams(op *contract.Operation, r *http.Request) (contract.Params, error) {
	var query url.Values
	if r.URL.RawQuery != "" {
		var err error
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return contract.Params{}, &contract.Violations{Status: http.StatusUnprocessableEntity, List: []contract.Violation{{
				In: contract.InQuery, Keyword: contract.KeywordEncoding, Detail: "The query string must be well-formed",
			}}}
		}
	}
	p, err := op.Params(query, r.PathValue)
	if err != nil {
		return p, fmt.Errorf("parameters: %w", err)
	}
	return p, nil
}

// readBody reads, checks and decodes a JSON body. A declared content type that
// is not JSON is refused before the body is read.
func readBody(r *http.Request, op *contract.Operation, into any) error {
	contentType := r.Header.Get("Content-Type")
	if !op.Accepts(contentType) {
		return errMediaType
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	if err := op.Body(contentType, raw, into); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return nil
}

// write sends the answer, or 304 when the client has it already.
func (a *answer) write(w *recorder, r *http.Request, fixed *fixedLines) {
	if a.sent != nil {
		defer a.sent()
	}
	h := w.Header()
	if a.header != nil {
		a.header(h)
	}
	if a.etag != "" {
		h["Etag"] = one(&w.lines.etag, a.etag)
		if h["Cache-Control"] == nil {
			h["Cache-Control"] = fixed.revalidate
		}
		if matchesETag(r.Header["If-None-Match"], a.etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	} else if h["Cache-Control"] == nil {
		h["Cache-Control"] = fixed.noStore
	}
	if a.contentType == "" {
		a.contentType = "application/json"
	}
	if a.length == "" {
		a.length = strconv.Itoa(len(a.body))
	}
	h["Content-Type"] = one(&w.lines.contentType, a.contentType)
	h["Content-Length"] = one(&w.lines.length, a.length)
	if a.status == 0 {
		a.status = http.StatusOK
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // a client that has gone is not our error
	}
}

// matchesETag compares weakly (RFC 9110 section 13.1.2).
func matchesETag(ifNoneMatch []string, etag string) bool {
	for _, line := range ifNoneMatch {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
			if tag == etag || tag == "*" {
				return true
			}
		}
	}
	return false
}

// bearer returns the token of the Authorization header (RFC 6750).
func bearer(r *http.Request) string {
	lines := r.Header["Authorization"]
	if len(lines) != 1 {
		return ""
	}
	scheme, token, ok := strings.Cut(lines[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func sameSecret(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// pageOf reads the two parameters that every list has.
func pageOf(c *call) (limit, offset int) { return c.params.Int("limit"), c.params.Int("offset") }
