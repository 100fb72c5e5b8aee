package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"decnet/contract"
	"decnet/repo"
)

// totalWindow is how long the totals of unfiltered lists are served from memory.
const totalWindow = 2 * time.Second

// logsResource answers GET /logs; only the total of the unfiltered list is cached.
type logsResource struct {
	store LogReader
	total *cache[int64]
}

func newLogs(o owner, store LogReader) *logsResource {
	return &logsResource{store: store, total: newCache(o, string(cacheLogsTotal), totalWindow, func(ctx context.Context) (int64, error) {
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
	logs, err := l.store.Logs(c.Context(), repo.LogQuery{LogFilter: filter, Limit: limit, Offset: offset})
	if err != nil {
		return answer{}, fmt.Errorf("logs: %w", err)
	}
	var total int64
	if filter.IsZero() {
		total, err = l.total.get(c.Context())
	} else {
		total, err = l.store.CountLogs(c.Context(), filter)
	}
	if err != nil {
		return answer{}, fmt.Errorf("count logs: %w", err)
	}
	return answer{body: appendPage(nil, total, limit, offset, func(b []byte) []byte { return appendLogs(b, logs) })}, nil
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
