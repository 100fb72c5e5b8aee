package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"decnet/repo"
)

// How old events go: few at once, with pauses that are long against the removal,
// so that nobody who writes or reads notices.
const (
	retainInterval = time.Minute
	retainLimit    = 2000
	retainPause    = 50 * time.Millisecond
	minRetainSize  = 1 << 20
)

// expirer is the part of the store that retention needs.
type expirer interface {
	// Expire removes up to limit of the oldest events before a time.
	Expire(ctx context.Context, before time.Time, limit int) (removed int64, more bool, err error)
	// SizeExceeds reports whether what is stored takes more than a number of bytes.
	SizeExceeds(ctx context.Context, bytes int64) (bool, error)
}

// retention removes events that are too old or too many.
type retention struct {
	store expirer
	// days and size are limits; 0 means none.
	days int
	size int64
	now  func() time.Time
	// removed is called when events were removed; nil means that nobody asks.
	removed func()
	log     *slog.Logger
}

// run looks once a minute until ctx is done.
func (r *retention) run(ctx context.Context) {
	for {
		n, err := r.once(ctx)
		if n > 0 && r.removed != nil {
			r.removed()
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.log.Error("old events could not be removed; trying again in a minute", slog.Any("error", err))
		}
		if n > 0 {
			r.log.Info("removed old events", slog.Int64("events", n))
		}
		if !sleep(ctx, retainInterval) {
			return
		}
	}
}

// once removes all that is beyond the limits.
func (r *retention) once(ctx context.Context) (int64, error) {
	var total int64
	if r.days > 0 {
		n, err := r.expire(ctx, r.now().AddDate(0, 0, -r.days), func() (bool, error) { return true, nil })
		total += n
		if err != nil {
			return total, err
		}
	}
	if r.size > 0 && sleep(ctx, retainPause) {
		n, err := r.expire(ctx, time.Unix(0, repo.MaxUnixNano), func() (bool, error) { return r.store.SizeExceeds(ctx, r.size) })
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// expire removes events before a time while there are some and goOn says so.
func (r *retention) expire(ctx context.Context, before time.Time, goOn func() (bool, error)) (int64, error) {
	var total int64
	for {
		if ok, err := goOn(); err != nil || !ok {
			return total, err
		}
		n, more, err := r.store.Expire(ctx, before, retainLimit)
		if err != nil {
			return total, err
		}
		total += n
		if !more || !sleep(ctx, retainPause) {
			return total, nil
		}
	}
}

// sleep waits, and reports false when ctx ended it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// startRetention removes old events from now on, if there are limits.
func (a *app) startRetention(ctx context.Context) error {
	size, err := parseSize(a.config.RetainSize)
	if err != nil {
		return err
	}
	if a.config.RetainDays == 0 && size == 0 {
		return nil
	}
	r := retention{store: a.store, days: a.config.RetainDays, size: size, now: a.now, removed: a.server.EventsExpired, log: a.log}
	a.background(ctx, "retention", r.run)
	return nil
}

// parseSize reads a number of bytes with or without a unit: 800MB, 20GiB. Powers
// of 1024 are meant, as with most tools. "" and "0" mean no limit.
func parseSize(s string) (int64, error) {
	if s == "" || s == "0" {
		return 0, nil
	}
	digits := strings.TrimRight(s, "kKmMgGtTiIbB ")
	unit := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(s[len(digits):])), "B"), "I")
	n, err := strconv.ParseFloat(digits, 64)
	power := strings.Index("KMGT", unit)
	if err != nil || n <= 0 || len(unit) > 1 || power < 0 {
		return 0, fmt.Errorf("%q is not a size such as 800MB or 20GB", s)
	}
	if unit != "" {
		n *= math.Pow(1024, float64(power+1))
	}
	if math.IsNaN(n) || n < minRetainSize || n > 1<<60 {
		return 0, fmt.Errorf("%q is less than 1 MB or beyond all disks", s)
	}
	return int64(n), nil
}
