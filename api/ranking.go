package api

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"decnet/repo"
)

const (
	// rankingWindow is how long the usual rankings are served from memory.
	rankingWindow = 5 * time.Second
	// defaultRanked is how many values a ranking has when the request names none.
	defaultRanked = 10
)

// rankingColumns are what is ranked by, as the contract names it.
func rankingColumns() map[string]repo.Column {
	return map[string]repo.Column{
		"attacker": repo.ColumnAttacker, "service": repo.ColumnService, "decky": repo.ColumnDecky, "event_type": repo.ColumnEvent,
		"credential": repo.ColumnCredential,
	}
}

// rankingSpans are the windows that end now; all has no beginning.
func rankingSpans() map[string]time.Duration {
	return map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "all": 0}
}

type rankingKey struct{ by, window string }

// rankingResource answers GET /rankings; those of the windows that have names,
// with the default limit, are cached.
type rankingResource struct {
	store LogReader
	now   func() time.Time
	pages map[rankingKey]*cache[rendered]
}

func newRanking(o owner, store LogReader) *rankingResource {
	k := &rankingResource{store: store, now: o.now, pages: map[rankingKey]*cache[rendered]{}}
	for by := range rankingColumns() {
		for window := range rankingSpans() {
			k.pages[rankingKey{by, window}] = newCache(o, string(cacheRankings), rankingWindow, func(ctx context.Context) (rendered, error) {
				body, err := k.load(ctx, by, k.ending(window, defaultRanked))
				if err != nil {
					return rendered{}, err
				}
				return render(body), nil
			})
		}
	}
	return k
}

// Reset makes the caches cold.
func (k *rankingResource) Reset() { k.reset() }

func (k *rankingResource) reset() {
	for _, page := range k.pages {
		page.reset()
	}
}

func (k *rankingResource) counts() CacheCounts {
	sum := CacheCounts{Name: string(cacheRankings)}
	for _, page := range k.pages {
		n := page.counts()
		sum.Hits, sum.Misses, sum.Loads = sum.Hits+n.Hits, sum.Misses+n.Misses, sum.Loads+n.Loads
	}
	return sum
}

// ending is the query of a window that ends now. It has no end: a clock that goes
// ahead of ours must not hide the events of its decoy.
func (k *rankingResource) ending(window string, limit int) repo.RankingQuery {
	q := repo.RankingQuery{Limit: limit}
	if span := rankingSpans()[window]; span > 0 {
		q.Start = k.now().Add(-span)
	}
	return q
}

func (k *rankingResource) get(c *call) (answer, error) {
	by, limit := c.params.String("by"), c.params.Int("limit")
	filter, err := timeFilter(c.params)
	if err != nil {
		return answer{}, err
	}
	window := c.params.String("window")
	if filter.IsZero() && limit == defaultRanked {
		page, err := k.pages[rankingKey{by, window}].get(c.Context())
		if err != nil {
			return answer{}, err
		}
		return page.answer(), nil
	}
	q := repo.RankingQuery{Start: filter.Start, End: filter.End, Limit: limit}
	if filter.IsZero() {
		q = k.ending(window, limit)
	}
	if err := c.work(false); err != nil {
		return answer{}, err
	}
	body, err := k.load(c.Context(), by, q)
	if err != nil {
		return answer{}, err
	}
	return answer{body: body}, nil
}

// load asks the store, past the cache.
func (k *rankingResource) load(ctx context.Context, by string, q repo.RankingQuery) ([]byte, error) {
	q.By = rankingColumns()[by]
	r, err := k.store.Ranking(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("ranking: %w", err)
	}
	return appendRanking(nil, by, q, &r), nil
}

func appendRanking(b []byte, by string, q repo.RankingQuery, r *repo.Ranking) []byte {
	b = append(b, `{"by":`...)
	b = appendString(b, by)
	b = append(b, `,"start_time":`...)
	b = appendTime(b, q.Start)
	b = append(b, `,"end_time":`...)
	b = appendTime(b, q.End)
	b = append(b, `,"events":`...)
	b = strconv.AppendInt(b, r.Events, 10)
	b = append(b, `,"distinct":`...)
	if r.Distinct < 0 {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, r.Distinct, 10)
	}
	b = append(b, `,"exact":`...)
	b = strconv.AppendBool(b, r.Exact)
	b = append(b, `,"data":`...)
	b = appendArray(b, len(r.List), func(b []byte, i int) []byte {
		b = append(b, `{"value":`...)
		b = appendString(b, r.List[i].Value)
		b = append(b, `,"password":`...)
		if q.By == repo.ColumnCredential {
			b = appendString(b, r.List[i].Password)
		} else {
			b = append(b, "null"...)
		}
		b = append(b, `,"count":`...)
		b = strconv.AppendInt(b, r.List[i].Count, 10)
		b = append(b, `,"uuid":`...)
		id := ""
		if q.By == repo.ColumnAttacker {
			id = repo.AttackerUUID(r.List[i].Value)
		}
		b = appendOptional(b, id)
		return append(b, '}')
	})
	return append(b, '}')
}
