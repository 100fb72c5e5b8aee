package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// directWriter runs statements on the driver's connection. Between a commit and its
// rows, database/sql costs a tenth of the time: a lock, a look at the context and
// conversions for each of the many short statements.
type directWriter struct {
	conn  driver.ConnPrepareContext // nil where it is not used
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

// exec runs a statement, which is prepared once, and reports how many rows it
// changed.
func (d *directWriter) exec(ctx context.Context, query string, args []any) (int64, error) {
	st, ok := d.stmts[query]
	if !ok {
		var err error
		if st, err = d.conn.PrepareContext(ctx, query); err != nil {
			return 0, err
		}
		if d.stmts == nil {
			d.stmts = map[string]driver.Stmt{}
		}
		d.stmts[query] = st
	}
	run, ok := st.(driver.StmtExecContext)
	if !ok {
		return 0, fmt.Errorf("the driver's %T cannot run with a context", st)
	}
	d.args = d.args[:0]
	for i, arg := range args {
		switch arg.(type) {
		case int64, string, []byte, nil:
		default:
			var err error
			if arg, err = driver.DefaultParameterConverter.ConvertValue(arg); err != nil {
				return 0, fmt.Errorf("argument %d: %w", i+1, err)
			}
		}
		d.args = append(d.args, driver.NamedValue{Ordinal: i + 1, Value: arg})
	}
	res, err := run.ExecContext(ctx, d.args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// close ends the statements.
func (d *directWriter) close() error {
	var failures []error
	for _, st := range d.stmts {
		failures = append(failures, st.Close())
	}
	return errors.Join(failures...)
}

// updateRaw is update for a function that also gets the driver's connection. It may
// use it as long as it runs: the connection is taken out of the pool, and the
// transaction has a context that cannot end, so that database/sql does nothing with
// it by itself. The function looks at ctx.
func (s *Store) updateRaw(ctx context.Context, f func(tx *sql.Tx, raw driver.ConnPrepareContext) error) (err error) {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return trouble(err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var raw driver.ConnPrepareContext
	err = conn.Raw(func(driverConn any) error {
		var ok bool
		if raw, ok = driverConn.(driver.ConnPrepareContext); !ok {
			return fmt.Errorf("the driver's %T cannot prepare with a context", driverConn)
		}
		return nil
	})
	if err != nil {
		return err
	}
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return trouble(err)
	}
	return s.end(ctx, tx, f(tx, raw))
}
