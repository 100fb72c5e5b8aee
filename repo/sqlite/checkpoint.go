package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
)

// checkpointer moves the write-ahead log into the database beside the writer, since
// most of that is waiting for the disk. It has a connection of its own, and takes no
// lock that the writer or a reader needs (PASSIVE).
//
// While batches keep coming there is always some of the log that is not moved yet, and
// so it can never begin anew. So when the most of it was moved, the writer moves the
// rest itself, between two batches, which is little by then.
type checkpointer struct {
	db    *sql.DB
	pages int64
	// mu is held while commits look after the log, one after another.
	mu      sync.Mutex
	running sync.WaitGroup
	stop    context.CancelFunc
	ctx     context.Context
	busy    atomic.Bool
	// moved says that the writer may move the rest.
	moved atomic.Bool
}

func newCheckpointer(db *sql.DB, pages int) *checkpointer {
	c := &checkpointer{db: db, pages: int64(pages)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// start moves the log in the background, unless that is being done.
func (c *checkpointer) start(log *slog.Logger) {
	if !c.busy.CompareAndSwap(false, true) {
		return
	}
	c.running.Go(func() {
		defer c.busy.Store(false)
		if err := moveLog(c.ctx, c.db); err != nil {
			if c.ctx.Err() == nil {
				log.Warn("the write-ahead log could not be moved", slog.Any("error", err))
			}
			return
		}
		c.moved.Store(true)
	})
}

// close waits for what was started.
func (c *checkpointer) close() error {
	c.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running.Wait()
	return c.db.Close()
}

// moveLog moves as much of the log as can be without waiting for anybody.
func moveLog(ctx context.Context, db *sql.DB) error {
	var busy bool
	var frames, moved int64
	return db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &moved)
}

// walPages returns how many pages of the write-ahead log are in use, those that were
// moved included, until it begins anew. It stands in the head of the log's index,
// whose form is part of SQLite's file format
// (https://www.sqlite.org/walformat.html, mxFrame).
func (s *Store) walPages() (int64, error) {
	f, err := os.Open(s.path + "-shm")
	if err != nil {
		return 0, fmt.Errorf("the write-ahead log's index: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	var head [20]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return 0, fmt.Errorf("the write-ahead log's index: %w", err)
	}
	return int64(binary.NativeEndian.Uint32(head[16:])), nil
}

// moveWAL keeps the write-ahead log short, after a commit.
func (s *Store) moveWAL(ctx context.Context) {
	if s.checkpoints == nil {
		return
	}
	s.checkpoints.mu.Lock()
	defer s.checkpoints.mu.Unlock()
	size, err := s.walSize()
	switch {
	case err == nil && size >= s.walLimit.Load():
		s.checkpoints.running.Wait()
		s.boundWAL(ctx)
	case s.checkpoints.moved.Swap(false):
		if err := moveLog(ctx, s.write); err != nil {
			s.log.WarnContext(ctx, "the rest of the write-ahead log could not be moved", slog.Any("error", err))
		}
	default:
		if pages, err := s.walPages(); err == nil && pages >= s.checkpoints.pages {
			s.checkpoints.start(s.log)
		}
	}
}
