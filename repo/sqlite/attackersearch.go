package sqlite

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"decnet/repo"
)

const (
	// counterAttackerVersion counts the commits that changed attackers.
	counterAttackerVersion = "attacker_version"
	// raiseAttackerVersion makes all that is remembered unknown: nobody is told of
	// the change.
	raiseAttackerVersion = `INSERT INTO counters (name, value) VALUES ('attacker_version', 1)
		ON CONFLICT (name) DO UPDATE SET value = value + 1`

	// searchedAttackers is how many searches for attackers are remembered: a bit for
	// each attacker.
	searchedAttackers = 64
	// changesKept is how many commits are remembered with the attackers that they
	// changed: half an hour of a busy service.
	changesKept = 8192
	// fewAttackers are looked up one by one and sorted.
	fewAttackers = 256
)

// attackerSearches remembers which attackers a search found, and which attackers each
// commit changed, so that a search that is asked for again looks only at those. It is
// never old: what cannot be told from the versions is looked for anew.
type attackerSearches struct {
	searches *lru.Cache[string, *attackerSearch]

	mu      sync.Mutex
	changes map[int64][]int64
}

// attackerSearch is one search.
type attackerSearch struct {
	// turn is taken by whoever brings it up to date.
	turn  chan struct{}
	found atomic.Pointer[foundAttackers]
}

// foundAttackers is what a search found, as of a version. It is never changed.
type foundAttackers struct {
	version int64
	ids     map[int64]struct{}
}

func newAttackerSearches() *attackerSearches {
	searches, _ := lru.New[string, *attackerSearch](searchedAttackers) // fails for a size below 1
	return &attackerSearches{searches: searches, changes: map[int64][]int64{}}
}

// changed notes which attackers a commit changes. It is told before the commit: a
// version that is never committed is given to the next one, which replaces it.
func (s *attackerSearches) changed(version int64, ids []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes[version] = ids
	delete(s.changes, version-changesKept)
}

// since returns who was changed after a version, up to another one; ok is false where
// that is not known: another process wrote, or it is too long ago.
func (s *attackerSearches) since(version, upTo int64) (ids []int64, ok bool) {
	if version == 0 || upTo-version > changesKept {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := version + 1; v <= upTo; v++ {
		some, known := s.changes[v]
		if !known {
			return nil, false
		}
		ids = append(ids, some...)
	}
	return ids, true
}

// of returns what is remembered of a search.
func (s *attackerSearches) of(search string) *attackerSearch {
	fresh := &attackerSearch{turn: make(chan struct{}, 1)}
	if known, ok, _ := s.searches.PeekOrAdd(search, fresh); ok {
		s.searches.Get(search) // it was used
		return known
	}
	return fresh
}

// matching returns the attackers that a search finds; nobody changes them.
func (s *Store) matching(ctx context.Context, tx *sql.Tx, search string) (map[int64]struct{}, error) {
	version, err := attackerVersionOf(ctx, tx)
	if err != nil {
		return nil, err
	}
	known := s.attackers.of(search)
	// A request whose snapshot is older than what another one found sees the newer.
	if found := known.found.Load(); found != nil && version <= found.version {
		return found.ids, nil
	}
	select {
	case known.turn <- struct{}{}:
		defer func() { <-known.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	before := known.found.Load()
	if before != nil && version <= before.version {
		return before.ids, nil
	}
	found, err := s.refresh(ctx, tx, before, search, version)
	if err != nil {
		return nil, err
	}
	known.found.Store(found)
	return found.ids, nil
}

// refresh looks at those who were changed since, or at all.
func (s *Store) refresh(ctx context.Context, tx *sql.Tx, before *foundAttackers, search string, version int64) (*foundAttackers, error) {
	query, args := selectAttackerIDs+" WHERE packed_contains_fold(?, a.search)", []any{search}
	found := &foundAttackers{version: version, ids: map[int64]struct{}{}}
	if before != nil {
		if changed, ok := s.attackers.since(before.version, version); ok {
			found.ids = maps.Clone(before.ids)
			for _, id := range changed {
				delete(found.ids, id)
			}
			query += " AND a.id IN (SELECT value FROM json_each(?))"
			args = append(args, jsonNumbers(changed))
		}
	}
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return found, each(rows, func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		found.ids[id] = struct{}{}
		return err
	})
}

// searchedPage is a page of a search: few are sorted, of many the index that is in
// the order of the page is walked.
func (s *Store) searchedPage(ctx context.Context, tx *sql.Tx, q repo.AttackerQuery) ([]repo.Attacker, []attackerVersion, error) {
	found, err := s.matching(ctx, tx, q.Search)
	if err != nil {
		return nil, nil, err
	}
	var ids []int64
	offset := q.Offset
	if len(found) <= fewAttackers {
		ids = slices.Collect(maps.Keys(found))
	} else {
		offset = 0
		if ids, err = walkAttackers(ctx, tx, q, found); err != nil {
			return nil, nil, err
		}
	}
	return s.attackersOf(ctx, tx, "SELECT a.id, a.updated_at, a.event_count FROM attackers AS a WHERE a.id IN (SELECT value FROM json_each(?))"+
		attackersOrder(q.Sort)+" LIMIT ? OFFSET ?", jsonNumbers(ids), q.Limit, offset)
}

const selectAttackerIDs = "SELECT a.id FROM attackers AS a"

// walkAttackers returns who is on a page of those found.
func walkAttackers(ctx context.Context, tx *sql.Tx, q repo.AttackerQuery, found map[int64]struct{}) (ids []int64, err error) {
	rows, err := tx.QueryContext(ctx, selectAttackerIDs+attackersOrder(q.Sort))
	if err != nil {
		return nil, err
	}
	skip := q.Offset
	err = eachUntil(rows, func(scan func(...any) error) (bool, error) {
		var id int64
		if err := scan(&id); err != nil {
			return false, err
		}
		if _, ok := found[id]; ok {
			if skip--; skip < 0 {
				ids = append(ids, id)
			}
		}
		return len(ids) < q.Limit, nil
	})
	return ids, err
}
