package fleet

import (
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"
)

// The errors of a [Manager] beside *[PlanError] and *[DeckyError].
var (
	// ErrNoDecky says that no decky has the name.
	ErrNoDecky = errors.New("no such decky")
	// ErrState says that the state file cannot be read or written; nothing changed.
	ErrState = errors.New("the fleet's state cannot be kept")
)

// Options are what a manager is made of. Fields without a note are mandatory.
type Options struct {
	// State keeps the fleet. Other processes may change it as well.
	State *StateFile
	// Driver runs the fleet. Without one, nil, the fleet is kept for whoever runs
	// it, and nothing mutates by itself.
	Driver Driver
	// Network is where deckies stand when nobody says; see [PlanOptions].
	Network Network
	// Services are those that the driver can run; nil means all.
	Services []string
	// ComposePath names the compose file that the driver writes; "" means none.
	ComposePath string
	// Interval returns how often deckies mutate that have no interval of their own,
	// in minutes; nil or 0 means never.
	Interval func(ctx context.Context) (int64, error)
	// Changed is called after every change of what is kept or run; nil means nobody
	// wants to know. It must not wait.
	Changed func()
	// Now is [time.Now] when nil, and Log nowhere.
	Now func() time.Time
	Log *slog.Logger
	// Seed is what random choices begin from; the zero seed means a random one.
	Seed [32]byte
}

// Manager owns the fleet: what should run, that it runs, and that it is kept. It
// is safe for concurrent use; one change is made after the other.
type Manager struct {
	o Options
	// changing is held by whoever changes the fleet.
	changing chan struct{}

	// mu guards what follows.
	mu sync.Mutex
	// running is what the driver was given last.
	running Config
	// fault is why the fleet does not run as it is kept. tried is what was kept then,
	// failures counts the tries, and retry is when the next one is due.
	fault    error
	tried    Config
	failures int
	retry    time.Time
	// logins are the newest attempts by decky, of deckies that exist. attempts
	// counts them, written is how many of them the state file has, and saved when it
	// was written for that last.
	logins            map[string]float64
	attempts, written uint64
	saved             time.Time
	// since is when each decky was first seen; known also says which exist.
	since map[string]time.Time
	// postponed is until when nothing mutates, after a mutation that failed.
	postponed time.Time
	choices   uint64
}

// NewManager returns a manager. Nothing runs until [Manager.Start] or a change.
func NewManager(o Options) *Manager {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Seed == ([32]byte{}) {
		_, _ = crand.Read(o.Seed[:]) // never fails
	}
	return &Manager{o: o, changing: make(chan struct{}, 1), logins: map[string]float64{}, since: map[string]time.Time{}}
}

// Deckies returns the fleet as it is kept, with the newest login attempts; see
// [StateFile.Deckies] for a broken file.
func (m *Manager) Deckies(ctx context.Context) ([]Decky, error) {
	s, err := m.load(ctx)
	return s.Config.Deckies, err
}

// load reads the state and completes it with what is not written yet.
func (m *Manager) load(ctx context.Context) (State, error) {
	s, err := m.o.State.Load(ctx)
	if ctx.Err() != nil {
		return s, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.o.Now()
	known := make(map[string]time.Time, len(s.Config.Deckies))
	for i := range s.Config.Deckies {
		d := &s.Config.Deckies[i]
		since, seen := m.since[d.Name]
		if !seen {
			since = now
		}
		known[d.Name] = since
		d.LastLoginAttempt = max(d.LastLoginAttempt, m.logins[d.Name])
	}
	m.since = known
	for name := range m.logins {
		if _, exists := known[name]; !exists {
			delete(m.logins, name)
		}
	}
	return s, err
}

// Runs reports whether there is a driver that runs the fleet.
func (m *Manager) Runs() bool { return m.o.Driver != nil }

// Status tells of every listener; nil without a driver.
func (m *Manager) Status() []Status {
	if m.o.Driver == nil {
		return nil
	}
	return m.o.Driver.Status()
}

// Health returns a sentence on how the fleet runs, and an error where something
// of it does not.
func (m *Manager) Health() (string, error) {
	m.mu.Lock()
	fault := m.fault
	m.mu.Unlock()
	if fault != nil {
		return "", fmt.Errorf("the fleet does not run as it is kept: %w", fault)
	}
	all := m.Status()
	for _, s := range all {
		if s.State != Running {
			return "", &DeckyError{Decky: s.Decky, Service: s.Service, Err: fmt.Errorf("%s: %s", s.State, s.Error)} //nolint:err113 // what the driver says
		}
	}
	return fmt.Sprintf("%d listeners", len(all)), nil
}

// LoginAttempt notes that somebody tried to log in. Names of deckies that don't
// exist are ignored.
func (m *Manager) LoginAttempt(decky string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seconds := float64(at.UnixMicro()) / 1e6
	if _, exists := m.since[decky]; exists && seconds > m.logins[decky] {
		m.logins[decky] = seconds
		m.attempts++
	}
}

// attemptsNow is how many attempts a state that is loaded after it holds at least.
func (m *Manager) attemptsNow() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.attempts
}

// wrote notes that the state file has so many attempts.
func (m *Manager) wrote(attempts uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written = attempts
}

// change makes one change: make gets the state and returns the one that should
// be. Either the driver runs it and the file has it, or nothing changed.
func (m *Manager) change(ctx context.Context, make func(State) (State, error)) error {
	if err := acquire(ctx, m.changing); err != nil {
		return fmt.Errorf("the fleet was not changed: %w", err)
	}
	defer release(m.changing)
	attempts := m.attemptsNow()
	s, err := m.load(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	next, err := make(s)
	if err != nil {
		return err
	}
	if err := next.validate(); err != nil {
		return &PlanError{Faults: []string{err.Error()}}
	}
	if m.o.ComposePath != "" {
		next.ComposePath = m.o.ComposePath
	}
	m.mu.Lock()
	before := m.running
	m.mu.Unlock()
	if err := m.apply(ctx, next.Config); err != nil {
		return err
	}
	// Whoever asked may have gone, but the decoys run: the file must say so.
	if err := m.o.State.Write(context.WithoutCancel(ctx), next); err != nil {
		if undo := m.apply(context.WithoutCancel(ctx), before); undo != nil {
			err = errors.Join(err, undo)
		}
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	m.wrote(attempts)
	_, _ = m.load(context.WithoutCancel(ctx)) // who is known now
	m.o.Changed()
	return nil
}

// apply makes the driver run a fleet.
func (m *Manager) apply(ctx context.Context, c Config) error {
	var err error
	able := c
	able.Deckies = m.runnable(c.Deckies)
	switch driver := m.o.Driver.(type) {
	case nil:
		return nil
	case ConfigDriver:
		err = driver.ApplyConfig(ctx, able)
	default:
		err = driver.Apply(ctx, able.Deckies)
	}
	if err != nil {
		return fmt.Errorf("the decoys were not changed: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running, m.fault, m.failures = c, nil, 0
	return nil
}

// runnable leaves out the services that the driver does not have, which other
// tools may have deployed, and deckies of which nothing remains.
func (m *Manager) runnable(deckies []Decky) []Decky {
	all := make([]Decky, 0, len(deckies))
	for _, d := range deckies {
		if m.o.Services != nil {
			d.Services = slices.DeleteFunc(slices.Clone(d.Services), func(name string) bool { return !slices.Contains(m.o.Services, name) })
		}
		if len(d.Services) > 0 {
			all = append(all, d)
		}
	}
	return all
}

// sameDecoys reports whether two fleets run the same, whatever is noted about them.
func sameDecoys(a, b Config) bool {
	if len(b.Deckies) > 0 && (a.Subnet != b.Subnet || a.Gateway != b.Gateway || a.Interface != b.Interface || a.IPvlan != b.IPvlan) {
		return false
	}
	return slices.EqualFunc(a.Deckies, b.Deckies, func(x, y Decky) bool {
		x.LastMutated, x.LastLoginAttempt, x.MutateInterval = y.LastMutated, y.LastLoginAttempt, y.MutateInterval
		return reflect.DeepEqual(x, y)
	})
}

// random returns a source that depends on what is chosen for, so that a plan is
// the same as long as nothing changed, and on the seed, so that nobody foresees it.
func (m *Manager) random(what string) *rand.Rand {
	h := sha256.New()
	h.Write(m.o.Seed[:])
	h.Write([]byte(what))
	return rand.New(rand.NewChaCha8([32]byte(h.Sum(nil)))) //nolint:gosec // it decides on names and services, not on secrets
}

// nextRandom returns a source that differs each time.
func (m *Manager) nextRandom() *rand.Rand {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.choices++
	return m.random(string(binary.BigEndian.AppendUint64([]byte("choice "), m.choices)))
}
