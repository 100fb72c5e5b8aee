package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"
)

// How often things are looked after.
const (
	// tick is how long a change of the state file by another process, or a mutation
	// that is due, may wait.
	tick = time.Second
	// saveEvery is how long login attempts are kept in memory before they are written.
	saveEvery = 10 * time.Second
	// firstRetry and lastRetry bound how long a fleet that could not be started
	// waits for the next try.
	firstRetry = 2 * time.Second
	lastRetry  = time.Minute
	// mutationRetry is how long mutations wait after one that failed.
	mutationRetry = time.Minute
)

// Start runs the fleet that is kept, as after a restart. Its error says why that
// is not possible; [Manager.Run] keeps trying.
func (m *Manager) Start(ctx context.Context) error {
	if err := acquire(ctx, m.changing); err != nil {
		return fmt.Errorf("the fleet was not started: %w", err)
	}
	defer release(m.changing)
	return m.reconcile(ctx)
}

// Run looks after the fleet until the context ends: it takes up what other
// processes write into the state file, tries again what could not be started,
// mutates what is due and writes down login attempts. The decoys go on running.
func (m *Manager) Run(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveEvery)
			defer cancel()
			m.save(last, true)
			return
		case <-ticker.C:
			m.tick(ctx)
		}
	}
}

func (m *Manager) tick(ctx context.Context) {
	if acquire(ctx, m.changing) != nil {
		return
	}
	_ = m.reconcile(ctx) // it is in Health, and was logged
	release(m.changing)
	m.mutateDue(ctx)
	m.save(ctx, false)
}

// reconcile makes the driver run what is kept, where it does not and a try is
// due. The caller holds changing.
func (m *Manager) reconcile(ctx context.Context) error {
	s, err := m.load(ctx)
	if err != nil || m.o.Driver == nil {
		return err // the last good fleet goes on; GET /deckies tells of a broken file
	}
	now := m.o.Now()
	m.mu.Lock()
	same := sameDecoys(m.running, s.Config)
	wait := m.fault != nil && now.Before(m.retry) && sameDecoys(m.tried, s.Config)
	if same {
		m.fault, m.failures = nil, 0
	}
	m.mu.Unlock()
	if same || wait {
		return nil
	}
	err = m.apply(ctx, s.Config)
	if err == nil {
		m.o.Changed()
		m.o.Log.InfoContext(ctx, "the fleet runs as it is kept", slog.Int("deckies", len(s.Config.Deckies)))
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault == nil || m.fault.Error() != err.Error() {
		m.o.Log.ErrorContext(ctx, "the fleet cannot be run as it is kept; trying again", slog.Any("error", err))
	}
	m.fault, m.tried = err, s.Config
	m.retry = now.Add(min(firstRetry<<min(m.failures, 10), lastRetry))
	m.failures++
	return err
}

// mutateDue gives other services to all deckies whose interval has passed.
func (m *Manager) mutateDue(ctx context.Context) {
	now := m.o.Now()
	m.mu.Lock()
	idle := m.o.Driver == nil || m.fault != nil || now.Before(m.postponed)
	m.mu.Unlock()
	if idle {
		return
	}
	var usual int64
	if m.o.Interval != nil {
		var err error
		if usual, err = m.o.Interval(ctx); err != nil {
			m.o.Log.WarnContext(ctx, "the mutation interval cannot be read", slog.Any("error", err))
			return
		}
	}
	s, err := m.load(ctx)
	if err != nil || !m.anyDue(s, usual, now) {
		return
	}
	var mutations []string
	err = m.change(ctx, func(s State) (State, error) {
		for i := range s.Config.Deckies {
			if d := &s.Config.Deckies[i]; m.due(s, d, usual, now) && m.mutate(d) {
				mutations = append(mutations, d.Name)
			}
		}
		return s, nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		m.o.Log.ErrorContext(ctx, "deckies could not mutate; trying again", slog.Any("error", err))
		m.mu.Lock()
		m.postponed = now.Add(mutationRetry)
		m.mu.Unlock()
		return
	}
	if len(mutations) > 0 {
		m.o.Log.InfoContext(ctx, "deckies mutated", slog.Any("deckies", mutations))
	}
}

func (m *Manager) anyDue(s State, usual int64, now time.Time) bool {
	for i := range s.Config.Deckies {
		d := s.Config.Deckies[i]
		if m.due(s, &d, usual, now) {
			if _, ok := mutated(m.nextRandom(), &d, m.o.Services); ok {
				return true
			}
		}
	}
	return false
}

// due reports whether a decky must mutate: its interval, else that of the state
// file, else the usual one, has passed since it mutated or, if it never did, since
// it was first seen.
func (m *Manager) due(s State, d *Decky, usual int64, now time.Time) bool {
	minutes := usual
	for _, own := range []*int64{d.MutateInterval, s.Config.MutateInterval} {
		if own != nil {
			minutes = *own
			break
		}
	}
	if minutes <= 0 {
		return false
	}
	m.mu.Lock()
	last := m.since[d.Name]
	m.mu.Unlock()
	if d.LastMutated > 0 {
		last = time.UnixMicro(int64(d.LastMutated * 1e6))
	}
	return now.Sub(last) >= minutesLong(minutes)
}

// minutesLong never overflows.
func minutesLong(n int64) time.Duration {
	if n > math.MaxInt64/int64(time.Minute) {
		return math.MaxInt64
	}
	return time.Duration(n) * time.Minute
}

// save writes login attempts that are only in memory. Without a driver the file
// is another's, and they stay there.
func (m *Manager) save(ctx context.Context, atOnce bool) {
	now := m.o.Now()
	m.mu.Lock()
	due := m.o.Driver != nil && m.attempts != m.written && len(m.logins) > 0 && (atOnce || now.Sub(m.saved) >= saveEvery)
	if due {
		m.saved = now
	}
	m.mu.Unlock()
	if !due {
		return
	}
	if err := m.write(ctx); err != nil {
		m.o.Log.WarnContext(ctx, "login attempts were not written down", slog.Any("error", err))
	}
}

// write writes the state with what is only in memory.
func (m *Manager) write(ctx context.Context) error {
	if err := acquire(ctx, m.changing); err != nil {
		return err
	}
	defer release(m.changing)
	attempts := m.attemptsNow()
	s, err := m.load(ctx)
	if err == nil {
		err = m.o.State.Write(ctx, s)
	}
	if err == nil {
		m.wrote(attempts)
	}
	return err
}
