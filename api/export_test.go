package api_test

import (
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/api"
	"decnet/repo"
	"decnet/testutil"
)

// listed walks the list of events, page by page.
func listed(w *testutil.World, query ...string) []logRow {
	var rows []logRow
	for {
		page := logsOf(w.Viewer.Get("/api/v1/logs", append(query, "limit", "1000", "offset", strconv.Itoa(len(rows)))...).OK())
		rows = append(rows, page.Data...)
		if len(page.Data) < 1000 {
			return rows
		}
	}
}

func exportOf(w *testutil.World, query ...string) string {
	return string(w.Viewer.Get("/api/v1/logs/export", query...).OK().Body)
}

func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func TestExport_IsTheListWhole(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	w.Seed(1234)
	for _, query := range [][]string{
		{}, {"search", "service:ssh"}, {"search", "pw7"}, {"search", "username:user1"},
		{"start_time", "2026-04-17T20:00:00Z", "end_time", "2026-04-18T09:00:00Z"}, {"search", "nothing-like-this"},
	} {
		want := listed(w, query...)
		lines := linesOf(exportOf(w, query...))
		require.Len(t, lines, len(want), "%v", query)
		records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(exportOf(w, append(query, "format", "csv")...), "\ufeff"))).ReadAll()
		require.NoError(t, err)
		require.Len(t, records, len(want)+1)
		for i, row := range want {
			var got struct {
				logRow
				Fields json.RawMessage `json:"fields"`
			}
			require.NoError(t, json.Unmarshal([]byte(lines[i]), &got))
			assert.NotContains(t, lines[i], `"base64"`, "where nothing was lost")
			assert.JSONEq(t, row.Fields, string(got.Fields))
			got.logRow.Fields = row.Fields
			assert.Equal(t, row, got.logRow)
			assert.Equal(t, []string{
				strconv.FormatInt(row.ID, 10), row.Timestamp, row.Decky, row.Service, row.EventType, row.Attacker, "", row.Fields, row.Raw,
			}, records[i+1])
		}
	}
	w.Viewer.Get("/api/v1/logs/export", "format", "xml").Want(http.StatusUnprocessableEntity)
	head := w.Viewer.Do(w.Viewer.Request(http.MethodHead, "/api/v1/logs/export?format=csv", nil)).OK()
	assert.Equal(t, "text/csv; charset=utf-8", head.Header.Get("Content-Type"))
	assert.Equal(t, `attachment; filename="decnet-events.csv"`, head.Header.Get("Content-Disposition"))
}

// TestExport_NDJSONLosesNothing: also not what is no UTF-8, or a number that
// JavaScript would round.
func TestExport_NDJSONLosesNothing(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	e := testutil.Event(1)
	e.RawLine, e.Decky, e.Msg = "\xff\x00<script>\u2028\r\n", "d\x80", "é\x1b[2J"
	e.Original = []byte("{\xfe}")
	e.Fields = `{"n": 12345678901234567890, "f":1e400,"s":"</script>\u0000\ud83d\ude00"}`
	w.Commit(e)
	line := exportOf(w)
	assert.NotContains(t, line, "<", "it is harmless wherever it is shown")
	assert.Contains(t, line, `"n": 12345678901234567890, "f":1e400`)
	var got struct {
		Decky, Msg string
		Raw        string `json:"raw_line"`
		Base64     map[string]string
		Fields     map[string]any
	}
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&got))
	assert.Equal(t, "</script>\x00😀", got.Fields["s"])
	assert.Equal(t, e.Msg, got.Msg)
	assert.Equal(t, "d\ufffd", got.Decky)
	exact := map[string]string{}
	for name, text := range got.Base64 {
		b, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		exact[name] = string(b)
	}
	assert.Equal(t, map[string]string{"raw_line": e.RawLine, "decky": e.Decky, "original": string(e.Original)}, exact)
}

func TestExport_CSVRunsNoFormula(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	cells := map[string]string{
		"=cmd|' /C calc'!A1": "'=cmd|' /C calc'!A1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "＝1": "'＝1", "＠x": "'＠x",
		" =1": "' =1", "\u200b=1": "'\u200b=1", "\ufeff\u00a0 +1": "'\ufeff\u00a0 +1", "\x00=1": "'\x00=1", "\tx": "'\tx", "\nx": "'\nx",
		"a=1": "a=1", "1-1": "1-1", `say "hi", twice`: `say "hi", twice`, "two\nlines": "two\nlines", " x ": " x ", "": "", "é\xff": "é\ufffd", `"=1"`: `"=1"`,
	}
	for text := range cells {
		e := testutil.Event(1)
		e.RawLine, e.Msg = text, text
		w.Commit(e)
	}
	text := exportOf(w, "format", "csv")
	assert.True(t, strings.HasPrefix(text, "\ufeffid,timestamp,"))
	assert.Contains(t, text, `," x ",`, "readers of CSV may trim what is not quoted")
	assert.Contains(t, text, `,a=1,`)
	records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
	require.NoError(t, err)
	got := map[string]bool{}
	for _, r := range records[1:] {
		assert.Equal(t, r[6], r[8])
		got[r[8]] = true
	}
	want := map[string]bool{}
	for _, cell := range cells {
		want[cell] = true
	}
	assert.Equal(t, want, got)
}

func TestExport_IsBoundedInNumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock())
		w.Seed(3)
		release := w.Calls.Hold("Logs")
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { assert.Len(t, linesOf(exportOf(w)), 3) })
		}
		synctest.Wait()
		r := w.Viewer.Get("/api/v1/logs/export")
		r.WantProblem(http.StatusTooManyRequests, "Too many exports at once, try again later")
		assert.NotEmpty(t, r.Header.Get("Retry-After"))
		release()
		wg.Wait()
		assert.Len(t, linesOf(exportOf(w)), 3, "the places are free again")
	})
}

// TestExport_EndsWithItsClient: whoever goes away costs no further reads, and a
// client that reads nothing holds no more than is on its way.
func TestExport_EndsWithItsClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := testutil.New(t, testutil.WallClock())
		w.Seed(5000)
		for range 3 { // more than the places
			ctx, cancel := context.WithCancel(t.Context())
			resp, err := w.Viewer.Send(w.Viewer.Request(http.MethodGet, "/api/v1/logs/export", nil).WithContext(ctx))
			require.NoError(t, err)
			_, err = io.ReadFull(resp.Body, make([]byte, 1000))
			require.NoError(t, err)
			synctest.Wait()
			cancel()
			_ = resp.Body.Close()
			synctest.Wait()
		}
		assert.LessOrEqual(t, w.Calls.Calls("Logs"), 9, "of the ten reads that each of them would have been")
	})
}

// strangeStore changes what a page of events answers.
type strangeStore struct {
	api.Store
	logs func(q repo.LogQuery) error
}

func (s strangeStore) Logs(ctx context.Context, q repo.LogQuery) ([]repo.Log, error) {
	if err := s.logs(q); err != nil {
		return nil, err
	}
	return s.Store.Logs(ctx, q) //nolint:wrapcheck // as it is
}

// TestExport_ATooBroadSearchIsLookedForOneByOne: the store may refuse to search, but
// whoever exports has asked for all.
func TestExport_ATooBroadSearchIsLookedForOneByOne(t *testing.T) {
	t.Parallel()
	w := testutil.New(t, testutil.With(func(o *api.Options) {
		o.Store = strangeStore{o.Store, func(q repo.LogQuery) error {
			// It is found out on the second page.
			if q.Search != nil && !q.After.IsZero() {
				return fmt.Errorf("too broad: %w", repo.ErrTooBroad)
			}
			return nil
		}}
	}))
	w.Seed(2100)
	want := listed(w, "search", "203.0.113.1")
	lines := linesOf(exportOf(w, "search", "203.0.113.1"))
	require.Greater(t, len(want), 500)
	require.Len(t, lines, len(want))
	for i, line := range lines {
		assert.True(t, strings.HasPrefix(line, fmt.Sprintf(`{"id":%d,`, want[i].ID)))
	}
}

// TestExport_HalfAFileDoesNotLookWhole: the connection is cut when the store fails,
// and when the user may no longer read.
func TestExport_HalfAFileDoesNotLookWhole(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(w *testutil.World) error{
		"the store": func(*testutil.World) error { return assert.AnError },
		"the user": func(w *testutil.World) error {
			w.Server.Cached()["users"].Reset()
			return w.Store.DeleteUser(context.Background(), w.ViewerUser().UUID) //nolint:usetesting // called by the server
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w *testutil.World
			var once sync.Once
			w = testutil.New(t, testutil.With(func(o *api.Options) {
				o.Store = strangeStore{o.Store, func(q repo.LogQuery) (err error) {
					if !q.After.IsZero() {
						once.Do(func() { err = fail(w) })
					}
					return err
				}}
			}))
			w.Seed(2000)
			resp, err := w.Viewer.Send(w.Viewer.Request(http.MethodGet, "/api/v1/logs/export", nil))
			require.NoError(t, err)
			defer func() { _ = resp.Body.Close() }()
			body, err := io.ReadAll(resp.Body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.NotEmpty(t, body)
			assert.Less(t, strings.Count(string(body), "\n"), 2000)
		})
	}
	w := testutil.New(t)
	w.Calls.Fail("Logs", assert.AnError)
	w.Viewer.Get("/api/v1/logs/export").WantProblem(http.StatusInternalServerError, "An internal error occurred")
}

func TestLog_OneEvent(t *testing.T) {
	t.Parallel()
	w := testutil.New(t)
	for _, row := range w.Seed(3) {
		r := w.Viewer.Get(fmt.Sprintf("/api/v1/logs/%d", row.ID)).OK()
		assert.Equal(t, row.Time.Format(time.RFC3339Nano), testutil.Decode[logRow](r).Timestamp)
		assert.Equal(t, row.RawLine, testutil.Decode[logRow](r).Raw)
	}
	for _, id := range []string{"4", "0", "-1", "x", "1.0", "99999999999999999999", "1%20", "%00"} {
		w.Viewer.Get("/api/v1/logs/"+id).WantProblem(http.StatusNotFound, "Event not found")
	}
	w.Anonymous.Get("/api/v1/logs/1").Want(http.StatusUnauthorized)
}
