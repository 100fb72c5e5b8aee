package api_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/repo"
	"decnet/testutil"
)

type cursorPage struct {
	testutil.Page[logRow]
	NextCursor    *string `json:"next_cursor"`
	TotalRelation string  `json:"total_relation"`
}

// TestLogs_CursorWalksWhole walks all pages while events arrive, of which many
// have the same time: none is missed or seen twice, which offsets cannot promise.
func TestLogs_CursorWalksWhole(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	var events []repo.Event
	for i := range 40 {
		e := testutil.Event(i)
		e.Time = w.Clock.Now().Add(time.Duration(i/8) * time.Second)
		events = append(events, e)
	}
	w.Commit(events...)
	whole := logsOf(w.Viewer.Get("/api/v1/logs", "limit", "1000").OK())

	var seen []int64
	query := []string{"limit", "7"}
	for range 10 {
		page := testutil.Decode[cursorPage](w.Viewer.Get("/api/v1/logs", query...).OK())
		for _, row := range page.Data {
			seen = append(seen, row.ID)
		}
		if page.NextCursor == nil {
			assert.Len(t, page.Data, 40%7)
			break
		}
		query = []string{"limit", "7", "cursor", *page.NextCursor}
		newer := testutil.Event(1000 + len(seen))
		newer.Time = w.Clock.Now().Add(time.Hour)
		w.Commit(newer)
	}
	var want []int64
	for _, row := range whole.Data {
		want = append(want, row.ID)
	}
	assert.Equal(t, want, seen)
}

func TestLogs_CursorWithFilterAndOffset(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(30)
	whole := logsOf(w.Viewer.Get("/api/v1/logs", "search", "service:ssh", "limit", "100").OK())
	require.Greater(t, len(whole.Data), 5)
	first := testutil.Decode[cursorPage](w.Viewer.Get("/api/v1/logs", "search", "service:ssh", "limit", "2").OK())
	next := logsOf(w.Viewer.Get("/api/v1/logs", "search", "service:ssh", "limit", "2", "offset", "1", "cursor", *first.NextCursor).OK())
	assert.Equal(t, whole.Data[3:5], next.Data, "the offset is counted behind the cursor")
	assert.Equal(t, len(whole.Data), int(next.Total), "the total is of the whole list")
	last := logsOf(w.Viewer.Get("/api/v1/logs", "cursor", "0-0").OK())
	assert.Empty(t, last.Data)
	beyond := logsOf(w.Viewer.Get("/api/v1/logs", "cursor", "9999999999999999999-9999999999999999999").OK())
	assert.Len(t, beyond.Data, 30)
	for _, bad := range []string{"1", "-", "a-b", "1-2-3", "١-١"} {
		w.Viewer.Get("/api/v1/logs", "cursor", bad).Want(http.StatusUnprocessableEntity)
	}
}

// TestLogs_TooBroad is a search that would read too much: refused with a sentence
// that says what to do, unless only its total would.
func TestLogs_TooBroad(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(3)
	broad := fmt.Errorf("list logs: %w", repo.ErrTooBroad)
	w.Calls.Fail("CountLogs", broad)
	page := testutil.Decode[cursorPage](w.Viewer.Get("/api/v1/logs", "search", "x").OK())
	assert.Equal(t, "gte", page.TotalRelation)
	w.Calls.Fail("CountLogs", nil)
	page = testutil.Decode[cursorPage](w.Viewer.Get("/api/v1/logs", "search", "x").OK())
	assert.Empty(t, page.TotalRelation)

	w.Calls.Fail("Logs", broad)
	w.Calls.Fail("Histogram", broad)
	for _, path := range []string{"/api/v1/logs", "/api/v1/logs/histogram"} {
		w.Viewer.Get(path, "search", "x").WantProblem(http.StatusUnprocessableEntity,
			"The search would read too many events, narrow it by time, service or attacker")
	}
}

// manyParts is a store whose search takes more than one request's work to count.
type manyParts struct {
	api.Store

	counted chan struct{} // closed once it is counted
}

// CountLogs implements [api.LogReader].
func (m *manyParts) CountLogs(ctx context.Context, f repo.LogFilter) (int64, error) {
	if f.IsZero() {
		return m.Store.CountLogs(ctx, f)
	}
	select {
	case <-m.counted:
		return 500, nil
	default:
		return 100, repo.ErrTooBroad
	}
}

// CountOn implements [api.LogReader].
func (m *manyParts) CountOn(_ context.Context, f repo.LogFilter, _ func(time.Duration) time.Duration) error {
	if f.Search.Match(&repo.Log{RawLine: "x"}) {
		close(m.counted)
	}
	return nil
}

// TestLogs_TotalIsCountedOn: who asks again gets the whole total, although nobody
// asked in between.
func TestLogs_TotalIsCountedOn(t *testing.T) {
	t.Parallel()
	store := &manyParts{counted: make(chan struct{})}
	w := testutil.New(t, testutil.With(func(o *api.Options) {
		store.Store = o.Store
		o.Store = store
	}))
	page := testutil.Decode[cursorPage](w.Viewer.Get("/api/v1/logs", "search", "x").OK())
	assert.EqualValues(t, 100, page.Total)
	assert.Equal(t, "gte", page.TotalRelation)
	<-store.counted
	page = testutil.Decode[cursorPage](w.Viewer.Get("/api/v1/logs", "search", "x").OK())
	assert.EqualValues(t, 500, page.Total)
	assert.Empty(t, page.TotalRelation)
}

// uncounted is a store that has counted nothing of a search yet.
type uncounted struct{ api.Store }

// CountLogs implements [api.LogReader].
func (u uncounted) CountLogs(ctx context.Context, f repo.LogFilter) (int64, error) {
	if f.IsZero() {
		return u.Store.CountLogs(ctx, f)
	}
	return 0, repo.ErrTooBroad
}

// TestLogs_TotalHasThePage: a lower bound is not below what the page shows.
func TestLogs_TotalHasThePage(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.With(func(o *api.Options) { o.Store = uncounted{o.Store} }))
	var events []repo.Event
	for i := range 3 {
		e := testutil.Event(i)
		e.RawLine = "needle"
		events = append(events, e)
	}
	w.Commit(events...)
	page := testutil.Decode[cursorPage](w.Viewer.Get("/api/v1/logs", "search", "needle", "limit", "2", "offset", "1").OK())
	assert.Len(t, page.Data, 2)
	assert.EqualValues(t, 3, page.Total)
	assert.Equal(t, "gte", page.TotalRelation)
}
