package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"decnet/repo"
)

// each calls f for every row and closes the rows.
func each(rows *sql.Rows, f func(scan func(...any) error) error) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// eachUntil calls f for every row until it returns false, and closes the rows.
func eachUntil(rows *sql.Rows, f func(scan func(...any) error) (bool, error)) (err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if goOn, err := f(rows.Scan); err != nil || !goOn {
			return err
		}
	}
	return rows.Err()
}

// collect reads all rows and closes them. The list is never nil.
func collect[T any](rows *sql.Rows, scan func(func(...any) error) (T, error)) ([]T, error) {
	list := []T{}
	err := each(rows, func(columns func(...any) error) error {
		v, err := scan(columns)
		if err == nil {
			list = append(list, v)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// listed runs a query outside of a transaction and collects its rows; what names
// them in an error.
func listed[T any](ctx context.Context, s *Store, what string, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, failed("list "+what, err)
	}
	list, err := collect(rows, scan)
	if err != nil {
		return nil, failed("list "+what, err)
	}
	return list, nil
}

// selectCounter reads one counter; one that was never raised is 0.
const selectCounter = "SELECT coalesce((SELECT value FROM counters WHERE name = ?), 0)"

func (s *Store) count(ctx context.Context, what, query string, args ...any) (n int64, err error) {
	if err = s.read.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, failed("count "+what, err)
	}
	return n, nil
}

// orNotFound translates the error of a row that is not there.
func orNotFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return repo.ErrNotFound
	}
	return err
}

func fromNanos(n int64) time.Time { return time.Unix(0, n).UTC() }

// nullNanos is for times that may be zero or out of range, as a session's or a
// clock's may: NULL stands for what nanoseconds cannot hold.
func nullNanos(t time.Time) sql.NullInt64 {
	n := sql.NullInt64{Int64: t.UnixNano(), Valid: true}
	if t.IsZero() || !time.Unix(0, n.Int64).Equal(t) {
		return sql.NullInt64{}
	}
	return n
}

func fromNullNanos(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return fromNanos(n.Int64)
}
