package decoy

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"decnet/decoy/trap"
)

// rotateAt is the size from which on a journal that is ingested whole makes room
// for a new one, in bytes.
const rotateAt = 32 << 20

// Journal is the file of events, one JSON object a line in the form of DECNET's
// collector, that the ingester follows. A line is in the file, though not
// necessarily on the disk, when Record returns. Its methods are safe for
// concurrent use.
type Journal struct {
	path string
	log  *slog.Logger
	// ingested returns how many bytes of the file are committed.
	ingested func() int64
	rotateAt int64
	// onLogin is told of attempts to log in.
	onLogin func(decky string, at time.Time)

	mu   sync.Mutex
	file *os.File
	size int64
	line []byte
	// torn says that the last write left the begin of a line.
	torn bool
	// lost counts events that could not be written, told is when that was logged.
	lost    int64
	told    time.Time
	checked time.Time
}

// openJournal appends to the file, which it makes with mode 0600.
func openJournal(path string, o *Options) (*Journal, error) {
	j := &Journal{
		path: path, log: o.Log, ingested: o.Ingested, rotateAt: rotateAt, onLogin: o.OnLogin,
	}
	return j, j.open()
}

func (j *Journal) open() error {
	f, err := os.OpenFile(j.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("the journal of the decoys: %w", err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return errors.Join(fmt.Errorf("the journal of the decoys: %w", err), f.Close())
	}
	last := []byte{'\n'}
	if size > 0 {
		if _, err := f.ReadAt(last, size-1); err != nil {
			return errors.Join(fmt.Errorf("the journal of the decoys: %w", err), f.Close())
		}
	}
	j.file, j.size, j.torn = f, size, last[0] != '\n'
	return nil
}

// Close closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.file.Close(); err != nil {
		return fmt.Errorf("close the journal of the decoys: %w", err)
	}
	return nil
}

// Lost returns how many events could not be written since the start, as when
// the disk is full.
func (j *Journal) Lost() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lost
}

// Record implements [trap.Recorder].
func (j *Journal) Record(e trap.Event) {
	if isLogin(e.Fields) && j.onLogin != nil {
		j.onLogin(e.Decky, e.Time)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.line = j.line[:0]
	if j.torn {
		j.line = append(j.line, '\n') // the torn line is a reject of its own
	}
	j.line = appendLine(j.line, &e)
	n, err := j.file.Write(j.line)
	j.size += int64(n)
	if n > 0 {
		j.torn = err != nil
	}
	if cap(j.line) > 1<<20 {
		j.line = nil
	}
	if err != nil {
		j.lost++
		if time.Since(j.told) > time.Minute {
			j.told = time.Now()
			j.log.Error("events of the decoys cannot be written and are lost",
				slog.Int64("lost", j.lost), slog.Any("error", err))
		}
		return
	}
	if j.size >= j.rotateAt {
		j.rotate()
	}
}

// isLogin reports whether somebody tried a password or something like it.
func isLogin(fields []trap.Field) bool {
	for _, f := range fields {
		switch f.Key {
		case "password", "pw_hash", "response", "username":
			return true
		}
	}
	return false
}

// rotate begins a new file if all of this one is committed, and keeps this one
// beside it until the next time. The caller holds mu, so nothing can come
// between the look and the deed.
func (j *Journal) rotate() {
	if j.ingested == nil || time.Since(j.checked) < time.Second {
		return
	}
	j.checked = time.Now()
	if j.ingested() != j.size {
		return
	}
	old := j.file
	if err := os.Rename(j.path, j.path+".1"); err != nil {
		j.log.Warn("the journal of the decoys cannot be rotated", slog.Any("error", err))
		return
	}
	if err := j.open(); err != nil {
		// The old file goes on under its new name, which the ingester follows, too.
		j.log.Warn("the journal of the decoys cannot be rotated", slog.Any("error", err))
		return
	}
	_ = old.Close() // all of it was read back by the ingester
}

// appendLine appends the event as a line.
func appendLine(b []byte, e *trap.Event) []byte {
	b = append(b, `{"timestamp":"`...)
	b = e.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z07:00")
	b = append(b, `","decky":`...)
	b = appendQuoted(b, e.Decky)
	b = append(b, `,"service":`...)
	b = appendQuoted(b, e.Service)
	b = append(b, `,"event_type":`...)
	b = appendQuoted(b, e.Type)
	b = append(b, `,"attacker_ip":"`...)
	b = e.Attacker.Unmap().WithZone("").AppendTo(b)
	b = append(b, `","fields":{`...)
	for i, f := range e.Fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, f.Key)
		b = append(b, ':')
		b = appendQuoted(b, f.Value)
	}
	b = append(b, '}')
	if e.Msg != "" {
		b = append(b, `,"msg":`...)
		b = appendQuoted(b, e.Msg)
	}
	return append(b, '}', '\n')
}

// appendQuoted appends a JSON string. Bytes that are no UTF-8 stay as they are:
// the ingester keeps such a line whole, where encoding/json would have replaced
// what the attacker sent.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			_, n := utf8.DecodeRuneInString(s[i:])
			b = append(b, s[i:i+n]...)
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}
