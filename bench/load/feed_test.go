package load_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/bench/load"
	"decnet/testutil"
)

// lockedLines are what a feed wrote.
type lockedLines struct {
	mu   sync.Mutex
	text bytes.Buffer
	fail error
}

func (l *lockedLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return 0, l.fail
	}
	return l.text.Write(p)
}

// numbered returns lines that are their numbers.
func numbered() func() []byte {
	n := 0
	return func() []byte { n++; return strconv.AppendInt(nil, int64(n), 10) }
}

func TestRun_Feeds(t *testing.T) {
	t.Parallel()
	asked := newEnough(t)
	w := testutil.New(t, testutil.TCP(), testutil.Broken(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/v1/ingest/status" {
			return false
		}
		asked.asked()
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"sources":[{"lag_seconds":0.25},{"lag_seconds":1.5},{"lag_seconds":0}]}`))
		return true
	}))
	o := options(w)
	var lines lockedLines
	o.Duration, o.Feed = time.Hour, &load.Feed{To: &lines, Rate: 1000, Next: numbered()}
	rep, err := load.Run(asked.ctx, o)
	require.NoError(t, err)
	require.NotNil(t, rep.Fed)
	assert.Empty(t, rep.Fed.Problem)
	assert.InDelta(t, 1.5, rep.Fed.Lag, 1e-9, "the longest of all sources")
	assert.Positive(t, rep.Fed.Rate)
	got := strings.Split(strings.TrimSuffix(lines.text.String(), "\n"), "\n")
	assert.EqualValues(t, len(got), rep.Fed.Lines)
	for i, line := range got {
		require.Equal(t, strconv.Itoa(i+1), line)
	}
	var table bytes.Buffer
	require.NoError(t, rep.WriteTable(&table))
	assert.Contains(t, table.String(), "waited 1.50 s for their commit at most")
}

// TestRun_FeedFails: a load whose lines did not come in, or whose lag nobody knows,
// was not the load that was wanted.
func TestRun_FeedFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail   error
		broken bool
		// rejects is how many more lines are rejected at each look.
		rejects int64
		want    string
	}{
		"disk":   {fail: errors.New("no space left"), want: "no space left"},
		"status": {broken: true, want: "ask for the lag: status 418"},
		"form":   {rejects: 7, want: "were rejected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var looks atomic.Int64
			w := testutil.New(t, testutil.TCP(), testutil.Broken(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/api/v1/ingest/status" {
					return false
				}
				if tc.broken {
					rw.WriteHeader(http.StatusTeapot)
				} else {
					_, _ = fmt.Fprintf(rw, `{"rejected":%d}`, 50+tc.rejects*looks.Add(1))
				}
				return true
			}))
			o := options(w)
			o.Duration = 600 * time.Millisecond
			o.Feed = &load.Feed{To: &lockedLines{fail: tc.fail}, Rate: 1000, Next: numbered()}
			rep, err := load.Run(context.WithoutCancel(t.Context()), o)
			require.NoError(t, err)
			require.NotNil(t, rep.Fed)
			assert.Contains(t, rep.Fed.Problem, tc.want)
			assert.False(t, rep.Fine())
		})
	}
}
