//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDatabase makes this process the one that serves a database: events are
// read once, and positions in log files kept by one reader. The lock is the
// kernel's, on a file of its own beside the database; it ends with the process
// however that ends, so the file that stays behind means nothing. Commands that
// manage users don't take it.
func lockDatabase(path string) (release func() error, err error) {
	name := path + ".lock"
	f, err := os.OpenFile(filepath.Clean(name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another decnet serves the database %s: stop it first, or give this one its own --data-dir (DECNET_DATA_DIR)", path)
		}
		return nil, fmt.Errorf("lock the database with %s: %w", name, err)
	}
	return f.Close, nil
}
