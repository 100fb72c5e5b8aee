package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/semaphore"
)

// DefaultCost is the bcrypt cost of the service: about 0.3 s of one core.
const DefaultCost = 12

// minCost is the least cost outside of tests (OWASP Password Storage Cheat Sheet).
const minCost = 10

// bcryptBytes is all that bcrypt reads of a password.
const bcryptBytes = 72

// maxWaiting bounds how many callers wait for the gate: beyond it a login would
// wait longer than any client does.
const maxWaiting = 64

// The memory of just verified passwords: how many, and for how long.
const (
	rememberedPasswords = 1024
	rememberFor         = time.Minute
)

// ErrBusy says that too many passwords are being checked at the moment.
var ErrBusy = errors.New("too many passwords are being checked")

// Passwords hashes and checks passwords with bcrypt. At most half of the cores
// (at least one) do so at a time, so that a storm of logins doesn't starve the
// rest of the service.
//
// A password that was just verified is remembered for a minute, as a keyed hash
// over the stored hash and the password: a change of the password changes the
// stored hash, and with it forgets the memory. Failures are never remembered.
type Passwords struct {
	cost     int
	now      func() time.Time
	gate     *semaphore.Weighted
	waiting  atomic.Int64
	key      [32]byte
	verified *lru.Cache[[sha256.Size]byte, time.Time]
	unknown  string
}

// NewPasswords returns a checker that hashes at the cost; now tells the time,
// nil means [time.Now]. A cost below 10 is refused everywhere but in a test binary.
func NewPasswords(cost int, now func() time.Time) (*Passwords, error) {
	if cost < minCost && !testing.Testing() {
		return nil, fmt.Errorf("bcrypt cost %d is below %d", cost, minCost)
	}
	if cost < bcrypt.MinCost || cost > bcrypt.MaxCost {
		return nil, fmt.Errorf("bcrypt cost %d is not between %d and %d", cost, bcrypt.MinCost, bcrypt.MaxCost)
	}
	if now == nil {
		now = time.Now
	}
	verified, err := lru.New[[sha256.Size]byte, time.Time](rememberedPasswords)
	if err != nil {
		return nil, fmt.Errorf("memory of verified passwords: %w", err)
	}
	p := &Passwords{
		cost:     cost,
		now:      now,
		gate:     semaphore.NewWeighted(int64(max(1, runtime.GOMAXPROCS(0)/2))),
		verified: verified,
		unknown:  unknownHash(cost),
	}
	_, _ = rand.Read(p.key[:]) // never fails: crypto/rand ends the program instead
	return p, nil
}

// Hash returns the bcrypt hash of a password of any length. It waits for the
// gate, and returns [ErrBusy] or the context's error when it does not get in.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	h, err := bcrypt.GenerateFromPassword(material(password), p.cost)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return string(h), nil
}

// Verify reports whether the password belongs to the hash. It waits for the
// gate, and returns [ErrBusy] or the context's error when it does not get in; a
// damaged hash is an error too.
func (p *Passwords) Verify(ctx context.Context, hash, password string) (bool, error) {
	id := p.memoryKey(hash, password)
	if p.remembers(id) {
		return true, nil
	}
	leave, err := p.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	// One who was let in before may have had the same password, as when a dashboard
	// and its scripts log in at the same time.
	if p.remembers(id) {
		return true, nil
	}
	err = bcrypt.CompareHashAndPassword([]byte(hash), material(password))
	switch {
	case err == nil:
		p.verified.Add(id, p.now().Add(rememberFor))
		return true, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	default:
		return false, fmt.Errorf("compare with a stored hash: %w", err)
	}
}

func (p *Passwords) remembers(id [sha256.Size]byte) bool {
	until, ok := p.verified.Get(id)
	return ok && p.now().Before(until)
}

// VerifyUnknown costs what Verify costs and is always false: it answers for a
// user who does not exist, so that the time doesn't tell.
func (p *Passwords) VerifyUnknown(ctx context.Context, password string) (bool, error) {
	_, err := p.Verify(ctx, p.unknown, password)
	return false, err
}

// enter waits for a place at the gate.
func (p *Passwords) enter(ctx context.Context) (leave func(), err error) {
	if p.waiting.Add(1) > maxWaiting {
		p.waiting.Add(-1)
		return nil, ErrBusy
	}
	defer p.waiting.Add(-1)
	if err := p.gate.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("wait for the password gate: %w", err)
	}
	return func() { p.gate.Release(1) }, nil
}

func (p *Passwords) memoryKey(hash, password string) (id [sha256.Size]byte) {
	m := hmac.New(sha256.New, p.key[:])
	// The stored hash has a fixed length and no NUL, so the pair is unambiguous.
	m.Write([]byte(hash))
	m.Write([]byte{0})
	m.Write([]byte(password))
	m.Sum(id[:0])
	return id
}

// material is what bcrypt is given: the password itself, as in any other
// system, unless it is longer than bcrypt reads (72 characters can be 288
// bytes); then a hash of it, so that every byte counts.
func material(password string) []byte {
	if len(password) <= bcryptBytes {
		return []byte(password)
	}
	sum := sha256.Sum256([]byte(password))
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}

// unknownHash is a well-formed hash at the cost that no password is known for.
// Making it up costs nothing at start-up; comparing with it costs the same.
func unknownHash(cost int) string {
	const radix64 = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b [52]byte
	_, _ = rand.Read(b[:])
	var s strings.Builder
	fmt.Fprintf(&s, "$2a$%02d$", cost)
	for i, c := range b {
		// The last character of the 22 of the salt holds only two bits.
		if i == 21 {
			s.WriteByte(radix64[c>>6<<4])
			continue
		}
		s.WriteByte(radix64[c&63])
	}
	s.WriteByte('O') // the last character of the 31 of the hash: four bits
	return s.String()
}
