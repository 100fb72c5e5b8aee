//go:build fuzz

package fuzz

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/commands"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/repo"
	"decnet/testutil"
)

// The model of the caches, seen from outside. A value may be as old as its window
// and no older, a write through the API and a reset are seen at once, an error is
// answered and not kept, and a load that began before a reset is never kept.

// held is what a cache of the model holds; until is 0 for nothing.
type held struct{ value, until int64 }

// cacheModel is the expected state. It is copied on each change.
type cacheModel struct {
	now int64
	// first and next are the events of the series that are stored.
	first, next int
	limit       int64
	failing     bool
	caches      map[string]held
	expect      string
}

// cachedReads are the cached answers: what is asked, the window, and whether a
// purge drops it.
func cachedReads() map[string]cachedRead {
	return map[string]cachedRead{
		"stats":     {"/api/v1/stats", 5 * time.Second, true, func(m cacheModel) int64 { return int64(m.next - m.first) }},
		"logs":      {"/api/v1/logs?limit=1", 2 * time.Second, true, func(m cacheModel) int64 { return int64(m.next - m.first) }},
		"histogram": {"/api/v1/logs/histogram", 5 * time.Second, true, func(m cacheModel) int64 { return int64(m.next - m.first) }},
		"rankings":  {"/api/v1/rankings?by=decky", 5 * time.Second, true, func(m cacheModel) int64 { return int64(m.next - m.first) }},
		"bounty": {"/api/v1/bounty", 5 * time.Second, true, func(m cacheModel) int64 {
			return m.distinct(func(e *repo.Event) []string {
				var keys []string
				for _, b := range e.Bounties {
					keys = append(keys, e.AttackerIP+b.Type+b.Payload)
				}
				return keys
			})
		}},
		"attackers": {"/api/v1/attackers?limit=1", 2 * time.Second, true, func(m cacheModel) int64 {
			return m.distinct(func(e *repo.Event) []string { return []string{e.AttackerIP} })
		}},
		"limit": {"/api/v1/config", 5 * time.Second, false, func(m cacheModel) int64 { return m.limit }},
	}
}

type cachedRead struct {
	path   string
	window time.Duration
	purged bool
	truth  func(m cacheModel) int64
}

func (m cacheModel) distinct(keys func(e *repo.Event) []string) int64 {
	seen := map[string]bool{}
	for i := m.first; i < m.next; i++ {
		e := testutil.Event(i)
		if i < seededEvents {
			e = hostileEvent(i)
		}
		for _, key := range keys(&e) {
			seen[key] = true
		}
	}
	return int64(len(seen))
}

// read is what a read must answer, and what the cache holds then.
func (m *cacheModel) read(name string) string {
	if m.warm(name) {
		return strconv.FormatInt(m.caches[name].value, 10)
	}
	if m.failing {
		return "failed"
	}
	r := cachedReads()[name]
	value := r.truth(*m)
	m.caches[name] = held{value, m.now + int64(r.window)}
	return strconv.FormatInt(value, 10)
}

func (m *cacheModel) warm(name string) bool { return m.now < m.caches[name].until }

// drop makes the caches cold that a purge drops, or all.
func (m *cacheModel) drop(all bool) {
	for name, r := range cachedReads() {
		if all || r.purged {
			delete(m.caches, name)
		}
	}
}

var errMoody = errors.New("the store was told to fail")

// moody is a store whose reads behind caches fail or wait on command.
type moody struct {
	api.Store
	mu      sync.Mutex
	failing bool
	// loaded is told when a load has its answer; it then waits for release.
	loaded, release chan struct{}
}

func (s *moody) set(failing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = failing
}

// hold makes the next load wait with its answer in hand.
func (s *moody) hold() (loaded <-chan struct{}, release chan<- struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded, s.release = make(chan struct{}), make(chan struct{})
	return s.loaded, s.release
}

// answered calls the store as it is told to.
func answered[V any](s *moody, load func() (V, error)) (V, error) {
	s.mu.Lock()
	failing, loaded, release := s.failing, s.loaded, s.release
	s.loaded, s.release = nil, nil
	s.mu.Unlock()
	if failing {
		var none V
		return none, errMoody
	}
	v, err := load()
	if loaded != nil {
		close(loaded)
		<-release
	}
	return v, err
}

func (s *moody) Stats(ctx context.Context) (repo.Stats, error) {
	return answered(s, func() (repo.Stats, error) { return s.Store.Stats(ctx) })
}

func (s *moody) CountLogs(ctx context.Context, f repo.LogFilter) (int64, error) {
	return answered(s, func() (int64, error) { return s.Store.CountLogs(ctx, f) })
}

func (s *moody) Histogram(ctx context.Context, f repo.LogFilter, interval time.Duration) ([]repo.Bucket, error) {
	return answered(s, func() ([]repo.Bucket, error) { return s.Store.Histogram(ctx, f, interval) })
}

func (s *moody) Ranking(ctx context.Context, q repo.RankingQuery) (repo.Ranking, error) {
	return answered(s, func() (repo.Ranking, error) { return s.Store.Ranking(ctx, q) })
}

func (s *moody) CountBounties(ctx context.Context, f repo.BountyFilter) (int64, error) {
	return answered(s, func() (int64, error) { return s.Store.CountBounties(ctx, f) })
}

func (s *moody) CountAttackers(ctx context.Context, f repo.AttackerFilter) (int64, error) {
	return answered(s, func() (int64, error) { return s.Store.CountAttackers(ctx, f) })
}

func (s *moody) State(ctx context.Context, key string) (string, error) {
	if key != "deployment_limit" {
		return s.Store.State(ctx, key)
	}
	return answered(s, func() (string, error) { return s.Store.State(ctx, key) })
}

// cacheSystem is a world whose store is moody.
type cacheSystem struct {
	*world
	moody   *moody
	handler http.Handler
	t       testing.TB
}

func (s *cacheSystem) request(method, path, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequestWithContext(s.t.Context(), method, path, bytes.NewBufferString(body))
	req.Header.Set("Authorization", "Bearer "+s.token(actorAdmin))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, req)
	return w
}

// read is what the service answers, as the model says it.
func (s *cacheSystem) read(name string) string {
	w := s.request(http.MethodGet, cachedReads()[name].path, "")
	switch {
	case w.Code >= http.StatusInternalServerError:
		return "failed"
	case w.Code != http.StatusOK:
		return fmt.Sprintf("status %d", w.Code)
	}
	if name == "histogram" {
		var sum int64
		var buckets []struct{ Count int64 }
		if err := json.Unmarshal(w.Body.Bytes(), &buckets); err != nil {
			return err.Error()
		}
		for _, b := range buckets {
			sum += b.Count
		}
		return strconv.FormatInt(sum, 10)
	}
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		return err.Error()
	}
	key := map[string]string{"stats": "total_logs", "limit": "deployment_limit", "rankings": "events"}[name]
	if key == "" {
		key = "total"
	}
	n, _ := body[key].(float64)
	return strconv.FormatInt(int64(n), 10)
}

// storeEvents commits events past the API, in no time.
func (s *cacheSystem) storeEvents(n int) {
	batch := &repo.Batch{}
	for range n {
		batch.Events = append(batch.Events, testutil.Event(s.events))
		s.events++
	}
	require.NoError(s.t, s.store.Commit(s.ctx, batch))
}

func (s *cacheSystem) setLimit(n int64) string {
	w := s.request(http.MethodPut, "/api/v1/config/deployment-limit", fmt.Sprintf(`{"deployment_limit":%d}`, n))
	return strconv.Itoa(w.Code)
}

// cacheStep is a command over a [cacheSystem].
type cacheStep struct {
	name string
	pre  func(m cacheModel) bool
	next func(m *cacheModel) string
	run  func(s *cacheSystem) string
}

// Run implements [commands.Command].
func (c *cacheStep) Run(sut commands.SystemUnderTest) commands.Result {
	return c.run(sut.(*cacheSystem))
}

// NextState implements [commands.Command].
func (c *cacheStep) NextState(state commands.State) commands.State {
	m := state.(cacheModel)
	m.caches = maps.Clone(m.caches)
	m.expect = c.next(&m)
	return m
}

// PreCondition implements [commands.Command].
func (c *cacheStep) PreCondition(state commands.State) bool {
	return c.pre == nil || c.pre(state.(cacheModel))
}

// PostCondition implements [commands.Command].
func (c *cacheStep) PostCondition(state commands.State, result commands.Result) *gopter.PropResult {
	if want := state.(cacheModel).expect; result != want {
		return &gopter.PropResult{Status: gopter.PropFalse, Labels: []string{fmt.Sprintf("%s: answered %q, want %q", c.name, result, want)}}
	}
	return &gopter.PropResult{Status: gopter.PropTrue}
}

// String implements [commands.Command].
func (c *cacheStep) String() string { return c.name }

func done(change func(s *cacheSystem)) func(s *cacheSystem) string {
	return func(s *cacheSystem) string {
		change(s)
		return ""
	}
}

func drawCacheStep(r interface{ Intn(n int) int }) *cacheStep {
	name := []string{"stats", "logs", "histogram", "rankings", "bounty", "attackers", "limit"}[r.Intn(7)]
	switch r.Intn(12) {
	case 0, 1:
		n := 1 + r.Intn(3)
		return &cacheStep{
			name: fmt.Sprintf("commit %d", n), run: done(func(s *cacheSystem) { s.storeEvents(n) }),
			next: func(m *cacheModel) string { m.next += n; return "" },
		}
	case 2:
		limit := int64(1 + r.Intn(500))
		return &cacheStep{
			name: fmt.Sprintf("PUT limit %d", limit), run: func(s *cacheSystem) string { return s.setLimit(limit) },
			next: func(m *cacheModel) string {
				m.limit = limit
				delete(m.caches, "limit")
				return "200"
			},
		}
	case 3:
		return &cacheStep{
			name: "reset", run: done(func(s *cacheSystem) { s.server.Reset() }),
			next: func(m *cacheModel) string { m.drop(true); return "" },
		}
	case 4:
		return &cacheStep{
			name: "purge",
			run: func(s *cacheSystem) string {
				return strconv.Itoa(s.request(http.MethodDelete, "/api/v1/config/reinit", "").Code)
			},
			next: func(m *cacheModel) string {
				m.first = m.next
				m.drop(false)
				return "200"
			},
		}
	case 5, 6:
		d := []time.Duration{1, time.Second, 2*time.Second - 1, 2 * time.Second, 5*time.Second - 1, 5 * time.Second}[r.Intn(6)]
		return &cacheStep{
			name: fmt.Sprintf("advance %v", d), run: done(func(s *cacheSystem) { s.clock.advance(d) }),
			next: func(m *cacheModel) string { m.now += int64(d); return "" },
		}
	case 7:
		failing := r.Intn(2) == 0
		return &cacheStep{
			name: fmt.Sprintf("failing %t", failing), run: done(func(s *cacheSystem) { s.moody.set(failing) }),
			next: func(m *cacheModel) string { m.failing = failing; return "" },
		}
	case 8:
		return slowRead(name, r.Intn(2) == 0)
	default:
		return &cacheStep{
			name: "GET " + name, run: func(s *cacheSystem) string { return s.read(name) },
			next: func(m *cacheModel) string { return m.read(name) },
		}
	}
}

// slowRead begins a load, and lets the world change while it is under way: its
// caller gets the old answer, and after a reset nobody else does.
func slowRead(name string, reset bool) *cacheStep {
	return &cacheStep{
		name: fmt.Sprintf("GET %s, slowly; reset meanwhile %t", name, reset),
		pre:  func(m cacheModel) bool { return !m.failing && !m.warm(name) },
		next: func(m *cacheModel) string {
			old := m.read(name)
			m.next++
			if reset {
				m.drop(true)
			}
			return old + " then " + m.read(name)
		},
		run: func(s *cacheSystem) string {
			loaded, release := s.moody.hold()
			first := make(chan string, 1)
			go func() { first <- s.read(name) }()
			select {
			case <-loaded:
			case early := <-first:
				return "without a load: " + early
			}
			s.storeEvents(1)
			if reset {
				s.server.Reset()
			}
			if reset { // who comes after it does not wait for the old load
				second := s.read(name)
				close(release)
				return <-first + " then " + second
			}
			close(release)
			return <-first + " then " + s.read(name)
		},
	}
}

// checkCaches plays random sequences against the model of the caches.
func checkCaches(t *testing.T, f *factory, from int64, sequences int) *gopter.TestResult {
	t.Helper()
	var last *moody // sequences run one after the other
	f.options = func(o *api.Options) {
		last = &moody{Store: o.Store}
		o.Store = last
	}
	params := gopter.DefaultTestParametersWithSeed(from)
	params.MinSuccessfulTests, params.MaxSize, params.MaxShrinkCount = sequences, 30, 500
	return commands.Prop(&commands.ProtoCommands{
		InitialStateGen: func(*gopter.GenParameters) *gopter.GenResult {
			return gopter.NewGenResult(cacheModel{now: began().UnixNano(), next: seededEvents, limit: 10, caches: map[string]held{}}, gopter.NoShrinker)
		},
		NewSystemUnderTestFunc: func(commands.State) commands.SystemUnderTest {
			w, err := f.open1(t.Context(), worldDeveloper)
			require.NoError(t, err)
			w.server.Reset()
			return &cacheSystem{world: w, moody: last, handler: w.handler(), t: t}
		},
		DestroySystemUnderTestFunc: func(sut commands.SystemUnderTest) {
			if s, ok := sut.(*cacheSystem); ok {
				s.close()
			}
		},
		GenCommandFunc: func(commands.State) gopter.Gen {
			return func(p *gopter.GenParameters) *gopter.GenResult {
				return &gopter.GenResult{
					Result: drawCacheStep(p.Rng), ResultType: reflect.TypeFor[commands.Command](), Shrinker: gopter.NoShrinker,
				}
			}
		},
	}).Check(params)
}

// TestProperty_CachesAnswerWhatTheModelAllows plays reads, writes on either side
// of the API, resets, failures and time.
func TestProperty_CachesAnswerWhatTheModelAllows(t *testing.T) {
	t.Parallel()
	if setting(flagURL) != "" {
		t.Skip("aimed at a running service")
	}
	result := checkCaches(t, newFactory(t), int64(seed(t)>>1), max(20, examples(t)/2))
	if !assert.Truef(t, result.Passed(), "%s after %d sequences, -%s=%d: %v", result.Status, result.Succeeded, flagSeed, seed(t), result.Labels) {
		for _, arg := range result.Args {
			t.Log(arg)
		}
	}
}

// TestProperty_CachesFindALostDrop plants a defect: the first answer of the
// settings is served for ever, whatever is written.
func TestProperty_CachesFindALostDrop(t *testing.T) {
	t.Parallel()
	f := newFactory(t)
	f.wrap = func(next http.Handler) http.Handler {
		var mu sync.Mutex
		kept := map[string]*httptest.ResponseRecorder{}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.URL.Path != "/api/v1/config" {
				next.ServeHTTP(w, r)
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			mu.Lock()
			defer mu.Unlock()
			key := r.Header.Get("Authorization")
			if kept[key] == nil {
				kept[key] = answer
			}
			w.WriteHeader(kept[key].Code)
			_, _ = w.Write(kept[key].Body.Bytes())
		})
	}
	result := checkCaches(t, f, 1, 300)
	assert.Equal(t, gopter.TestFailed, result.Status)
	assert.NotEmpty(t, result.Labels)
}
