package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// StateFile reads and writes a state file that other processes read and write
// as well, carefully or not. It is safe for concurrent use.
type StateFile struct {
	path string
	// reading guards seen, writing the file against other writers of this process.
	// They are channels, so that whoever waits can give up.
	reading, writing chan struct{}
	seen             snapshot
	// settle is settleTime and limit MaxStateSize, except in tests.
	settle time.Duration
	limit  int64
}

// snapshot is what the last read found.
type snapshot struct {
	good State // the last state that could be read
	// err says why the file could not be read; nil means that it is good.
	err error
	// file identifies what was read; nil means that the file must be read again.
	file os.FileInfo
}

// NewStateFile returns the state file of this name. It does not touch it.
func NewStateFile(path string) *StateFile {
	return &StateFile{
		path: path, reading: make(chan struct{}, 1), writing: make(chan struct{}, 1),
		settle: settleTime, limit: MaxStateSize,
	}
}

// Deckies returns the fleet in the order of the file; never nil. No file means
// no fleet. When the file is broken it returns the last good fleet, empty if
// there was none, together with an error whose text is a sentence for an
// operator; the first read after the file was mended returns it without error.
// The caller must not change what the deckies point to.
func (f *StateFile) Deckies(ctx context.Context) ([]Decky, error) {
	s, err := f.Load(ctx)
	return s.Config.Deckies, err
}

// Load returns all that [StateFile.Deckies] returns a part of.
func (f *StateFile) Load(ctx context.Context) (State, error) {
	if err := acquire(ctx, f.reading); err != nil {
		return State{Config: Config{Deckies: []Decky{}}}, fmt.Errorf("the state file %s was not read: %w", f.path, err)
	}
	defer release(f.reading)
	f.refresh()
	s := f.seen.good
	s.Config.Deckies = append([]Decky{}, s.Config.Deckies...)
	if f.seen.err != nil {
		return s, fmt.Errorf("the state file %s cannot be used: %w", f.path, f.seen.err)
	}
	return s, nil
}

// refresh reads the file again unless it is certainly the one that was read last.
func (f *StateFile) refresh() {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.seen = snapshot{}
		return
	}
	if err == nil && f.seen.file != nil && sameFile(info, f.seen.file) {
		return
	}
	state, file, err := f.read()
	switch {
	case errors.Is(err, fs.ErrNotExist): // removed a moment ago
		f.seen = snapshot{}
	case err != nil:
		f.seen.err, f.seen.file = err, file
	default:
		f.seen = snapshot{good: state, file: file}
	}
}

// read returns the state and what identifies the file that it is from. That is
// nil when the file may change again without looking different: when it changed
// while it was read, or so lately that the clock of the file system may not
// have ticked since.
func (f *StateFile) read() (State, os.FileInfo, error) {
	began := time.Now()
	// Without O_NONBLOCK, opening a named pipe would wait for its writer.
	file, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return State{}, nil, plain(err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	before, err := file.Stat()
	if err != nil {
		return State{}, nil, plain(err)
	}
	if before.IsDir() {
		return State{}, nil, errors.New("it is a directory")
	}
	if !before.Mode().IsRegular() {
		return State{}, nil, errors.New("it is not a regular file")
	}
	b, err := io.ReadAll(io.LimitReader(file, f.limit+1))
	if err != nil {
		return State{}, nil, plain(err)
	}
	after, err := file.Stat()
	if err != nil {
		return State{}, nil, plain(err)
	}
	if !sameFile(before, after) || began.Sub(lastChange(after)) < f.settle {
		after = nil
	}
	if int64(len(b)) > f.limit {
		return State{}, after, tooLarge(f.limit)
	}
	s, err := parseState(b)
	return s, after, err
}

func tooLarge(limit int64) error { return fmt.Errorf("it is larger than %d bytes", limit) }

// settleTime is how long a file must have been left alone until an unchanged
// time of modification proves that it is unchanged. Some file systems count in
// steps of two seconds. It is measured on the machine's own clock because that
// stamps the files.
const settleTime = 3 * time.Second

// sameFile reports whether a file is the same one with the same content, as far
// as its metadata tell.
func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) &&
		changeTime(a) == changeTime(b)
}

// lastChange is the latest time that the metadata tell of.
func lastChange(info os.FileInfo) time.Time {
	if changed := time.Unix(0, changeTime(info)); changed.After(info.ModTime()) {
		return changed
	}
	return info.ModTime()
}

// plain takes the path out of an error: the sentence around it has it already.
func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// acquire takes a lock unless the context ends first.
func acquire(ctx context.Context, lock chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func release(lock chan struct{}) { <-lock }
