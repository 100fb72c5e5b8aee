package sqlite

import (
	"context"
	"database/sql"

	lru "github.com/hashicorp/golang-lru/v2"

	"decnet/profile"
	"decnet/repo"
)

const (
	// keptLogs and keptAttackers are how many rows are kept in memory, those asked for
	// last: a service is asked for the same newest rows again and again, and a
	// column costs more to read than to copy.
	keptLogs, keptAttackers = 4096, 1024
	// largestKept bounds a row that is kept, in bytes.
	largestKept = 16 << 10
)

// rowCache remembers rows by what identifies their content, so that it is never
// old: the row of an event is never changed, and that of an attacker has the time
// of its last change. Which rows there are, and in what order, is always asked.
type rowCache struct {
	logs      *lru.Cache[int64, repo.Log]
	attackers *lru.Cache[attackerVersion, repo.Attacker]
}

// attackerVersion is an attacker as one commit left it. A commit that changes an
// attacker has events of it.
type attackerVersion struct{ id, updatedAt, events int64 }

func newRowCache() *rowCache {
	// The only error is a size below 1.
	logs, _ := lru.New[int64, repo.Log](keptLogs)
	attackers, _ := lru.New[attackerVersion, repo.Attacker](keptAttackers)
	return &rowCache{logs: logs, attackers: attackers}
}

// forget drops all: Repair may change an attacker of which no event came.
func (c *rowCache) forget() {
	c.logs.Purge()
	c.attackers.Purge()
}

// logsOf returns the rows that a query names by their ids, in its order.
func (s *Store) logsOf(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]repo.Log, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	ids, err := collect(rows, func(scan func(...any) error) (id int64, err error) {
		err = scan(&id)
		return id, err
	})
	if err != nil {
		return nil, err
	}
	return s.logsByID(ctx, tx, ids)
}

func (s *Store) logsByID(ctx context.Context, tx *sql.Tx, ids []int64) ([]repo.Log, error) {
	list := make([]repo.Log, len(ids))
	at := map[int64]int{}
	var missing []int64
	for i, id := range ids {
		l, ok := s.rows.logs.Get(id)
		if !ok {
			at[id] = i
			missing = append(missing, id)
		}
		list[i] = l
	}
	if len(missing) == 0 {
		return list, nil
	}
	rows, err := tx.QueryContext(ctx, selectLogs+" WHERE id IN (SELECT value FROM json_each(?))", jsonNumbers(missing))
	if err != nil {
		return nil, err
	}
	return list, each(rows, func(scan func(...any) error) error {
		l, err := scanLog(scan)
		if err != nil {
			return err
		}
		list[at[l.ID]] = l
		if len(l.RawLine)+len(l.Fields)+len(l.Msg)+len(l.Original) <= largestKept {
			s.rows.logs.Add(l.ID, l)
		}
		return nil
	})
}

// attackersOf returns the profiles that a query names by their versions, in its
// order, and the versions.
func (s *Store) attackersOf(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]repo.Attacker, []attackerVersion, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, err
	}
	versions, err := collect(rows, func(scan func(...any) error) (v attackerVersion, err error) {
		err = scan(&v.id, &v.updatedAt, &v.events)
		return v, err
	})
	if err != nil {
		return nil, nil, err
	}
	list := make([]repo.Attacker, len(versions))
	at := map[int64]int{}
	var missing []int64
	for i, v := range versions {
		a, ok := s.rows.attackers.Get(v)
		if !ok {
			at[v.id] = i
			missing = append(missing, v.id)
		}
		list[i] = a
	}
	if len(missing) == 0 {
		return list, versions, nil
	}
	rows, err = tx.QueryContext(ctx, "SELECT a.id, length(a.state), "+attackerColumns+
		" FROM attackers AS a WHERE a.id IN (SELECT value FROM json_each(?))", jsonNumbers(missing))
	if err != nil {
		return nil, nil, err
	}
	var d profile.Decoder
	return list, versions, each(rows, func(scan func(...any) error) error {
		var id, size int64
		a, err := scanAttacker[sql.RawBytes](&d, func(columns ...any) error { return scan(append([]any{&id, &size}, columns...)...) })
		if err != nil {
			return err
		}
		i := at[id]
		list[i] = a
		if size <= largestKept {
			s.rows.attackers.Add(versions[i], a)
		}
		return nil
	})
}

// Forget drops all that is remembered in memory of rows and of queries. No answer
// depends on it; it is for who measures what an answer costs the first time.
func (s *Store) Forget() {
	s.rows.forget()
	s.answers.forget()
	s.counts.forget(0)
	s.attackers.searches.Purge()
}
