package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"decnet/auth"
)

const secretFileName = "jwt-secret"

// makeDataDir makes the directory for the owner alone. One that exists is left
// as it is, since the operator may have reasons, but a looser mode is said.
func makeDataDir(dir string, log *slog.Logger) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the data directory: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("data directory: %s is not a directory", dir)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		log.Warn("other users of this machine can look into the data directory; chmod 700 it",
			slog.String("dir", dir), slog.String("mode", mode.String()))
	}
	return nil
}

// signingSecret returns the configured key, which was validated, or the one kept in the data
// directory, which it makes when there is none.
func signingSecret(c *config, log *slog.Logger) ([]byte, error) {
	if c.JWTSecret != "" {
		return []byte(c.JWTSecret), nil
	}
	path := filepath.Join(c.DataDir, secretFileName)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeSecret(path, log)
	}
	if err != nil {
		return nil, fmt.Errorf("signing secret: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("signing secret: other users of this machine could read %s (mode %s): delete it, and a new one is made; all users must then log in again", path, mode)
	}
	text, err := readSecretFile(path)
	if err != nil {
		return nil, fmt.Errorf("signing secret: %w", err)
	}
	if err := auth.CheckSecret([]byte(text)); err != nil {
		return nil, fmt.Errorf("signing secret in %s: %w", path, err)
	}
	return []byte(text), nil
}

// makeSecret writes a new key so that the file is whole or not there at all.
func makeSecret(path string, log *slog.Logger) (secret []byte, err error) {
	text := auth.NewSecret()
	f, err := os.CreateTemp(filepath.Dir(path), secretFileName+"-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("keep the signing secret: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("keep the signing secret: %w", err)
		}
	}()
	_, err = f.WriteString(text + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return nil, err
	}
	log.Info("made a signing secret", slog.String("file", path))
	return []byte(text), nil
}
