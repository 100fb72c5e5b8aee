package api

import (
	"context"
	"fmt"
	"math"
	"time"

	"decnet/repo"
)

const (
	// histogramWindow is how long the default histogram is served from memory.
	histogramWindow = 5 * time.Second
	// defaultInterval is the width of a bucket when the request names none.
	defaultInterval = 15 * time.Minute
	// longestInterval is the most minutes of a [time.Duration]. It is longer than
	// all the time that an event can have, so a longer interval means the same.
	longestInterval = math.MaxInt64 / int64(time.Minute)
)

// histogramResource answers GET /logs/histogram; only the unfiltered one of the
// default interval is cached.
type histogramResource struct {
	store LogReader
	page  *cache[rendered]
}

func newHistogram(o owner, store LogReader) *histogramResource {
	h := &histogramResource{store: store}
	h.page = newCache(o, string(cacheHistogram), histogramWindow, func(ctx context.Context) (rendered, error) {
		body, err := h.load(ctx, repo.LogFilter{}, defaultInterval)
		if err != nil {
			return rendered{}, err
		}
		return render(body), nil
	})
	return h
}

// Reset makes the cache cold.
func (h *histogramResource) Reset() { h.page.reset() }

func (h *histogramResource) get(c *call) (answer, error) {
	filter, err := logFilter(c.params)
	if err != nil {
		return answer{}, err
	}
	interval := time.Duration(min(int64(c.params.Int("interval_minutes")), longestInterval)) * time.Minute
	if filter.IsZero() && interval == defaultInterval {
		page, err := h.page.get(c.Context())
		if err != nil {
			return answer{}, err
		}
		return page.answer(), nil
	}
	if err := c.work(looksIntoTexts(filter.Search)); err != nil {
		return answer{}, err
	}
	body, err := h.load(c.Context(), filter, interval)
	if err != nil {
		return answer{}, err
	}
	return answer{body: body}, nil
}

// load asks the store, past the cache.
func (h *histogramResource) load(ctx context.Context, f repo.LogFilter, interval time.Duration) ([]byte, error) {
	buckets, err := h.store.Histogram(ctx, f, interval)
	if err != nil {
		return nil, fmt.Errorf("histogram: %w", err)
	}
	return appendHistogram(nil, buckets), nil
}
