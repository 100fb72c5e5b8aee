package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"

	"decnet/repo"
)

// conditions are a filter compiled to SQL: parts joined by AND, whose values are
// all bound.
type conditions struct {
	parts []string
	args  []any
}

func (c *conditions) add(part string, args ...any) {
	c.parts = append(c.parts, part)
	c.args = append(c.args, args...)
}

// join adds all of other conditions.
func (c *conditions) join(other conditions) {
	c.parts = append(c.parts, other.parts...)
	c.args = append(c.args, other.args...)
}

// where returns " WHERE …", or "" for no condition.
func (c *conditions) where() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}

// access says which index of logs a query walks. SQLite would choose one without
// knowing the data; a unary plus keeps it off the others, so that rows come in
// the wanted order without being sorted.
type access struct {
	// byID means none of them: the rows come in the order of their ids.
	byID bool
	// driver is the equality whose index is walked; its zero value means the time
	// index.
	driver repo.Equals
}

// addExpr compiles a search expression. It agrees with Match of package repo
// because Contains and FieldEquals run that very code; see newDriver.
func (c *conditions) addExpr(e repo.Expr, how access) error {
	switch e := e.(type) {
	case nil:
	case repo.And:
		for _, part := range e {
			if err := c.addExpr(part, how); err != nil {
				return err
			}
		}
	case repo.Equals:
		column, ok := logColumn(e.Column)
		if !ok {
			c.add("0") // Match holds for no row.
			return nil
		}
		if how.byID || how.driver != e {
			column = "+" + column
		}
		c.add(column+" = ?", e.Value)
	case repo.FieldEquals:
		c.add("field_equals(?, ?, fields)", e.Key, e.Value)
	case repo.Contains:
		c.add("contains_fold(?, raw_line, decky, service, attacker_ip)", e.Text)
	default:
		return fmt.Errorf("search: unknown expression %T", e)
	}
	return nil
}

func logColumn(c repo.Column) (string, bool) {
	switch c {
	case repo.ColumnDecky:
		return "decky", true
	case repo.ColumnService:
		return "service", true
	case repo.ColumnEvent:
		return "event_type", true
	case repo.ColumnAttacker:
		return "attacker_ip", true
	}
	return "", false
}

// span is a closed range of event times in Unix nanoseconds.
type span struct{ first, last int64 }

// whole is the span of all times that an event can have.
func whole() span { return span{0, repo.MaxUnixNano} }

func (s span) empty() bool { return s.first > s.last }

func (s span) cut(t span) span { return span{max(s.first, t.first), min(s.last, t.last)} }

// spanOf returns the times that the filter allows. Bounds outside of what events
// can have are cut, since nanoseconds would overflow there.
func spanOf(f repo.LogFilter) span {
	s := whole()
	switch {
	case f.Start.IsZero() || f.Start.Unix() < 0:
	case !repo.ValidTime(f.Start):
		s.first = math.MaxInt64
	default:
		s.first = f.Start.UnixNano()
	}
	switch {
	case f.End.IsZero() || f.End.Unix() >= 0 && !repo.ValidTime(f.End):
	case f.End.Unix() < 0:
		s.last = -1
	default:
		s.last = f.End.UnixNano()
	}
	return s
}

// narrowed is what is known of a filter before any row is read.
type narrowed struct {
	span
	access
	// exact says that count is the number of rows which the filter chooses; else it
	// is how many have the rarest of its equalities, about.
	exact bool
	count int64
}

// fewRows are walked without asking the search index.
const fewRows = 4096

// hunted reports whether a search is one for the search index: it has conditions
// besides the one whose index is walked, and that one leaves many rows.
func (n narrowed) hunted(e repo.Expr) bool {
	if _, alone := e.(repo.Equals); alone || e == nil || n.exact {
		return false
	}
	return n.count > fewRows
}

// narrow cuts the times of a filter to those in which its deckies, services and
// event types were seen, and finds the rarest of its equalities.
func narrow(ctx context.Context, tx *sql.Tx, f repo.LogFilter) (narrowed, error) {
	n := narrowed{span: spanOf(f)}
	rarest, exact := int64(math.MaxInt64), true
	for _, e := range flatten(nil, f.Search) {
		if n.empty() {
			break
		}
		found, err := facetOf(ctx, tx, e)
		if errors.Is(err, sql.ErrNoRows) {
			n.span = span{1, 0}
			break
		}
		if err != nil {
			return n, err
		}
		if found.vague {
			exact = false
		}
		if found.count == 0 { // its events have expired
			n.span = span{1, 0}
			break
		}
		n.span = n.cut(span{found.first, found.last})
		if found.count < rarest {
			rarest, n.driver = found.count, e
		}
	}
	if n.empty() {
		return narrowed{span: n.span, exact: true}, nil
	}
	n.count = rarest
	if _, alone := f.Search.(repo.Equals); alone && exact && f.Start.IsZero() && f.End.IsZero() {
		n.exact = true
	}
	return n, nil
}

// facetOf returns what is known of a value, or [sql.ErrNoRows] where no event
// has it. Of an attacker only the count is used: a search need not cut its times.
func facetOf(ctx context.Context, tx *sql.Tx, e repo.Equals) (f facet, err error) {
	if e.Column == repo.ColumnAttacker {
		f.last = math.MaxInt64
		if e.Value == repo.UnknownAttacker {
			f.count, f.vague = math.MaxInt64-1, true
			return f, nil
		}
		key, err := attackerKey(e.Value)
		if err != nil {
			return f, err
		}
		err = tx.QueryRowContext(ctx, "SELECT event_count - expired_count FROM attackers WHERE uuid = ?", key[:]).Scan(&f.count)
		return f, err
	}
	err = tx.QueryRowContext(ctx, "SELECT count, first_time, last_time FROM facets WHERE kind = ? AND value = ?",
		string(e.Column), e.Value).Scan(&f.count, &f.first, &f.last)
	return f, err
}

// flatten collects the equalities that must all hold.
func flatten(list []repo.Equals, e repo.Expr) []repo.Equals {
	switch e := e.(type) {
	case repo.Equals:
		list = append(list, e)
	case repo.And:
		for _, part := range e {
			list = flatten(list, part)
		}
	}
	return list
}

// addSpan bounds the time, where it is not unbounded anyway.
func (c *conditions) addSpan(s span, how access) {
	column := "time"
	if how.byID {
		column = "+time"
	}
	if s.first > 0 {
		c.add(column+" >= ?", s.first)
	}
	if s.last < repo.MaxUnixNano {
		c.add(column+" <= ?", s.last)
	}
}

// addAfter leaves out the rows up to a place in the order of pages.
func (c *conditions) addAfter(p repo.LogPlace) {
	nanos := p.Time.UnixNano()
	c.add("(time, id) < (?, ?)", nanos, p.ID)
}
