package api

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// statsWindow is how long the counters are served from memory.
const statsWindow = 5 * time.Second

type statsBody struct {
	TotalLogs       int64 `json:"total_logs"`
	UniqueAttackers int64 `json:"unique_attackers"`
	ActiveDeckies   int64 `json:"active_deckies"`
	DeployedDeckies int64 `json:"deployed_deckies"`
}

// statsResource answers GET /stats; it is cached whole.
type statsResource struct {
	store   LogReader
	deckies *deckiesResource
	page    *cache[rendered]
}

func newStats(o owner, store LogReader, deckies *deckiesResource) *statsResource {
	s := &statsResource{store: store, deckies: deckies}
	s.page = newCache(o, string(cacheStats), statsWindow, func(ctx context.Context) (rendered, error) {
		body, err := s.load(ctx)
		if err != nil {
			return rendered{}, err
		}
		return render(body), nil
	})
	return s
}

// Reset makes the cache cold.
func (s *statsResource) Reset() { s.page.reset() }

func (s *statsResource) get(c *call) (answer, error) {
	page, err := s.page.get(c.Context())
	if err != nil {
		return answer{}, err
	}
	return page.answer(), nil
}

// load asks the store, past the cache.
func (s *statsResource) load(ctx context.Context) ([]byte, error) {
	n, err := s.store.Stats(ctx)
	if err != nil {
		return nil, fmt.Errorf("stats: %w", err)
	}
	// A broken state file is the business of /health; the last good fleet counts.
	deployed, _ := s.deckies.fleet.Deckies(ctx)
	body, err := json.Marshal(statsBody{
		TotalLogs: n.Logs, UniqueAttackers: n.Attackers,
		ActiveDeckies: n.ActiveDeckies, DeployedDeckies: int64(len(deployed)),
	})
	if err != nil {
		return nil, fmt.Errorf("encode stats: %w", err)
	}
	return body, nil
}
