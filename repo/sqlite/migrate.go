package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"decnet/repo"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrateSchema brings the schema to the newest version, each migration in a
// transaction of its own. Several processes may do it at once: one that loses a
// race finds that migration done when it looks again, and may lose the next.
func migrateSchema(ctx context.Context, db *sql.DB) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	var failures []error
	for range len(files) + 1 {
		err := migrateOnce(ctx, db)
		if err == nil {
			return nil
		}
		if failures = append(failures, err); errors.Is(err, repo.ErrNewerSchema) || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failures...)
}

func migrateOnce(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	sources := p.ListSources()
	target := sources[len(sources)-1].Version
	current, err := schemaVersion(ctx, db)
	switch {
	case err != nil:
		return fmt.Errorf("read the schema version: %w", err)
	case current > target:
		return fmt.Errorf("schema version %d, this program knows %d: %w", current, target, repo.ErrNewerSchema)
	case current == target:
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the schema from version %d to %d: %w", current, target, err)
	}
	return nil
}

// schemaVersion reads the version without writing anything, as goose itself
// would: a database of a newer program must stay as it is. It is 0 for an empty
// database.
func schemaVersion(ctx context.Context, db *sql.DB) (version int64, err error) {
	var exists bool
	err = db.QueryRowContext(ctx, "SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = ?",
		goose.DefaultTablename).Scan(&exists)
	if err != nil || !exists {
		return 0, err
	}
	err = db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+goose.DefaultTablename).Scan(&version)
	return version, err
}
