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

// where returns " WHERE …", or "" for no condition.
func (c *conditions) where() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}

// access says which index a query should walk.
type access int

const (
	// byTime leaves the choice between the time index and the attacker's.
	byTime access = iota
	// byID keeps the planner off both, so that rows come in the order of ids
	// without being sorted. A unary plus does that.
	byID
)

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
		if how == byID {
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

// narrowed is what the facets tell about a filter before any row is read.
type narrowed struct {
	span
	// exact says that count is the number of rows which the filter chooses.
	exact bool
	count int64
}

// narrow cuts the times of a filter to those in which its deckies, services and
// event types were seen. Without it, a page of a rare service would walk the
// time index to its end.
func narrow(ctx context.Context, tx *sql.Tx, f repo.LogFilter) (narrowed, error) {
	n := narrowed{span: spanOf(f)}
	if n.empty() {
		return narrowed{span: n.span, exact: true}, nil
	}
	parts := flatten(nil, f.Search)
	for _, e := range parts {
		if e.Column == repo.ColumnAttacker {
			continue
		}
		var found facet
		err := tx.QueryRowContext(ctx, "SELECT count, first_time, last_time FROM facets WHERE kind = ? AND value = ?",
			string(e.Column), e.Value).Scan(&found.count, &found.first, &found.last)
		if errors.Is(err, sql.ErrNoRows) {
			return narrowed{span: span{1, 0}, exact: true}, nil
		}
		if err != nil {
			return n, err
		}
		if _, alone := f.Search.(repo.Equals); alone && f.Start.IsZero() && f.End.IsZero() {
			n.exact, n.count = true, found.count
		}
		n.span = n.cut(span{found.first, found.last})
	}
	return n, nil
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
	if how == byID {
		column = "+time"
	}
	if s.first > 0 {
		c.add(column+" >= ?", s.first)
	}
	if s.last < repo.MaxUnixNano {
		c.add(column+" <= ?", s.last)
	}
}
