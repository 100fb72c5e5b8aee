package testutil

import (
	"context"
	"fmt"
	"sync"
	"time"

	"decnet/api"
	"decnet/repo"
)

// Spy stands between the server and the store: it counts the calls, and fails
// or delays them on command.
type Spy struct {
	store api.Store

	mu     sync.Mutex
	calls  map[string]int
	faults map[string]error
	delays map[string]time.Duration
	gates  map[string]chan struct{}
}

func newSpy(store api.Store) *Spy {
	return &Spy{
		store: store, calls: map[string]int{}, faults: map[string]error{},
		delays: map[string]time.Duration{}, gates: map[string]chan struct{}{},
	}
}

// Calls returns how often a method was called since the world began.
func (s *Spy) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Total returns how often any method was called but Users, which the server
// calls by itself about once a second.
func (s *Spy) Total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for method, calls := range s.calls {
		if method != "Users" {
			n += calls
		}
	}
	return n
}

// Fail makes a method return the error; nil lets it work again.
func (s *Spy) Fail(method string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[method] = err
}

// Delay makes a method wait before it asks the store, in the time of the
// testing/synctest bubble where the test runs in one.
func (s *Spy) Delay(method string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delays[method] = d
}

// Hold makes calls of a method wait after they have asked the store, with the
// answer in hand, until release is called.
func (s *Spy) Hold(method string) (release func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gates[method] = gate
	return sync.OnceFunc(func() {
		s.mu.Lock()
		delete(s.gates, method)
		s.mu.Unlock()
		close(gate)
	})
}

// spied runs one call of a method.
func spied[T any](ctx context.Context, s *Spy, method string, call func() (T, error)) (T, error) {
	var zero T
	s.mu.Lock()
	s.calls[method]++
	fault, delay, gate := s.faults[method], s.delays[method], s.gates[method]
	s.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return zero, fmt.Errorf("%s: %w", method, ctx.Err())
		}
	}
	if fault != nil {
		return zero, fault
	}
	v, err := call()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return zero, fmt.Errorf("%s: %w", method, ctx.Err())
		}
	}
	return v, err
}

func spiedError(ctx context.Context, s *Spy, method string, call func() error) error {
	_, err := spied(ctx, s, method, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

var _ api.Store = (*Spy)(nil)

// Stats implements [api.Store].
func (s *Spy) Stats(ctx context.Context) (repo.Stats, error) {
	return spied(ctx, s, "Stats", func() (repo.Stats, error) { return s.store.Stats(ctx) })
}

// Logs implements [api.Store].
func (s *Spy) Logs(ctx context.Context, q repo.LogQuery) ([]repo.Log, error) {
	return spied(ctx, s, "Logs", func() ([]repo.Log, error) { return s.store.Logs(ctx, q) })
}

// Log implements [api.Store].
func (s *Spy) Log(ctx context.Context, id int64) (repo.Log, error) {
	return spied(ctx, s, "Log", func() (repo.Log, error) { return s.store.Log(ctx, id) })
}

// CountLogs implements [api.Store].
func (s *Spy) CountLogs(ctx context.Context, f repo.LogFilter) (int64, error) {
	return spied(ctx, s, "CountLogs", func() (int64, error) { return s.store.CountLogs(ctx, f) })
}

// CountOn implements [api.Store].
func (s *Spy) CountOn(ctx context.Context, f repo.LogFilter, rest func(worked time.Duration) time.Duration) error {
	return spiedError(ctx, s, "CountOn", func() error { return s.store.CountOn(ctx, f, rest) })
}

// LogsAfter implements [api.Store].
func (s *Spy) LogsAfter(ctx context.Context, after int64, f repo.LogFilter, limit int) ([]repo.Log, error) {
	return spied(ctx, s, "LogsAfter", func() ([]repo.Log, error) { return s.store.LogsAfter(ctx, after, f, limit) })
}

// LastLogID implements [api.Store].
func (s *Spy) LastLogID(ctx context.Context) (int64, error) {
	return spied(ctx, s, "LastLogID", func() (int64, error) { return s.store.LastLogID(ctx) })
}

// Histogram implements [api.Store].
func (s *Spy) Histogram(ctx context.Context, f repo.LogFilter, interval time.Duration) ([]repo.Bucket, error) {
	return spied(ctx, s, "Histogram", func() ([]repo.Bucket, error) { return s.store.Histogram(ctx, f, interval) })
}

// Ranking implements [api.Store].
func (s *Spy) Ranking(ctx context.Context, q repo.RankingQuery) (repo.Ranking, error) {
	return spied(ctx, s, "Ranking", func() (repo.Ranking, error) { return s.store.Ranking(ctx, q) })
}

// Bounties implements [api.Store].
func (s *Spy) Bounties(ctx context.Context, q repo.BountyQuery) ([]repo.Bounty, error) {
	return spied(ctx, s, "Bounties", func() ([]repo.Bounty, error) { return s.store.Bounties(ctx, q) })
}

// CountBounties implements [api.Store].
func (s *Spy) CountBounties(ctx context.Context, f repo.BountyFilter) (int64, error) {
	return spied(ctx, s, "CountBounties", func() (int64, error) { return s.store.CountBounties(ctx, f) })
}

// Attackers implements [api.Store].
func (s *Spy) Attackers(ctx context.Context, q repo.AttackerQuery) ([]repo.Attacker, error) {
	return spied(ctx, s, "Attackers", func() ([]repo.Attacker, error) { return s.store.Attackers(ctx, q) })
}

// CountAttackers implements [api.Store].
func (s *Spy) CountAttackers(ctx context.Context, f repo.AttackerFilter) (int64, error) {
	return spied(ctx, s, "CountAttackers", func() (int64, error) { return s.store.CountAttackers(ctx, f) })
}

// Attacker implements [api.Store].
func (s *Spy) Attacker(ctx context.Context, uuid string) (repo.Attacker, error) {
	return spied(ctx, s, "Attacker", func() (repo.Attacker, error) { return s.store.Attacker(ctx, uuid) })
}

// Commands implements [api.Store].
func (s *Spy) Commands(ctx context.Context, uuid string, q repo.CommandQuery) (list []repo.Command, total int64, err error) {
	list, err = spied(ctx, s, "Commands", func() ([]repo.Command, error) {
		var l []repo.Command
		l, total, err = s.store.Commands(ctx, uuid, q)
		return l, err
	})
	return list, total, err
}

// Credentials implements [api.Store].
func (s *Spy) Credentials(ctx context.Context, q repo.CredentialQuery) ([]repo.Credential, error) {
	return spied(ctx, s, "Credentials", func() ([]repo.Credential, error) { return s.store.Credentials(ctx, q) })
}

// CountCredentials implements [api.Store].
func (s *Spy) CountCredentials(ctx context.Context, f repo.CredentialFilter) (int64, error) {
	return spied(ctx, s, "CountCredentials", func() (int64, error) { return s.store.CountCredentials(ctx, f) })
}

// RejectPage implements [api.Store].
func (s *Spy) RejectPage(ctx context.Context, q repo.RejectQuery) (list []repo.Reject, total int64, err error) {
	list, err = spied(ctx, s, "RejectPage", func() ([]repo.Reject, error) {
		var l []repo.Reject
		l, total, err = s.store.RejectPage(ctx, q)
		return l, err
	})
	return list, total, err
}

// Sensors implements [api.Store].
func (s *Spy) Sensors(ctx context.Context) ([]repo.Sensor, error) {
	return spied(ctx, s, "Sensors", func() ([]repo.Sensor, error) { return s.store.Sensors(ctx) })
}

// CreateSensor implements [api.Store].
func (s *Spy) CreateSensor(ctx context.Context, x repo.Sensor) error {
	return spiedError(ctx, s, "CreateSensor", func() error { return s.store.CreateSensor(ctx, x) })
}

// DeleteSensor implements [api.Store].
func (s *Spy) DeleteSensor(ctx context.Context, uuid string) error {
	return spiedError(ctx, s, "DeleteSensor", func() error { return s.store.DeleteSensor(ctx, uuid) })
}

// Users implements [api.Store].
func (s *Spy) Users(ctx context.Context) ([]repo.User, error) {
	return spied(ctx, s, "Users", func() ([]repo.User, error) { return s.store.Users(ctx) })
}

// CreateUser implements [api.Store].
func (s *Spy) CreateUser(ctx context.Context, u repo.User) error {
	return spiedError(ctx, s, "CreateUser", func() error { return s.store.CreateUser(ctx, u) })
}

// DeleteUser implements [api.Store].
func (s *Spy) DeleteUser(ctx context.Context, uuid string) error {
	return spiedError(ctx, s, "DeleteUser", func() error { return s.store.DeleteUser(ctx, uuid) })
}

// SetRole implements [api.Store].
func (s *Spy) SetRole(ctx context.Context, uuid string, role repo.Role) error {
	return spiedError(ctx, s, "SetRole", func() error { return s.store.SetRole(ctx, uuid, role) })
}

// SetPassword implements [api.Store].
func (s *Spy) SetPassword(ctx context.Context, uuid, hash string, mustChange bool) error {
	return spiedError(ctx, s, "SetPassword", func() error { return s.store.SetPassword(ctx, uuid, hash, mustChange) })
}

// State implements [api.Store].
func (s *Spy) State(ctx context.Context, key string) (string, error) {
	return spied(ctx, s, "State", func() (string, error) { return s.store.State(ctx, key) })
}

// SetState implements [api.Store].
func (s *Spy) SetState(ctx context.Context, key, value string) error {
	return spiedError(ctx, s, "SetState", func() error { return s.store.SetState(ctx, key, value) })
}

// Ping implements [api.Store].
func (s *Spy) Ping(ctx context.Context) error {
	return spiedError(ctx, s, "Ping", func() error { return s.store.Ping(ctx) })
}

// Purge implements [api.Store].
func (s *Spy) Purge(ctx context.Context) (repo.Purged, error) {
	return spied(ctx, s, "Purge", func() (repo.Purged, error) { return s.store.Purge(ctx) })
}
