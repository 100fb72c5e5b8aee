package memcached

import (
	"slices"
	"strconv"
	"time"
)

// The bounds of what one session can store. What is over them pushes out what was
// used least, as memory that is full does.
const (
	maxKey    = 250 // the real one's
	maxValue  = 1 << 20
	maxItems  = 512
	maxStored = 2 << 20
)

// item is one value with what is known of it.
type item struct {
	key, value string
	flags      uint32
	cas        uint64
	expires    time.Time // zero means never
	used       time.Time
	fetched    bool
	encoded    bool // the key came in base 64
	stale, won bool // of the meta commands: who asked first is to bring a new value
}

// size is what the item takes on a real server, in bytes.
func (i *item) size() int {
	n := 48 + 8 + len(i.key) + 1 + len(i.value) + 2
	if i.flags != 0 {
		n += 4
	}
	return n
}

// store is what one session has. It is for one goroutine.
type store struct {
	now     func() time.Time
	items   map[string]*item
	order   []*item // as they were stored
	bytes   int     // of keys and values
	cas     uint64
	flushAt time.Time // zero means that none is due
	evicted int
}

func newStore(now func() time.Time, filled []*item) *store {
	s := &store{now: now, items: map[string]*item{}}
	for _, i := range filled {
		s.put(i)
	}
	return s
}

// get returns the item that is neither gone nor out of date, or nil.
func (s *store) get(key string) *item {
	s.expire()
	i := s.items[key]
	if i != nil && !i.expires.IsZero() && !i.expires.After(s.now()) {
		s.remove(i)
		return nil
	}
	return i
}

// fetch is get of one who reads.
func (s *store) fetch(key string) *item {
	i := s.get(key)
	if i != nil {
		i.fetched, i.used = true, s.now()
	}
	return i
}

// expire carries out a flush that was asked for ahead of time.
func (s *store) expire() {
	if !s.flushAt.IsZero() && !s.flushAt.After(s.now()) {
		s.clear()
	}
}

func (s *store) clear() {
	clear(s.items)
	s.order, s.bytes, s.flushAt = nil, 0, time.Time{}
}

// put stores an item in place of that of the same key.
func (s *store) put(i *item) {
	s.expire()
	if old := s.items[i.key]; old != nil {
		s.remove(old)
	}
	s.cas++
	i.cas = s.cas
	if i.used.IsZero() {
		i.used = s.now()
	}
	s.items[i.key] = i
	s.order = append(s.order, i)
	s.bytes += len(i.key) + len(i.value)
	for len(s.order) > maxItems || s.bytes > maxStored {
		s.remove(s.order[0])
		s.evicted++
	}
}

// change gives an item another value, where it stays otherwise as it is.
func (s *store) change(i *item, value string) {
	s.bytes += len(value) - len(i.value)
	s.cas++
	i.value, i.cas = value, s.cas
	i.used = s.now()
}

func (s *store) remove(i *item) {
	delete(s.items, i.key)
	s.order = slices.DeleteFunc(s.order, func(other *item) bool { return other == i })
	s.bytes -= len(i.key) + len(i.value)
}

// all returns what is there, in the order in which it was stored.
func (s *store) all() []*item {
	s.expire()
	now := s.now()
	for _, i := range slices.Clone(s.order) {
		if !i.expires.IsZero() && !i.expires.After(now) {
			s.remove(i)
		}
	}
	return s.order
}

// until reads an expiry as the protocol has it: 0 is never, a negative one past,
// up to 30 days counts from now, and more is a date.
func (s *store) until(seconds int64) time.Time {
	const month = 30 * 24 * 3600
	switch {
	case seconds == 0:
		return time.Time{}
	case seconds < 0:
		return s.now()
	case seconds <= month:
		return s.now().Add(time.Duration(seconds) * time.Second)
	}
	return time.Unix(seconds, 0)
}

// outcome is what became of a request to store.
type outcome int

const (
	done outcome = iota
	notStored
	exists
	notFound
)

// verb is how something is to be stored.
type verb int

const (
	verbSet verb = iota
	verbAdd
	verbReplace
	verbAppend
	verbPrepend
)

// keep stores an item, unless cas is not 0 and the one that is there has another.
func (s *store) keep(how verb, i *item, cas uint64) outcome {
	old := s.get(i.key)
	switch {
	case old == nil && cas != 0:
		return notFound
	case old != nil && cas != 0 && old.cas != cas:
		return exists
	case old != nil && how == verbAdd, old == nil && how != verbAdd && how != verbSet:
		return notStored
	}
	switch how {
	case verbAppend, verbPrepend:
		value := old.value + i.value
		if how == verbPrepend {
			value = i.value + old.value
		}
		if len(value) > maxValue {
			return notStored
		}
		i.value, i.flags, i.expires = value, old.flags, old.expires
	default:
	}
	s.put(i)
	return done
}

// add counts an item up or down. It reports false for what is no number.
func (s *store) add(i *item, delta uint64, down bool) (uint64, bool) {
	n, ok := leadingNumber(i.value)
	if !ok {
		return 0, false
	}
	switch {
	case !down:
		n += delta
	case delta > n:
		n = 0
	default:
		n -= delta
	}
	text := strconv.FormatUint(n, 10)
	for len(text) < len(i.value) { // it is written over the old one
		text += " "
	}
	s.change(i, text)
	return n, true
}

// leadingNumber reads a number behind which there may be spaces.
func leadingNumber(v string) (uint64, bool) {
	if len(v) > 20 {
		return 0, false
	}
	for len(v) > 1 && v[len(v)-1] == ' ' {
		v = v[:len(v)-1]
	}
	n, err := strconv.ParseUint(v, 10, 64)
	return n, err == nil
}

func number[T ~int | ~int64](n T) string { return strconv.FormatInt(int64(n), 10) }
