package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"decnet/repo"
	"decnet/repo/sqlite"
)

type backupCommand struct {
	File string `arg:"" help:"File to write; it must not exist yet."`
	storeOptions
}

type checkCommand struct {
	Repair bool `help:"Mend what is computed from events (counters, histograms, search indexes, profiles); decnet serve must not run meanwhile."`
	storeOptions
}

// backup copies the database, also while it is served.
func (p process) backup(ctx context.Context, c *backupCommand) error {
	return p.withStore(ctx, &c.storeOptions, func(store *sqlite.Store) error {
		err := store.Backup(ctx, c.File)
		if errors.Is(err, repo.ErrConflict) {
			return fmt.Errorf("%s exists: choose another name, or remove it", printable(c.File))
		}
		if err != nil {
			return err
		}
		info, err := os.Stat(c.File)
		if err != nil {
			return fmt.Errorf("look at the backup: %w", err)
		}
		_, err = fmt.Fprintf(p.stdout, "Wrote %s, %s. To restore it, stop decnet and put it in the place of the database.\n",
			printable(c.File), sizeText(info.Size()))
		return err
	})
}

// errFindings says that a check found something.
var errFindings = errors.New("the database is not as it should be")

// check looks at the whole database, also while it is served, and may mend it.
func (p process) check(ctx context.Context, c *checkCommand) error {
	if !c.Repair {
		return p.withStore(ctx, &c.storeOptions, func(store *sqlite.Store) error {
			report, err := store.Check(ctx)
			if err != nil {
				return err
			}
			return p.printReport(&report)
		})
	}
	path, err := c.databasePath()
	if err != nil {
		return err
	}
	return p.withLock(path, func() error {
		return p.withStore(ctx, &c.storeOptions, func(store *sqlite.Store) error { return p.repair(ctx, store) })
	})
}

// repair mends, and tells what was wrong and what still is.
func (p process) repair(ctx context.Context, store *sqlite.Store) error {
	before, err := store.Check(ctx)
	if err != nil {
		return err
	}
	if before.Total == 0 {
		return p.printReport(&before)
	}
	if err := p.printReport(&before); !errors.Is(err, errFindings) {
		return err
	}
	if err := store.Repair(ctx); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(p.stdout, "Repaired. Now:")
	after, err := store.Check(ctx)
	if err != nil {
		return err
	}
	return p.printReport(&after)
}

func (p process) printReport(r *repo.Report) error {
	for _, f := range r.Findings {
		hint := ""
		if f.Repairable {
			hint = " (decnet check --repair mends it)"
		}
		_, _ = fmt.Fprintf(p.stdout, "%s: %s%s\n", f.Kind, printable(f.Detail), hint)
	}
	if r.Total > int64(len(r.Findings)) {
		_, _ = fmt.Fprintf(p.stdout, "… and %d more.\n", r.Total-int64(len(r.Findings)))
	}
	if r.Total > 0 {
		return errFindings
	}
	_, err := fmt.Fprintf(p.stdout, "All is well; looked at %d events.\n", r.Events)
	return err
}

// withLock does what must not happen beside a running serve.
func (p process) withLock(path string, do func() error) (err error) {
	release, err := lockDatabase(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	return do()
}

// sizeText is a number of bytes for people.
func sizeText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d bytes", n)
	}
	value, power := float64(n)/unit, 0
	for value >= unit && power < 3 {
		value /= unit
		power++
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGT"[power])
}
