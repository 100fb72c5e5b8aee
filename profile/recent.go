package profile

import "slices"

// recent keeps the latest values by time, oldest first; equal times stay in the
// order of arrival. It is bounded both in values and in bytes.
type recent[T any] struct {
	items []dated[T]
	bytes int
}

type dated[T any] struct {
	at    int64
	size  int
	value T
}

// outdated reports whether a full list has no room for a value of time t.
func (r *recent[T]) outdated(t int64, maxItems int) bool {
	return len(r.items) >= maxItems && t < r.items[0].at
}

// add puts a value of the given size in its place and drops the oldest values
// that are too many.
func (r *recent[T]) add(t int64, v T, size, maxItems, maxBytes int) {
	if r.outdated(t, maxItems) {
		return
	}
	i := len(r.items)
	for i > 0 && r.items[i-1].at > t {
		i--
	}
	r.items = slices.Insert(r.items, i, dated[T]{at: t, size: size, value: v})
	r.bytes += size
	r.trim(maxItems, maxBytes)
}

func (r *recent[T]) trim(maxItems, maxBytes int) {
	drop := 0
	for len(r.items)-drop > maxItems || r.bytes > maxBytes {
		r.bytes -= r.items[drop].size
		drop++
	}
	r.items = slices.Delete(r.items, 0, drop)
}
