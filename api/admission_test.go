package api_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"decnet/api"
	"decnet/repo"
	"decnet/testutil"
)

const overloaded = "The service is overloaded, try again later"

func narrow(a api.Admission) testutil.Option {
	return testutil.With(func(o *api.Options) { o.Admission = a })
}

// asking are requests that are under way.
type asking struct{ sync.WaitGroup }

// get asks in a goroutine, and returns when the request can go no further.
func (a *asking) get(w *testutil.World, status int, path string, query ...string) {
	a.Go(func() { w.Viewer.Get(path, query...).Want(status) })
	synctest.Wait()
}

func TestAdmission_WhatIsTooMuchIsTurnedAwayAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock(), narrow(api.Admission{Reads: 2, Searches: 1, Waiting: 2}))
		w.Seed(20)
		release := w.Calls.Hold("Logs")
		var under asking
		for range 4 { // two at work, two that wait
			under.get(w, http.StatusOK, "/api/v1/logs")
		}
		assert.Equal(t, 2, w.Calls.Calls("Logs"), "those that wait have not asked the store")
		began := time.Now()
		for range 3 {
			r := w.Viewer.Get("/api/v1/logs")
			r.WantProblem(http.StatusServiceUnavailable, overloaded)
			assert.Equal(t, "1", r.Header.Get("Retry-After"))
		}
		assert.Zero(t, time.Since(began), "without waiting")

		// What a cache answers, what tells of the service's health and what has its
		// own bound goes on.
		for _, path := range []string{
			"/healthz", "/readyz", "/openapi.json", "/api/v1/health", "/api/v1/stats", "/api/v1/deckies", "/api/v1/config", "/api/v1/bounty",
			"/api/v1/logs/histogram", "/api/v1/rankings?by=service", "/api/v1/attackers?search=203",
		} {
			w.Viewer.Get(path).OK()
		}
		w.Login("viewer", testutil.Password)
		w.Viewer.Open(nil).Close()
		metrics := string(w.Anonymous.Get("/metrics").OK().Body)
		assert.Contains(t, metrics, `decnet_http_shed_total{work="read"} 3`)
		assert.Contains(t, metrics, `decnet_http_shed_total{work="search"} 0`)
		assert.Contains(t, metrics, `decnet_http_waiting{work="read"} 2`)

		release()
		under.Wait()
		w.Viewer.Get("/api/v1/logs").OK()
		assert.Contains(t, string(w.Anonymous.Get("/metrics").OK().Body), `decnet_http_waiting{work="read"} 0`)
	})
}

// TestAdmission_FourAtATimeForEachProcessor of either kind, unless it is set.
func TestAdmission_FourAtATimeForEachProcessor(t *testing.T) {
	t.Parallel()
	for name, query := range map[string][]string{"reads": {"limit", "1"}, "searches": {"search", "root"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := testutil.New(t, testutil.WallClock())
				release := w.Calls.Hold("Logs")
				var under asking
				places := 4 * runtime.GOMAXPROCS(0)
				for range places + 1 {
					under.get(w, http.StatusOK, "/api/v1/logs", query...)
				}
				assert.Equal(t, places, w.Calls.Calls("Logs"))
				release()
				under.Wait()
			})
		})
	}
}

// inOrder notes in which order the store is asked.
type inOrder struct {
	api.Store
	mu     sync.Mutex
	limits []int
}

func (s *inOrder) Logs(ctx context.Context, q repo.LogQuery) ([]repo.Log, error) {
	s.mu.Lock()
	s.limits = append(s.limits, q.Limit)
	s.mu.Unlock()
	return s.Store.Logs(ctx, q)
}

func TestAdmission_TheQueueIsServedInItsOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store *inOrder
		w := testutil.New(t, testutil.WallClock(), testutil.With(func(o *api.Options) {
			store = &inOrder{Store: o.Store}
			o.Store, o.Admission = store, api.Admission{Reads: 1}
		}))
		release := w.Calls.Hold("Logs")
		var under asking
		var want []int
		for limit := 1; limit <= 8; limit++ {
			under.get(w, http.StatusOK, "/api/v1/logs", "limit", strconv.Itoa(limit))
			want = append(want, limit)
		}
		release()
		under.Wait()
		assert.Equal(t, want, store.limits)
	})
}

func TestAdmission_NobodyWaitsLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock(), narrow(api.Admission{Reads: 1, Patience: 300 * time.Millisecond}))
		release := w.Calls.Hold("Logs")
		var under asking
		under.get(w, http.StatusOK, "/api/v1/logs")
		began := time.Now()
		w.Viewer.Get("/api/v1/logs").WantProblem(http.StatusServiceUnavailable, overloaded)
		assert.Equal(t, 300*time.Millisecond, time.Since(began))
		release()
		under.Wait()
		w.Viewer.Get("/api/v1/logs").OK() // the place of the one that went was not lost
	})
}

// TestAdmission_OverloadDoesNotFloodTheLog, where the cause of it may stand.
func TestAdmission_OverloadDoesNotFloodTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		w := testutil.New(t, testutil.WallClock(), testutil.With(func(o *api.Options) {
			o.Log = slog.New(slog.NewTextHandler(&logged, nil))
			o.Admission = api.Admission{Reads: 1}
		}))
		release := w.Calls.Hold("Logs")
		var under asking
		under.get(w, http.StatusOK, "/api/v1/logs")
		for range 30 { // half a second each
			w.Viewer.Get("/api/v1/logs").Want(http.StatusServiceUnavailable)
		}
		release()
		under.Wait()
		assert.Equal(t, 2, strings.Count(logged.String(), "\n"), logged.String()) // in 15 s
		assert.Contains(t, logged.String(), "level=WARN")
		assert.Contains(t, logged.String(), "work=read since_start=21")
	})
}

func TestAdmission_AClientThatGivesUpLeavesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock(), narrow(api.Admission{Reads: 1, Waiting: 1}))
		release := w.Calls.Hold("Logs")
		var under asking
		under.get(w, http.StatusOK, "/api/v1/logs")
		impatient := w.Viewer.Request(http.MethodGet, "/api/v1/logs", nil)
		ctx, cancel := context.WithCancel(impatient.Context())
		under.Go(func() {
			resp, err := w.Viewer.Send(impatient.WithContext(ctx))
			if err == nil {
				_ = resp.Body.Close()
			}
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		w.Viewer.Get("/api/v1/logs").Want(http.StatusServiceUnavailable) // the queue is full
		cancel()
		synctest.Wait()
		under.get(w, http.StatusOK, "/api/v1/logs") // in the place of the one that went
		release()
		under.Wait()
		assert.Equal(t, 2, w.Calls.Calls("Logs"), "nobody asked for the one that went")
	})
}

// placedReads are the reads that no cache answers, and whether they look into texts.
func placedReads() map[string]bool {
	return map[string]bool{
		"/api/v1/logs?limit=3":                                                false,
		"/api/v1/logs?search=service:ssh":                                     false,
		"/api/v1/logs?search=service:ssh+attacker:203.0.113.1":                false,
		"/api/v1/logs?start_time=2026-04-17T12:00:00Z":                        false,
		"/api/v1/logs/1":                                                      false,
		"/api/v1/logs/histogram?interval_minutes=60":                          false,
		"/api/v1/rankings?by=attacker&limit=3":                                false,
		"/api/v1/bounty?limit=3":                                              false,
		"/api/v1/attackers":                                                   false,
		"/api/v1/attackers/" + repo.AttackerUUID("203.0.113.1"):               false,
		"/api/v1/attackers/" + repo.AttackerUUID("203.0.113.1") + "/commands": false,
		"/api/v1/credentials":                                                 false,
		"/api/v1/ingest/rejects":                                              false,
		"/api/v1/logs?search=root":                                            true,
		"/api/v1/logs?search=service:ssh+root":                                true,
		"/api/v1/logs?search=username:root":                                   true,
		"/api/v1/logs/histogram?search=root&start_time=2026-04-17T12:00:00Z":  true,
		"/api/v1/bounty?search=root":                                          true,
		"/api/v1/attackers?search=203":                                        true,
		"/api/v1/credentials?search=root":                                     true,
	}
}

// TestAdmission_EveryReadThatNoCacheAnswersTakesAPlace, and searches take none of
// the other reads.
func TestAdmission_EveryReadThatNoCacheAnswersTakesAPlace(t *testing.T) {
	t.Parallel()
	for _, searching := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := testutil.New(t, testutil.WallClock(), narrow(api.Admission{Reads: 1, Searches: 1, Waiting: 1}))
			w.Seed(20)
			release, query := w.Calls.Hold("Attackers"), "limit=1"
			if searching {
				query = "search=203"
			}
			var under asking
			for range 2 { // one at work, one that waits
				under.get(w, http.StatusOK, "/api/v1/attackers?"+query)
			}
			for path, looks := range placedReads() {
				switch {
				case looks == searching:
					w.Viewer.Get(path).WantProblem(http.StatusServiceUnavailable, overloaded)
				case path != "/api/v1/attackers" && path != "/api/v1/attackers?search=203": // which are held
					w.Viewer.Get(path).OK()
				}
			}
			release()
			under.Wait()
			for path := range placedReads() { // the place is given back by all of them
				w.Viewer.Get(path).OK()
			}
		})
	}
}

func TestAdmission_AFailureGivesThePlaceBack(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.With(func(o *api.Options) {
		o.Store, o.Admission = panicking{o.Store}, api.Admission{Reads: 1, Patience: time.Nanosecond}
	}))
	w.Seed(1)
	path := "/api/v1/attackers/" + repo.AttackerUUID("203.0.113.1")
	w.Calls.Fail("Log", errors.New("disk on fire"))
	for range 3 {
		w.Viewer.Get(path).Want(http.StatusInternalServerError) // it panics
		w.Viewer.Get("/api/v1/logs/1").Want(http.StatusInternalServerError)
	}
	w.Viewer.Get("/api/v1/logs").OK()
}
