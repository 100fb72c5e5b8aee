package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// keptStatements is how many statements a connection that reads keeps, those
	// run last: there are more than the service runs again and again.
	keptStatements = 48
	// longestStatement bounds the text of one that is kept, in bytes: a search of
	// many words is hardly asked for twice on one connection.
	longestStatement = 2 << 10
)

// preparing is a connection that keeps the statements of its queries. To parse and
// plan a short one takes as long as to run it, and database/sql has that done each
// time, unless its caller holds a statement for the pool and one for each transaction.
type preparing struct {
	connection
	kept *simplelru.LRU[string, *keptStatement]
}

type keptStatement struct {
	driver.Stmt
	query driver.StmtQueryContext // the same
	inUse bool                    // its rows are not closed
}

func newPreparing(conn driver.Conn) (driver.Conn, error) {
	whole, ok := conn.(connection)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's %T lacks what the store needs", conn), conn.Close())
	}
	// The only error is a size below 1.
	kept, _ := simplelru.NewLRU[string, *keptStatement](keptStatements, nil)
	return &preparing{connection: whole, kept: kept}, nil
}

// onDriver gives f the connection of the driver itself, which can do more.
func onDriver(f func(driverConn any) error) func(driverConn any) error {
	return func(c any) error {
		if kept, ok := c.(*preparing); ok {
			c = kept.connection
		}
		return f(c)
	}
}

// QueryContext implements [driver.QueryerContext].
func (c *preparing) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	st, err := c.idle(ctx, query)
	if err != nil {
		return nil, err
	}
	if st == nil {
		return c.connection.QueryContext(ctx, query, args)
	}
	rows, err := st.query.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, c.drop(query, st))
	}
	st.inUse = true
	return &keptRows{Rows: rows, conn: c, text: query, st: st}, nil
}

// idle returns a statement that nobody reads from, nil where the query is run
// without one.
func (c *preparing) idle(ctx context.Context, query string) (*keptStatement, error) {
	if st, ok := c.kept.Get(query); ok {
		if st.inUse {
			return nil, nil
		}
		return st, nil
	}
	if len(query) > longestStatement {
		return nil, nil
	}
	if c.kept.Len() == keptStatements {
		text, oldest, _ := c.kept.GetOldest()
		if oldest.inUse {
			return nil, nil
		}
		if err := c.drop(text, oldest); err != nil {
			return nil, err
		}
	}
	st, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	run, ok := st.(driver.StmtQueryContext)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's %T cannot be asked with a context", st), st.Close())
	}
	kept := &keptStatement{Stmt: st, query: run}
	c.kept.Add(query, kept)
	return kept, nil
}

// drop ends a statement.
func (c *preparing) drop(text string, st *keptStatement) error {
	c.kept.Remove(text)
	return st.Close()
}

// Close ends the statements, then the connection.
func (c *preparing) Close() error {
	var failures []error
	for _, st := range c.kept.Values() {
		failures = append(failures, st.Close())
	}
	c.kept.Purge()
	return errors.Join(append(failures, c.connection.Close())...)
}

// keptRows are the rows of a statement that is kept.
type keptRows struct {
	driver.Rows
	conn *preparing
	text string
	st   *keptStatement
}

// Close gives the statement back. One that failed, as when it was interrupted, is
// not kept.
func (r *keptRows) Close() error {
	err := r.Rows.Close()
	r.st.inUse = false
	if err != nil {
		return errors.Join(err, r.conn.drop(r.text, r.st))
	}
	return nil
}
