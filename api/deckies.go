package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// deckiesWindow is how long the fleet is served from memory.
const deckiesWindow = 5 * time.Second

// deckiesResource answers GET /deckies; it is cached whole.
type deckiesResource struct {
	fleet Fleet
	log   *slog.Logger
	page  *cache[rendered]

	mu      sync.Mutex
	problem string // what was logged last, so that it is logged once
}

func newDeckies(o owner, fleet Fleet, log *slog.Logger) *deckiesResource {
	d := &deckiesResource{fleet: fleet, log: log}
	d.page = newCache(o, string(cacheDeckies), deckiesWindow, d.load)
	return d
}

// Reset makes the cache cold.
func (d *deckiesResource) Reset() { d.page.reset() }

func (d *deckiesResource) list(c *call) (answer, error) {
	page, err := d.page.get(c.Context())
	if err != nil {
		return answer{}, err
	}
	return page.answer(), nil
}

func (d *deckiesResource) load(ctx context.Context) (rendered, error) {
	deckies, err := d.fleet.Deckies(ctx)
	if ctx.Err() != nil {
		return rendered{}, fmt.Errorf("deckies: %w", ctx.Err())
	}
	d.report(ctx, err)
	body, err := json.Marshal(deckies)
	if err != nil {
		return rendered{}, fmt.Errorf("encode deckies: %w", err)
	}
	return render(body), nil
}

// check is the fleet's line in /health.
func (d *deckiesResource) check(ctx context.Context) (string, error) {
	deckies, err := d.fleet.Deckies(ctx)
	d.report(ctx, err)
	if err != nil {
		return "", fmt.Errorf("the last good fleet is served: %w", err)
	}
	return fmt.Sprintf("%d deckies", len(deckies)), nil
}

// report logs a problem with the state file when it begins, changes or ends.
func (d *deckiesResource) report(ctx context.Context, err error) {
	now := ""
	if err != nil {
		now = err.Error()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now == d.problem {
		return
	}
	d.problem = now
	if err != nil {
		d.log.ErrorContext(ctx, "the fleet's state file cannot be used; the last good fleet is served", slog.String("cause", now))
		return
	}
	d.log.InfoContext(ctx, "the fleet's state file is good again")
}
