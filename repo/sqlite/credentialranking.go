package sqlite

import (
	"cmp"
	"database/sql"
	"errors"
	"slices"

	"decnet/repo"
)

// credentialWork bounds how many rows each of the two walks may visit.
const credentialWork = 200_000

// Both walks give id, attempts, first_seen and times of each credential, and whether
// it was tried since the span began; of one that was not, nothing but the index is
// read.
const (
	walkByAttempts = `SELECT id, attempts, last_seen >= ?1, CASE WHEN last_seen >= ?1 THEN first_seen END,
		last_seen, CASE WHEN last_seen >= ?1 THEN times END
		FROM credentials INDEXED BY credentials_attempts ORDER BY attempts DESC, last_seen DESC, id DESC`
	walkByRecent = `SELECT id, attempts, 1, first_seen, last_seen, times
		FROM credentials INDEXED BY credentials_recent WHERE last_seen >= ?1 ORDER BY last_seen DESC, id DESC`
)

// credentials ranks by attempts in the span. A credential that leads has many
// attempts in all, and was tried since the span began: so two indexes are walked in
// turn, and the one that is done first ends both. The walk by attempts is done when
// the next one has no more in all than the last one in the list has in the span; the
// walk by the last attempt, when it has seen all that was tried since then.
func (k *ranker) credentials(work int) (repo.Ranking, error) {
	if k.span.empty() {
		return k.ranking(), nil
	}
	l := leading{span: k.span, limit: k.limit}
	// The quarter in which the span begins counts as a whole.
	since := k.span.first - k.span.first%quarter
	done, err := k.walkBoth(&l, since, work)
	if err != nil {
		return repo.Ranking{}, err
	}
	r := repo.Ranking{List: []repo.Ranked{}, Distinct: -1, Exact: done.byAttempts || done.all}
	if full := len(l.list) == l.limit; l.unsure > 0 && (!full || l.unsure > l.list[l.limit-1].n) {
		r.Exact = false
	}
	switch {
	case done.all:
		r.Distinct = done.distinct
	case k.span == whole():
		if err := k.tx.QueryRowContext(k.ctx, selectCounter, counterCredentials).Scan(&r.Distinct); err != nil {
			return repo.Ranking{}, err
		}
	}
	for _, c := range l.list {
		v := repo.Ranked{Count: c.n}
		err := k.tx.QueryRowContext(k.ctx, "SELECT username, password FROM credentials WHERE id = ?", c.id).Scan(&v.Value, &v.Password)
		if err != nil {
			return repo.Ranking{}, err
		}
		r.List = append(r.List, v)
	}
	slices.SortFunc(r.List, byCount)
	return r, nil
}

// walked says how two walks ended.
type walked struct {
	// byAttempts says that nobody who was not visited can lead.
	byAttempts bool
	// all says that all were visited that have attempts in the span, which are
	// distinct.
	all      bool
	distinct int64
}

func (k *ranker) walkBoth(l *leading, since int64, work int) (done walked, err error) {
	byAttempts, err := k.walk(walkByAttempts, since)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, byAttempts.rows.Close()) }()
	byRecent, err := k.walk(walkByRecent, since)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, byRecent.rows.Close()) }()
	for range work {
		for _, w := range []*credentialWalk{byAttempts, byRecent} {
			more, err := w.next()
			if err != nil {
				return done, err
			}
			if !more {
				return walked{all: true, distinct: w.distinct}, nil
			}
			if w == byAttempts && l.closedTo(w.attempts) {
				return walked{byAttempts: true}, nil
			}
			if w.candidate && l.visit(w) {
				w.distinct++
			}
		}
	}
	return done, nil
}

// credentialWalk is a walk along one of the indexes, with the row where it is.
type credentialWalk struct {
	rows     *sql.Rows
	distinct int64 // how many of its rows have attempts in the span

	id, attempts int64
	candidate    bool // it was tried since the span began
	first        int64
	times        attemptTimes
}

func (k *ranker) walk(query string, since int64) (*credentialWalk, error) {
	rows, err := k.tx.QueryContext(k.ctx, query, since) //nolint:rowserrcheck // next looks at it.
	return &credentialWalk{rows: rows}, err
}

func (w *credentialWalk) next() (more bool, err error) {
	if !w.rows.Next() {
		return false, w.rows.Err()
	}
	var first sql.NullInt64
	var last int64
	var packed sql.RawBytes
	if err := w.rows.Scan(&w.id, &w.attempts, &w.candidate, &first, &last, &packed); err != nil {
		return false, err
	}
	if w.candidate {
		w.first = first.Int64
		timesOf(packed, w.attempts, w.first, last, &w.times)
	}
	return true, nil
}

// leading are the credentials with the most attempts in the span so far.
type leading struct {
	span   span
	limit  int
	list   []credentialCount
	unsure int64 // the most that one may have of which not all is known
}

type credentialCount struct{ id, n int64 }

// closedTo reports whether nobody who has so many attempts in all gets in.
func (l *leading) closedTo(attempts int64) bool {
	return len(l.list) == l.limit && attempts <= l.list[l.limit-1].n
}

// visit reports whether a credential has attempts in the span, and puts it in the
// list if it has enough. One that is visited twice is in it once.
func (l *leading) visit(w *credentialWalk) bool {
	n, unsure := w.times.within(l.span, w.first)
	if unsure > 0 {
		l.unsure = max(l.unsure, n+unsure)
	}
	if n == 0 || l.closedTo(n) {
		return n > 0
	}
	c := credentialCount{w.id, n}
	order := func(a, b credentialCount) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.id, b.id)) }
	at, found := slices.BinarySearchFunc(l.list, c, order)
	if !found {
		l.list = slices.Insert(l.list, at, c)
		l.list = l.list[:min(len(l.list), l.limit)]
	}
	return true
}
