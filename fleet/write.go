package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces the state file as a whole: any reader, also after a crash, sees
// either the old state or the new one. A new file can be read by its owner only;
// an existing one keeps its permissions, and a symbolic link its target. The
// directory must exist.
func (f *StateFile) Write(ctx context.Context, s State) error {
	b, err := formatState(s, f.limit)
	if err != nil {
		return fmt.Errorf("the state cannot be written: %w", err)
	}
	if err := acquire(ctx, f.writing); err != nil {
		return fmt.Errorf("the state file %s was not written: %w", f.path, err)
	}
	defer release(f.writing)
	path, mode := f.path, fs.FileMode(0o600)
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if err := replace(path, b, mode); err != nil {
		return fmt.Errorf("the state file %s was not written: %w", f.path, err)
	}
	return nil
}

// formatState writes a state as the tools that share the file do.
func formatState(s State, limit int64) ([]byte, error) {
	s.Config.Deckies = normal(s.Config.Deckies)
	if s.Config.Mode == "" {
		s.Config.Mode = defaultMode
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		return nil, err
	}
	if int64(b.Len()) > limit {
		return nil, tooLarge(limit)
	}
	return b.Bytes(), nil
}

// replace writes a file beside the old one, makes it durable and then gives it
// the old one's name.
func replace(path string, b []byte, mode fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tmp.Close() // closed twice where Close itself failed
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(b); err != nil {
		return err
	}
	if err = tmp.Chmod(mode); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	syncDir(dir)
	return nil
}

// syncDir makes a rename durable where directories can be synced. The file is in
// its place already, so a failure is not one of the write.
func syncDir(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	_ = d.Sync()
	_ = d.Close()
}
