package api

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"decnet/contract"
	"decnet/repo"
)

// totalWindow is how long the totals of unfiltered lists are served from memory.
const totalWindow = 2 * time.Second

// logsResource answers GET /logs; only the total of the unfiltered list is cached.
type logsResource struct {
	store    LogReader
	total    *cache[int64]
	counting *counting
	rows     *renderedLogs
	buffers  buffers
}

func newLogs(o owner, store LogReader, crowded func() bool) *logsResource {
	return &logsResource{store: store, counting: newCounting(o, store, crowded), rows: newRenderedLogs(), total: newCache(o, string(cacheLogsTotal), totalWindow, func(ctx context.Context) (int64, error) {
		return store.CountLogs(ctx, repo.LogFilter{})
	})}
}

// Reset makes the cache cold.
func (l *logsResource) Reset() { l.total.reset() }

func (l *logsResource) list(c *call) (answer, error) {
	filter, err := logFilter(c.params)
	if err != nil {
		return answer{}, err
	}
	limit, offset := pageOf(c)
	after, err := cursorOf(c.params)
	if err != nil {
		return answer{}, err
	}
	if err := c.work(looksIntoTexts(filter.Search)); err != nil {
		return answer{}, err
	}
	logs, err := l.store.Logs(c.Context(), repo.LogQuery{LogFilter: filter, Limit: limit, Offset: offset, After: after})
	if err != nil {
		return answer{}, fmt.Errorf("logs: %w", err)
	}
	var total int64
	if filter.IsZero() {
		total, err = l.total.get(c.Context())
	} else {
		total, err = l.store.CountLogs(c.Context(), filter)
	}
	atLeast := errors.Is(err, repo.ErrTooBroad)
	if err != nil && !atLeast {
		return answer{}, fmt.Errorf("count logs: %w", err)
	}
	if atLeast {
		total = max(total, int64(offset+len(logs)))
		l.counting.goOn(filter)
	}
	return l.page(logs, total, atLeast, limit, offset), nil
}

// page is a page of events as it is sent. The total may be only a lower bound.
func (l *logsResource) page(logs []repo.Log, total int64, atLeast bool, limit, offset int) answer {
	parts := make([][]byte, len(logs))
	for i := range logs {
		parts[i] = l.rows.of(&logs[i])
	}
	return l.buffers.page(total, limit, offset, parts, func(b []byte) []byte {
		b = append(b[:len(b)-1], `,"next_cursor":`...)
		if len(logs) == limit {
			b = append(b, '"')
			b = appendCursor(b, logs[limit-1].Place())
			b = append(b, '"')
		} else {
			b = append(b, "null"...)
		}
		if atLeast {
			b = append(b, `,"total_relation":"gte"`...)
		}
		return append(b, '}')
	})
}

// appendCursor appends the wire form of a place: its nanoseconds since 1970 and its
// id. Clients are told that it means nothing to them.
func appendCursor(b []byte, p repo.LogPlace) []byte {
	b = strconv.AppendInt(b, p.Time.UnixNano(), 10)
	b = append(b, '-')
	return strconv.AppendInt(b, p.ID, 10)
}

// cursorOf reads the cursor, whose form the contract has checked. A number beyond
// all places is the last one.
func cursorOf(p contract.Params) (place repo.LogPlace, err error) {
	if !p.Given("cursor") {
		return place, nil
	}
	nanos, id, _ := strings.Cut(p.String("cursor"), "-")
	var numbers [2]int64
	for i, text := range []string{nanos, id} {
		// ParseInt gives the largest number for one that is too large.
		if numbers[i], err = strconv.ParseInt(text, 10, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
			return place, fmt.Errorf("cursor passed the contract but is none: %w", err)
		}
	}
	return repo.LogPlace{Time: time.Unix(0, min(numbers[0], repo.MaxUnixNano)).UTC(), ID: numbers[1]}, nil
}

// logFilter reads search, start_time and end_time.
func logFilter(p contract.Params) (repo.LogFilter, error) {
	f, err := timeFilter(p)
	f.Search = repo.ParseSearch(p.String("search"))
	return f, err
}

// timeFilter reads start_time and end_time.
func timeFilter(p contract.Params) (f repo.LogFilter, err error) {
	var ok bool
	if p.Given("start_time") {
		if f.Start, _, ok = contract.ParseTimeBound(p.String("start_time")); !ok {
			return f, errors.New("start_time passed the contract but is no time")
		}
	}
	if p.Given("end_time") {
		if _, f.End, ok = contract.ParseTimeBound(p.String("end_time")); !ok {
			return f, errors.New("end_time passed the contract but is no time")
		}
		if f.End.IsZero() { // which would mean no bound
			f.End = f.End.Add(1)
		}
	}
	return f, nil
}
