package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"decnet/repo"
)

const userColumns = "uuid, username, password_hash, role, must_change, token_version, created_at"

func scanUser(scan func(...any) error) (u repo.User, err error) {
	var created int64
	err = scan(&u.UUID, &u.Username, &u.PasswordHash, &u.Role, &u.MustChangePassword, &u.TokenVersion, &created)
	u.CreatedAt = fromNanos(created)
	return u, err
}

// Users returns all accounts in the order of their names.
func (s *Store) Users(ctx context.Context) ([]repo.User, error) {
	return listed(ctx, s, "users", scanUser, "SELECT "+userColumns+" FROM users ORDER BY username")
}

// UserByName returns one account, or [repo.ErrNotFound].
func (s *Store) UserByName(ctx context.Context, name string) (repo.User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx,
		"SELECT "+userColumns+" FROM users WHERE username = ?", name).Scan)
	if err != nil {
		return repo.User{}, failed("user by name", orNotFound(err))
	}
	return u, nil
}

// CreateUser stores a new account, or returns [repo.ErrConflict] for a taken name
// or UUID. A zero CreatedAt means now.
func (s *Store) CreateUser(ctx context.Context, u repo.User) error {
	if u.CreatedAt.IsZero() {
		u.CreatedAt = s.now()
	}
	err := s.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO users ("+userColumns+") VALUES (?, ?, ?, ?, ?, ?, ?)",
			u.UUID, u.Username, u.PasswordHash, string(u.Role), u.MustChangePassword, u.TokenVersion, u.CreatedAt.UnixNano())
		if isUnique(err) {
			return repo.ErrConflict
		}
		return err
	})
	if err != nil {
		return failed("create user", err)
	}
	return nil
}

// isUnique reports whether err is the violation of a unique value.
func isUnique(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) &&
		(e.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || e.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// DeleteUser returns [repo.ErrNotFound] or [repo.ErrLastAdmin].
func (s *Store) DeleteUser(ctx context.Context, uuid string) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		role, err := userRole(ctx, tx, uuid)
		if err != nil {
			return err
		}
		if role == repo.RoleAdmin {
			if err := keepAdmin(ctx, tx, uuid); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM users WHERE uuid = ?", uuid)
		return err
	})
	if err != nil {
		return failed("delete user", err)
	}
	return nil
}

// SetRole raises the token version where the role changes. It returns
// [repo.ErrNotFound] or [repo.ErrLastAdmin].
func (s *Store) SetRole(ctx context.Context, uuid string, role repo.Role) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		old, err := userRole(ctx, tx, uuid)
		if err != nil || old == role {
			return err
		}
		if old == repo.RoleAdmin {
			if err := keepAdmin(ctx, tx, uuid); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx,
			"UPDATE users SET role = ?, token_version = token_version + 1 WHERE uuid = ?", string(role), uuid)
		return err
	})
	if err != nil {
		return failed("set role", err)
	}
	return nil
}

// SetPassword stores a hash and the flag, and raises the token version. It
// returns [repo.ErrNotFound].
func (s *Store) SetPassword(ctx context.Context, uuid, hash string, mustChange bool) error {
	err := s.update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE users SET password_hash = ?, must_change = ?,
			token_version = token_version + 1 WHERE uuid = ?`, hash, mustChange, uuid)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return repo.ErrNotFound
	})
	if err != nil {
		return failed("set password", err)
	}
	return nil
}

func userRole(ctx context.Context, tx *sql.Tx, uuid string) (role repo.Role, err error) {
	err = tx.QueryRowContext(ctx, "SELECT role FROM users WHERE uuid = ?", uuid).Scan(&role)
	return role, orNotFound(err)
}

// keepAdmin returns [repo.ErrLastAdmin] if nobody but uuid is an administrator.
// The transaction holds the write lock, so that it stays true until the commit.
func keepAdmin(ctx context.Context, tx *sql.Tx, uuid string) error {
	var others bool
	err := tx.QueryRowContext(ctx, "SELECT count(*) > 0 FROM users WHERE role = ? AND uuid <> ?",
		string(repo.RoleAdmin), uuid).Scan(&others)
	if err == nil && !others {
		return repo.ErrLastAdmin
	}
	return err
}
