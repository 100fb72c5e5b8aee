package api_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/repo"
	"decnet/testutil"
)

func TestStream_BeginsWithTheCountersThenPushesRows(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(3)
	s := w.Viewer.Open(nil)
	first, ok := s.Next()
	require.True(t, ok)
	assert.Equal(t, "stats", first.Type)
	assert.JSONEq(t, `{"total_logs":3,"unique_attackers":3,"active_deckies":3,"deployed_deckies":0}`, string(first.Data))
	second, ok := s.Next()
	require.True(t, ok)
	assert.Equal(t, "histogram", second.Type)
	rows := w.Seed(2)
	logs := s.Until("logs")
	assert.Equal(t, []int64{rows[0].ID, rows[1].ID}, logs.LogIDs())
	assert.Equal(t, strconv.FormatInt(rows[1].ID, 10), logs.ID)
}

func TestStream_ABatchIsFollowedByFreshCounters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock())
		s := w.Viewer.Open(nil)
		s.Until("histogram")
		w.Seed(7)
		s.Until("logs")
		begin := time.Now()
		stats := s.Until("stats")
		assert.Contains(t, string(stats.Data), `"total_logs":7`)
		assert.Contains(t, string(s.Until("histogram").Data), `"count"`)
		assert.LessOrEqual(t, time.Since(begin), time.Second)
	})
}

func TestStream_CountersComeEveryTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock())
		s := w.Viewer.Open(nil)
		s.Until("histogram")
		s.Until("stats")
		last := time.Now()
		for range 3 {
			s.Until("stats")
			assert.Equal(t, 10*time.Second, time.Since(last))
			last = time.Now()
		}
	})
}

func TestStream_RowsComeInAscendingOrderAtMostFiftyAMessage(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	s := w.Viewer.Open(nil)
	s.Until("histogram")
	rows := w.Seed(120)
	var got []int64
	for len(got) < len(rows) {
		ids := s.Until("logs").LogIDs()
		assert.LessOrEqual(t, len(ids), 50)
		got = append(got, ids...)
	}
	for i, r := range rows {
		assert.Equal(t, r.ID, got[i])
	}
}

// TestStream_ResumesWithoutGapOrDouble reads, loses the connection, reads on by
// Last-Event-ID, and compares with what was committed.
func TestStream_ResumesWithoutGapOrDouble(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(5)
	var want, got []int64
	commit := func(n int) {
		for _, r := range w.Seed(n) {
			want = append(want, r.ID)
		}
	}
	s := w.Viewer.Open(nil)
	s.Until("histogram")
	commit(3)
	got = append(got, s.Until("logs").LogIDs()...)
	last := s.LastID
	s.Close()
	commit(777) // while nobody listens: more than one page of the catch-up
	for i := range 3 {
		var header http.Header
		var query []string
		if i == 1 {
			query = []string{"lastEventId", last}
		} else {
			header = http.Header{"Last-Event-Id": {last}}
		}
		s := w.Viewer.Open(header, query...)
		commit(20) // while it is opening
		for len(got) < len(want) {
			got = append(got, s.Until("logs").LogIDs()...)
		}
		last = s.LastID
		s.Close()
	}
	assert.Equal(t, want, got)
}

// TestStream_WhatTheClientHasIsNotSentAgain: it may know rows from the list before
// they are published.
func TestStream_WhatTheClientHasIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for name, query := range map[string][]string{"all": nil, "filtered": {"start_time", "2020-01-01"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := testutil.New(t)
			w.Seed(3)
			first := w.Viewer.Open(http.Header{"Last-Event-Id": {"4"}}, query...)
			second := w.Viewer.Open(http.Header{"Last-Event-Id": {"5"}}, query...)
			first.Until("histogram")
			second.Until("histogram")
			w.Seed(4)
			assert.Equal(t, []int64{5, 6, 7}, first.Until("logs").LogIDs())
			assert.Equal(t, []int64{6, 7}, second.Until("logs").LogIDs())
		})
	}
}

// TestStream_ResumesFromBeforeTheFirstRow: also a client that has seen no row yet
// has a place to go on from.
func TestStream_ResumesFromBeforeTheFirstRow(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	s := w.Viewer.Open(nil)
	s.Until("histogram")
	assert.Equal(t, "0", s.LastID)
	s.Close()
	rows := w.Seed(3)
	resumed := w.Viewer.Open(http.Header{"Last-Event-Id": {s.LastID}})
	assert.Equal(t, []int64{rows[0].ID, rows[1].ID, rows[2].ID}, resumed.Until("logs").LogIDs())
}

// TestStream_AfterARestartBeginsBehindTheNewestRow: a service that has published
// nothing yet knows from the store what its clients have.
func TestStream_AfterARestartBeginsBehindTheNewestRow(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	before := &repo.Batch{Events: []repo.Event{testutil.Event(0), testutil.Event(1)}}
	require.NoError(t, w.Store.Commit(t.Context(), before)) // by the service that ran before
	s := w.Viewer.Open(nil)
	s.Until("histogram")
	assert.Equal(t, strconv.FormatInt(before.Events[1].ID, 10), s.LastID)
	rows := w.Seed(1)
	assert.Equal(t, []int64{rows[0].ID}, s.Until("logs").LogIDs())
}

// TestStream_TheLastIDNeverGoesBack: it would give rows twice.
func TestStream_TheLastIDNeverGoesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock())
		s := w.Viewer.Open(nil)
		s.Until("histogram")
		w.Calls.Delay("Stats", 300*time.Millisecond) // rows come while the counters are read
		w.Seed(1)
		synctest.Wait()
		time.Sleep(100 * time.Millisecond)
		w.Seed(1)
		s.Until("logs")
		s.Until("logs")
		assert.Equal(t, "2", s.LastID)
		s.Until("stats")
		assert.Equal(t, "2", s.LastID)
	})
}

func TestStream_FiltersLikeTheList(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	s := w.Viewer.Open(nil, "search", "service:ssh")
	assert.Equal(t, "[]", string(s.Until("histogram").Data))
	rows := w.Seed(9)
	var want []int64
	for _, r := range rows {
		if r.Service == "ssh" {
			want = append(want, r.ID)
		}
	}
	assert.Equal(t, want, s.Until("logs").LogIDs())
	resumed := w.Viewer.Open(nil, "search", "service:ssh", "lastEventId", strconv.FormatInt(rows[0].ID, 10))
	assert.Equal(t, want[1:], resumed.Until("logs").LogIDs(), "the catch-up filters too")
}

func TestStream_TokenInTheQuery(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	s := w.Anonymous.Open(nil, "token", w.Viewer.Token())
	s.Until("stats")
	w.Anonymous.Get("/api/v1/stream", "token", "nonsense").Want(http.StatusUnauthorized)
}

func TestStream_EndsWhenTheTokenIsRevoked(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	s := w.Viewer.Open(nil)
	s.Until("histogram")
	w.Admin.Delete("/api/v1/config/users/" + w.ViewerUser().UUID).OK()
	w.Seed(1)
	for {
		m, ok := s.Next()
		require.True(t, ok, "an error event comes before the end")
		if m.Type == "error" {
			assert.Equal(t, "Could not validate credentials", m.Message)
			break
		}
	}
	_, ok := s.Next()
	assert.False(t, ok)
}

func TestStream_EndsWithTheServer(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	s := w.Viewer.Open(nil)
	s.Until("histogram")
	w.Server.Close()
	m := s.Until("error")
	assert.Equal(t, "The service is shutting down", m.Message)
	_, ok := s.Next()
	assert.False(t, ok)
	w.Viewer.Get("/api/v1/stream").WantProblem(http.StatusServiceUnavailable, "The service is shutting down")
}

func TestStream_IsBoundedInNumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock(), testutil.With(func(o *api.Options) { o.MaxStreams = 2 }))
		w.Viewer.Open(nil)
		second := w.Viewer.Open(nil)
		w.Viewer.Get("/api/v1/stream").WantProblem(http.StatusServiceUnavailable, "Too many open streams")
		second.Close()
		synctest.Wait() // the server has noticed
		w.Viewer.Open(nil)
	})
}

func TestStream_DeveloperModeEndsAfterSomeRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.Developer(), testutil.WallClock())
		begin := time.Now()
		r := w.Viewer.Get("/api/v1/stream", "maxOutput", "1").OK()
		assert.Zero(t, time.Since(begin))
		assert.Contains(t, string(r.Body), `"type":"stats"`)
		assert.NotContains(t, string(r.Body), "event: error")
		w.Viewer.Get("/api/v1/stream", "maxOutput", "4").OK()
		assert.Equal(t, 3*time.Second, time.Since(begin))

		s := w.Viewer.Open(nil, "maxOutput", "3")
		s.Until("histogram")
		w.Seed(1)
		s.Until("logs") // rows are a round too
		s.Until("histogram")
		begin = time.Now()
		_, ok := s.Next()
		assert.False(t, ok)
		assert.Equal(t, time.Second, time.Since(begin))
	})
	w := testutil.New(t) // elsewhere the parameter is ignored
	s := w.Viewer.Open(nil, "maxOutput", "1")
	s.Until("histogram")
	w.Seed(1)
	s.Until("logs")
}

// TestStream_ALargeHistogramComesEveryTenSecondsOnly: a megabyte after each
// commit would help nobody.
func TestStream_ALargeHistogramComesEveryTenSecondsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock())
		events := make([]repo.Event, 2000) // a bucket each
		for i := range events {
			events[i] = testutil.Event(i)
			events[i].Time = testutil.Event(0).Time.Add(-time.Duration(i) * time.Hour)
		}
		w.Commit(events...)
		s := w.Viewer.Open(nil)
		require.Greater(t, len(s.Until("histogram").Data), 64<<10)
		s.Until("histogram") // after which the service knows that it is large
		last := time.Now()
		for range 3 {
			w.Seed(1)
			s.Until("logs")
			s.Until("stats")
		}
		assert.Less(t, time.Since(last), 5*time.Second, "the counters come with the rows")
		s.Until("histogram")
		assert.Greater(t, time.Since(last), 5*time.Second)
	})
}

// TestStream_WhatCannotBeReadHoldsUpNothingElse: of the two counters each comes
// without the other.
func TestStream_WhatCannotBeReadHoldsUpNothingElse(t *testing.T) {
	t.Parallel()
	for fails, comes := range map[string]string{"Stats": "histogram", "Histogram": "stats"} {
		t.Run(fails, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := testutil.New(t, testutil.WallClock())
				s := w.Viewer.Open(nil)
				s.Until("histogram")
				w.Calls.Fail(fails, errors.New("disk I/O error"))
				w.Seed(1)
				s.Until("logs")
				defer time.AfterFunc(time.Minute, s.Close).Stop() // a stream without counters would wait for ever
				begin := time.Now()
				m, ok := s.Next()
				require.True(t, ok)
				assert.Equal(t, comes, m.Type)
				assert.LessOrEqual(t, time.Since(begin), time.Second)
			})
		})
	}
}

// TestStream_ManyClientsCostNoQueries: what a commit costs does not depend on
// how many listen.
func TestStream_ManyClientsCostNoQueries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock())
		streams := make([]*testutil.Stream, 50)
		for i := range streams {
			streams[i] = w.Viewer.Open(nil)
			streams[i].Until("histogram")
		}
		synctest.Wait()
		before := w.Calls.Total()
		w.Seed(10)
		for _, s := range streams {
			s.Until("logs")
			s.Until("histogram")
		}
		assert.LessOrEqual(t, w.Calls.Total()-before, 4, "one pair of counters for all, twice at most")
	})
}

// TestStream_ASlowClientIsSentAwayAndLosesNothing: the hub keeps a bounded
// number of rows, and a client further behind resumes from the store.
func TestStream_ASlowClientIsSentAwayAndLosesNothing(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	s := w.Viewer.Open(nil)
	s.Until("histogram")
	const total = 30_000
	var rows []repo.Log
	for range 6 { // the client reads nothing meanwhile
		rows = append(rows, w.Seed(total/6)...)
	}
	var got []int64
	for {
		m, ok := s.Next()
		if !ok {
			break
		}
		if m.Type == "logs" {
			got = append(got, m.LogIDs()...)
		}
	}
	require.Less(t, len(got), total, "it fell behind")
	resumed := w.Viewer.Open(http.Header{"Last-Event-Id": {s.LastID}})
	for len(got) < total {
		got = append(got, resumed.Until("logs").LogIDs()...)
	}
	for i := range rows {
		require.Equal(t, rows[i].ID, got[i])
	}
}
