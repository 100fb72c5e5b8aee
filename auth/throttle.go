package auth

import (
	"crypto/sha256"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// The limits of failed logins. One user from one address may fail five times at
// once, then once in 30 s. One address may fail fifty times at once over all
// users, then once in 5 s. There is deliberately no limit over all addresses
// for a user: it would let a stranger lock the administrator out, and the
// password gate bounds how fast anyone can guess.
const (
	pairBurst, pairEvery       = 5, 30 * time.Second
	addressBurst, addressEvery = 50, 5 * time.Second
)

// throttleEntries bounds the memory of a throttle; the least recently used
// entries are forgotten.
const throttleEntries = 1 << 16

// maxThrottleUser bounds the part of a user name that is kept as it is, in bytes.
const maxThrottleUser = 64

// Throttle slows down the guessing of passwords. An attempt is paid for when it
// begins, so that many at once can't slip through, and paid back when it succeeds.
type Throttle struct {
	now     func() time.Time
	mu      sync.Mutex
	buckets *lru.Cache[string, bucket]
}

// bucket is a token bucket: level tokens at the time at.
type bucket struct {
	level float64
	at    time.Time
}

// NewThrottle returns a throttle; now tells the time, nil means [time.Now].
func NewThrottle(now func() time.Time) (*Throttle, error) {
	if now == nil {
		now = time.Now
	}
	buckets, err := lru.New[string, bucket](throttleEntries)
	if err != nil {
		return nil, fmt.Errorf("memory of failed logins: %w", err)
	}
	return &Throttle{now: now, buckets: buckets}, nil
}

// Begin asks to try a password for a user from an address. When it is refused,
// wait says how long it will be, rounded up to whole seconds. An attempt that
// was allowed and succeeded is reported to Succeed.
func (t *Throttle) Begin(user string, addr netip.Addr) (wait time.Duration, ok bool) {
	pair, address := throttleKeys(user, addr)
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.fill(pair, pairBurst, pairEvery, now)
	a := t.fill(address, addressBurst, addressEvery, now)
	if wait = max(p.wait(pairEvery), a.wait(addressEvery)); wait > 0 {
		return time.Duration(math.Ceil(wait.Seconds())) * time.Second, false
	}
	p.level--
	a.level--
	t.buckets.Add(pair, p)
	t.buckets.Add(address, a)
	return 0, true
}

// Succeed pays an attempt back.
func (t *Throttle) Succeed(user string, addr netip.Addr) {
	pair, address := throttleKeys(user, addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, burst := range map[string]float64{pair: pairBurst, address: addressBurst} {
		if b, ok := t.buckets.Get(key); ok {
			b.level = min(burst, b.level+1)
			t.buckets.Add(key, b)
		}
	}
}

// fill returns the bucket of a key as it stands now.
func (t *Throttle) fill(key string, burst float64, every time.Duration, now time.Time) bucket {
	b, ok := t.buckets.Get(key)
	if !ok {
		return bucket{level: burst, at: now}
	}
	if d := now.Sub(b.at); d > 0 {
		b.level = min(burst, b.level+d.Seconds()/every.Seconds())
	}
	b.at = now
	return b
}

// wait returns how long it takes until the bucket holds a token.
func (b bucket) wait(every time.Duration) time.Duration {
	if b.level >= 1 {
		return 0
	}
	return time.Duration((1 - b.level) * float64(every))
}

// throttleKeys names the two buckets. An IPv6 host owns a whole /64 as a rule.
func throttleKeys(user string, addr netip.Addr) (pair, address string) {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			addr = p.Addr()
		}
	}
	address = addr.String()
	if len(user) > maxThrottleUser { // anything can be typed; the key stays small
		sum := sha256.Sum256([]byte(user))
		user = string(sum[:])
	}
	return address + "\x00" + user, address
}
