package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"decnet/repo"
)

// answeredQueries is how many answers of each kind are remembered: some hundred
// bytes each.
const answeredQueries = 512

// logVersion changes whenever an event is stored or removed: ids are never used
// again, so that the last one and the number of rows tell.
type logVersion struct{ last, rows int64 }

// answers remembers which rows a query named, and how many, together with the version
// of the table that it saw. A request reads the version, which is one look-up, and asks
// anew when it has changed: what is remembered is never old.
type answers struct {
	logPages       *lru.Cache[string, versioned[logVersion, []int64]]
	logCounts      *lru.Cache[string, versioned[logVersion, int64]]
	attackerPages  *lru.Cache[repo.AttackerQuery, versioned[int64, []attackerVersion]]
	attackerCounts *lru.Cache[repo.AttackerFilter, versioned[int64, int64]]
}

type versioned[V comparable, T any] struct {
	version V
	value   T
}

func newAnswers() *answers {
	// The only error is a size below 1.
	a := &answers{}
	a.logPages, _ = lru.New[string, versioned[logVersion, []int64]](answeredQueries)
	a.logCounts, _ = lru.New[string, versioned[logVersion, int64]](answeredQueries)
	a.attackerPages, _ = lru.New[repo.AttackerQuery, versioned[int64, []attackerVersion]](answeredQueries)
	a.attackerCounts, _ = lru.New[repo.AttackerFilter, versioned[int64, int64]](answeredQueries)
	return a
}

func (a *answers) forget() {
	a.logPages.Purge()
	a.logCounts.Purge()
	a.attackerPages.Purge()
	a.attackerCounts.Purge()
}

// known returns what is remembered of a query as of a version.
func known[K, V comparable, T any](cache *lru.Cache[K, versioned[V, T]], key K, version V) (value T, ok bool) {
	if v, ok := cache.Get(key); ok && v.version == version {
		return v.value, true
	}
	return value, false
}

// querier is a connection, a pool or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func logVersionOf(ctx context.Context, q querier) (v logVersion, err error) {
	err = q.QueryRowContext(ctx, `SELECT coalesce((SELECT value FROM counters WHERE name = 'last_log_id'), 0),
		coalesce((SELECT value FROM counters WHERE name = 'logs'), 0)`).Scan(&v.last, &v.rows)
	return v, err
}

func attackerVersionOf(ctx context.Context, q querier) (version int64, err error) {
	err = q.QueryRowContext(ctx, "SELECT coalesce((SELECT value FROM counters WHERE name = 'attacker_version'), 0)").Scan(&version)
	return version, err
}

// filterKey names a filter.
func filterKey(f repo.LogFilter) string {
	b := strconv.AppendInt(nil, unbounded(f.Start), 36)
	b = append(b, ' ')
	b = strconv.AppendInt(b, unbounded(f.End), 36)
	b = append(b, ' ')
	return string(b) + exprKey(f.Search)
}

// exprKey names an expression. Its String does not: a text may look like a column and
// its value.
func exprKey(e repo.Expr) string { return fmt.Sprintf("%#v", e) }

// unbounded is a bound as a number; all that no event can have are told apart by
// nothing, since spanOf cuts them.
func unbounded(t time.Time) int64 {
	if t.IsZero() {
		return -2
	}
	if !repo.ValidTime(t) {
		return t.Unix() >> 62 // -1 before 1970, 0 behind all times: no nanosecond is that
	}
	return 1 + t.UnixNano()
}

// pageKey names a page of events. Pages behind others are asked for once and not
// remembered.
func pageKey(q repo.LogQuery) (key string, ok bool) {
	if q.Offset > 0 || !q.After.IsZero() {
		return "", false
	}
	return strconv.Itoa(q.Limit) + " " + filterKey(q.LogFilter), true
}

// knownPage returns a page whose rows are all in memory, if nothing has changed since
// it was asked for.
func (s *Store) knownPage(ctx context.Context, key string) ([]repo.Log, bool, error) {
	if !s.answers.logPages.Contains(key) {
		return nil, false, nil
	}
	version, err := logVersionOf(ctx, s.read)
	if err != nil {
		return nil, false, err
	}
	ids, ok := known(s.answers.logPages, key, version)
	if !ok {
		return nil, false, nil
	}
	list := make([]repo.Log, len(ids))
	for i, id := range ids {
		if list[i], ok = s.rows.logs.Get(id); !ok {
			return nil, false, nil
		}
	}
	return list, true, nil
}

// rememberPage remembers a page that a transaction saw.
func (s *Store) rememberPage(ctx context.Context, tx *sql.Tx, key string, list []repo.Log) error {
	version, err := logVersionOf(ctx, tx)
	if err != nil {
		return err
	}
	ids := make([]int64, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	s.answers.logPages.Add(key, versioned[logVersion, []int64]{version, ids})
	return nil
}

// knownAttackers returns a page of attackers who are all in memory, if nobody has
// changed since it was asked for.
func (s *Store) knownAttackers(ctx context.Context, q repo.AttackerQuery) ([]repo.Attacker, bool, error) {
	if !s.answers.attackerPages.Contains(q) {
		return nil, false, nil
	}
	version, err := attackerVersionOf(ctx, s.read)
	if err != nil {
		return nil, false, err
	}
	versions, ok := known(s.answers.attackerPages, q, version)
	if !ok {
		return nil, false, nil
	}
	list := make([]repo.Attacker, len(versions))
	for i, v := range versions {
		if list[i], ok = s.rows.attackers.Get(v); !ok {
			return nil, false, nil
		}
	}
	return list, true, nil
}
