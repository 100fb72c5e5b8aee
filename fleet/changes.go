package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
)

// Deployment asks for deckies.
type Deployment struct {
	INI INI
	// Limit is how many deckies there may be in the end; 0 means [MaxDeckies].
	Limit int
	// Replace takes away the deckies that INI does not name.
	Replace bool
	// DryRun only plans.
	DryRun bool
}

// Deploy adds deckies, or replaces those of the same names; either all of it or
// nothing. It returns the plan that was carried out, or a *[PlanError] for what
// cannot be planned, a *[DeckyError] for what cannot be run, or [ErrState].
func (m *Manager) Deploy(ctx context.Context, want Deployment) (Plan, error) {
	var plan Plan
	planning := func(s State) (State, error) {
		seed, err := json.Marshal(struct {
			INI     INI
			Deckies []Decky
		}{want.INI, withoutTimes(s.Config.Deckies)})
		if err != nil {
			return State{}, fmt.Errorf("seed of the plan: %w", err)
		}
		plan, err = NewPlan(PlanOptions{
			INI: want.INI, Current: s, Replace: want.Replace, Limit: want.Limit,
			Network: m.o.Network, Services: m.o.Services, Random: m.random(string(seed)),
		})
		return plan.State, err
	}
	if want.DryRun {
		s, err := m.load(ctx)
		if err != nil {
			return Plan{}, fmt.Errorf("%w: %w", ErrState, err)
		}
		_, err = planning(s)
		return plan, err
	}
	if err := m.change(ctx, planning); err != nil {
		return Plan{}, err
	}
	m.o.Log.InfoContext(ctx, "deployed", slog.Int("deckies", len(plan.Deckies)), slog.Int("removed", len(plan.Removed)),
		slog.Int("fleet", len(plan.State.Config.Deckies)))
	return plan, nil
}

// withoutTimes returns the deckies without what changes all the time.
func withoutTimes(deckies []Decky) []Decky {
	all := slices.Clone(deckies)
	for i := range all {
		all[i].LastMutated, all[i].LastLoginAttempt = 0, 0
	}
	return all
}

// Remove takes one decky away. It returns [ErrNoDecky], or an error as
// [Manager.Deploy].
func (m *Manager) Remove(ctx context.Context, name string) error {
	err := m.change(ctx, func(s State) (State, error) {
		i, err := find(s, name)
		if err != nil {
			return s, err
		}
		s.Config.Deckies = slices.Delete(s.Config.Deckies, i, i+1)
		return s, nil
	})
	if err == nil {
		m.o.Log.InfoContext(ctx, "removed a decky", slog.String("decky", name))
	}
	return err
}

// Mutate gives a decky other services. It returns the decky and false when its
// archetype has no others; or [ErrNoDecky], or an error as [Manager.Deploy].
func (m *Manager) Mutate(ctx context.Context, name string) (Decky, bool, error) {
	var d Decky
	var changed bool
	err := m.change(ctx, func(s State) (State, error) {
		i, err := find(s, name)
		if err != nil {
			return s, err
		}
		changed = m.mutate(&s.Config.Deckies[i])
		d = s.Config.Deckies[i]
		return s, nil
	})
	if err != nil {
		return Decky{}, false, err
	}
	m.o.Log.InfoContext(ctx, "mutated a decky", slog.String("decky", name), slog.Any("services", d.Services))
	return d, changed, nil
}

// mutate changes a decky, and reports whether it could.
func (m *Manager) mutate(d *Decky) bool {
	services, ok := mutated(m.nextRandom(), d, m.o.Services)
	if ok {
		d.Services = services
		d.LastMutated = float64(m.o.Now().UnixMicro()) / 1e6
	}
	return ok
}

// SetMutateInterval sets how often a decky mutates, in minutes; nil means as
// often as the fleet. It returns [ErrNoDecky], or an error as [Manager.Deploy].
func (m *Manager) SetMutateInterval(ctx context.Context, name string, minutes *int64) error {
	return m.change(ctx, func(s State) (State, error) {
		i, err := find(s, name)
		if err == nil {
			s.Config.Deckies[i].MutateInterval = minutes
		}
		return s, err
	})
}

func find(s State, name string) (int, error) {
	i := slices.IndexFunc(s.Config.Deckies, func(d Decky) bool { return d.Name == name })
	if i < 0 {
		return 0, ErrNoDecky
	}
	return i, nil
}
