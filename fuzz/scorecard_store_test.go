//go:build fuzz

package fuzz

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"decnet/api"
	"decnet/repo"
)

// The stores with defects. Each breaks one thing of the store that it embeds.

// totalOff counts one event more than there are.
type totalOff struct{ api.Store }

func (s totalOff) CountLogs(ctx context.Context, f repo.LogFilter) (int64, error) {
	n, err := s.Store.CountLogs(ctx, f)
	return n + 1, err
}

// bordersOff loses the event at the border of each page but the first.
type bordersOff struct{ api.Store }

func (s bordersOff) Logs(ctx context.Context, q repo.LogQuery) ([]repo.Log, error) {
	if q.Offset > 0 {
		q.Offset++
	}
	return s.Store.Logs(ctx, q)
}

// repeatsRow gives the last row of a page of several twice, as a join does.
type repeatsRow struct{ api.Store }

func (s repeatsRow) Bounties(ctx context.Context, q repo.BountyQuery) ([]repo.Bounty, error) {
	list, err := s.Store.Bounties(ctx, q)
	if n := len(list); n > 1 && n == q.Limit {
		list[n-1] = list[n-2]
	}
	return list, err
}

// flips gives rows in another order each time.
type flips struct {
	api.Store
	n *atomic.Int64
}

func (s flips) Attackers(ctx context.Context, q repo.AttackerQuery) ([]repo.Attacker, error) {
	list, err := s.Store.Attackers(ctx, q)
	if s.n.Add(1)%2 == 0 {
		slices.Reverse(list)
	}
	return list, err
}

// losesBucket leaves out the last bar.
type losesBucket struct{ api.Store }

func (s losesBucket) Histogram(ctx context.Context, f repo.LogFilter, interval time.Duration) ([]repo.Bucket, error) {
	list, err := s.Store.Histogram(ctx, f, interval)
	return list[:max(len(list)-1, 0)], err
}

// ranksOff counts the value that leads once more.
type ranksOff struct{ api.Store }

func (s ranksOff) Ranking(ctx context.Context, q repo.RankingQuery) (repo.Ranking, error) {
	r, err := s.Store.Ranking(ctx, q)
	if len(r.List) > 0 {
		r.List[0].Count++
	}
	return r, err
}

// triedEver counts the attempts of credentials over all time, whatever the range.
type triedEver struct{ api.Store }

func (s triedEver) Ranking(ctx context.Context, q repo.RankingQuery) (repo.Ranking, error) {
	r, err := s.Store.Ranking(ctx, q)
	if err != nil || q.By != repo.ColumnCredential || len(r.List) == 0 {
		return r, err
	}
	q.Start, q.End = time.Time{}, time.Time{}
	ever, err := s.Store.Ranking(ctx, q)
	r.List = ever.List
	return r, err
}

// shiftsBuckets begins each bar one interval late.
type shiftsBuckets struct{ api.Store }

func (s shiftsBuckets) Histogram(ctx context.Context, f repo.LogFilter, interval time.Duration) ([]repo.Bucket, error) {
	list, err := s.Store.Histogram(ctx, f, interval)
	for i := range list {
		list[i].Start = list[i].Start.Add(interval)
	}
	return list, err
}

// boundsExclusive takes the bounds of time as exclusive.
type boundsExclusive struct {
	api.Store
	start, end time.Duration
}

func (s boundsExclusive) move(f repo.LogFilter) repo.LogFilter {
	if !f.Start.IsZero() {
		f.Start = f.Start.Add(s.start)
	}
	if !f.End.IsZero() {
		f.End = f.End.Add(-s.end)
	}
	return f
}

func (s boundsExclusive) Logs(ctx context.Context, q repo.LogQuery) ([]repo.Log, error) {
	q.LogFilter = s.move(q.LogFilter)
	return s.Store.Logs(ctx, q)
}

func (s boundsExclusive) CountLogs(ctx context.Context, f repo.LogFilter) (int64, error) {
	return s.Store.CountLogs(ctx, s.move(f))
}

// filterRaises counts everything twice where there is a filter.
type filterRaises struct{ api.Store }

func (s filterRaises) CountBounties(ctx context.Context, f repo.BountyFilter) (int64, error) {
	n, err := s.Store.CountBounties(ctx, f)
	if f != (repo.BountyFilter{}) {
		n = 2*n + 100
	}
	return n, err
}

// serviceIgnored does not filter attackers by service.
type serviceIgnored struct{ api.Store }

func (s serviceIgnored) Attackers(ctx context.Context, q repo.AttackerQuery) ([]repo.Attacker, error) {
	q.Service = ""
	return s.Store.Attackers(ctx, q)
}

func (s serviceIgnored) CountAttackers(ctx context.Context, f repo.AttackerFilter) (int64, error) {
	f.Service = ""
	return s.Store.CountAttackers(ctx, f)
}

// versionIgnored takes every token of a user, however old.
type versionIgnored struct{ api.Store }

func (s versionIgnored) Users(ctx context.Context) ([]repo.User, error) {
	list, err := s.Store.Users(ctx)
	for i := range list {
		list[i].TokenVersion = 0
	}
	return list, err
}

// passwordLost does not store a new password.
type passwordLost struct{ api.Store }

func (s passwordLost) SetPassword(ctx context.Context, uuid, hash string, mustChange bool) error {
	users, err := s.Store.Users(ctx)
	for _, u := range users {
		if u.UUID == uuid {
			hash = u.PasswordHash
		}
	}
	return errors.Join(err, s.Store.SetPassword(ctx, uuid, hash, mustChange))
}

// flagLost does not store that a password must be changed.
type flagLost struct{ api.Store }

func (s flagLost) SetPassword(ctx context.Context, uuid, hash string, _ bool) error {
	return s.Store.SetPassword(ctx, uuid, hash, false)
}

// conflictSwallowed says that a taken name was free.
type conflictSwallowed struct{ api.Store }

func (s conflictSwallowed) CreateUser(ctx context.Context, u repo.User) error {
	if err := s.Store.CreateUser(ctx, u); !errors.Is(err, repo.ErrConflict) {
		return err
	}
	return nil
}

// lastAdminSwallowed says that the last administrator was demoted. Two changes of
// a role wait a moment for each other, as they do in front of a slow disk.
type lastAdminSwallowed struct {
	api.Store
	meet chan struct{}
}

func (s lastAdminSwallowed) SetRole(ctx context.Context, uuid string, role repo.Role) error {
	select {
	case s.meet <- struct{}{}:
	case <-s.meet:
	case <-time.After(20 * time.Millisecond):
	}
	if err := s.Store.SetRole(ctx, uuid, role); !errors.Is(err, repo.ErrLastAdmin) {
		return err
	}
	return nil
}

// sensorStays does not delete sensors.
type sensorStays struct{ api.Store }

func (s sensorStays) DeleteSensor(context.Context, string) error { return nil }

// slowLoad answers the first read after a write with what was there before: a
// load that began before the write, ended after it, and was kept, since the
// cache has no generation.
type slowLoad struct {
	api.Store
	mu  *sync.Mutex
	old map[string]string
}

func (s slowLoad) SetState(ctx context.Context, key, value string) error {
	before, err := s.Store.State(ctx, key)
	if err == nil {
		s.mu.Lock()
		s.old[key] = before
		s.mu.Unlock()
	}
	return s.Store.SetState(ctx, key, value)
}

func (s slowLoad) State(ctx context.Context, key string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.old[key]; ok {
		delete(s.old, key)
		return v, nil
	}
	return s.Store.State(ctx, key)
}

// streamSkips loses the first event of each batch that a stream reads.
type streamSkips struct{ api.Store }

func (s streamSkips) LogsAfter(ctx context.Context, after int64, f repo.LogFilter, limit int) ([]repo.Log, error) {
	return s.Store.LogsAfter(ctx, after+1, f, limit)
}
