package fleet

import (
	"math/rand/v2"
	"os"
	"time"
)

// Cached reports whether the next read may be spared while the file looks
// unchanged.
func (f *StateFile) Cached() bool { return f.seen.file != nil }

// Settle sets how long a file must have been left alone for that.
func (f *StateFile) Settle(d time.Duration) { f.settle = d }

// Limit sets how large a file may be, in bytes.
func (f *StateFile) Limit(bytes int64) { f.limit = bytes }

// SameFile reports whether two looks at a file see the same content.
func SameFile(a, b os.FileInfo) bool { return sameFile(a, b) }

// Mutated chooses other services for a decky.
func Mutated(random *rand.Rand, d *Decky, runnable []string) ([]string, bool) {
	return mutated(random, d, runnable)
}

// Sections returns what the INI reader takes from a text: the values by section
// and key, nil where one cannot be expanded; ok is false for a refused text.
func Sections(text string, strict bool) (sections map[string]map[string]*string, ok bool) {
	d, err := parseDocument(text, strict)
	if err != nil {
		return nil, false
	}
	sections = map[string]map[string]*string{}
	for _, s := range d.sections {
		values := map[string]*string{}
		for _, key := range d.keys(s) {
			values[key] = nil
			if v, err := d.value(s, key); err == nil {
				values[key] = &v
			}
		}
		sections[s.name] = values
	}
	return sections, true
}
