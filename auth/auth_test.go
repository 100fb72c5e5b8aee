package auth_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"decnet/auth"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 4, 17, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func TestCheckSecret_WeakOnesAreRefusedWithoutBeingTold(t *testing.T) {
	t.Parallel()
	for _, weak := range []string{
		"", "short", strings.Repeat("x", 31), strings.Repeat("a", 64), strings.Repeat("ab12cd34", 8),
		"changeme-changeme-changeme-changeme", "your-secret-key-change-this-in-production",
		"fallback-secret-key-change-me-please", "supersecretkeyyoushouldchangeme!", "DECNET_JWT_SECRET_decnet_jwt_secret",
		"s_e_c_r_e_t-p_a_s_s_w_o_r_d-a_d_m_i_n", strings.Repeat("q7Zx9-Lm2Kp4Wv8R", 2), "kT9xQ2mVw7RzLp4" + strings.Repeat("-", 20),
		"01234567890123456789012345678901", "abcdefghijklmnopqrstuvwxyz0123456789", "password-password-password-12345",
	} {
		err := auth.CheckSecret([]byte(weak))
		require.ErrorIs(t, err, auth.ErrWeakSecret, weak)
		if weak != "" {
			assert.NotContains(t, err.Error(), weak)
		}
	}
}

func TestCheckSecret_RandomOnesPass(t *testing.T) {
	t.Parallel()
	for range 1000 {
		require.NoError(t, auth.CheckSecret([]byte(auth.NewSecret())))
		var b [16]byte
		_, _ = rand.Read(b[:])
		require.NoError(t, auth.CheckSecret([]byte(hex.EncodeToString(b[:]))))
	}
	require.NoError(t, auth.CheckSecret([]byte("hgfedcbaabcdefghhfdbgecaacegbdfh")), "eight characters are enough")
	require.NoError(t, auth.CheckSecret([]byte("secret-secret-secret-kT9xQ2mVw7RzLp4s")), "and sixteen beside the phrases")
	require.NoError(t, auth.CheckSecret([]byte("пароль-из-тридцати-двух-символов")), "characters are counted, not bytes")
}

func newTokens(t *testing.T, c *clock) *auth.Tokens {
	t.Helper()
	tokens, err := auth.NewTokens([]byte(auth.NewSecret()), c.now)
	require.NoError(t, err)
	return tokens
}

func TestTokens_RoundTrip(t *testing.T) {
	t.Parallel()
	c := newClock()
	tokens := newTokens(t, c)
	token, err := tokens.Issue("6f1a", 7)
	require.NoError(t, err)
	for range 2 { // verified, then remembered
		claims, err := tokens.Verify(token)
		require.NoError(t, err)
		assert.Equal(t, "6f1a", claims.UserUUID)
		assert.EqualValues(t, 7, claims.Version)
		assert.True(t, claims.IssuedAt.Equal(c.now()))
		assert.True(t, claims.Expires.Equal(c.now().Add(24*time.Hour)))
	}
}

func TestTokens_ARememberedTokenExpiresToo(t *testing.T) {
	t.Parallel()
	c := newClock()
	tokens := newTokens(t, c)
	token, err := tokens.Issue("6f1a", 0)
	require.NoError(t, err)
	_, err = tokens.Verify(token)
	require.NoError(t, err)
	c.advance(auth.TokenLifetime)
	_, err = tokens.Verify(token)
	require.ErrorIs(t, err, auth.ErrToken)
}

func TestTokens_EveryChangedCharacterIsNoticed(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, newClock())
	token, err := tokens.Issue("6f1a2b3c-0000-4000-8000-000000000000", 3)
	require.NoError(t, err)
	for i := range len(token) {
		for _, r := range []byte{'A', 'Q', '_', '.'} {
			changed := token[:i] + string(r) + token[i+1:]
			if changed == token {
				continue
			}
			_, err := tokens.Verify(changed)
			require.ErrorIs(t, err, auth.ErrToken, "character %d", i)
		}
	}
}

func TestTokens_HaveOneSpelling(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t, newClock())
	token, err := tokens.Issue("6f1a", 0)
	require.NoError(t, err)
	for i := range len(token) + 1 {
		for _, end := range []string{"\n", "\r", " ", "="} {
			_, err := tokens.Verify(token[:i] + end + token[i:])
			require.ErrorIs(t, err, auth.ErrToken, "%q at %d", end, i)
		}
	}
}

func TestTokens_ForeignOnesAreRefused(t *testing.T) {
	t.Parallel()
	c := newClock()
	ours, theirs := newTokens(t, c), newTokens(t, c)
	foreign, err := theirs.Issue("6f1a", 0)
	require.NoError(t, err)
	future := newClock()
	future.advance(time.Hour)
	tokens, err := auth.NewTokens([]byte(auth.NewSecret()), c.now)
	require.NoError(t, err)
	for _, token := range []string{"", "a", "a.b.c", foreign, strings.Repeat("a", 1<<20)} {
		_, err := ours.Verify(token)
		require.ErrorIs(t, err, auth.ErrToken)
		_, err = tokens.Verify(token)
		require.ErrorIs(t, err, auth.ErrToken)
	}
	_, err = auth.NewTokens([]byte("weak"), nil)
	require.ErrorIs(t, err, auth.ErrWeakSecret)
}

func newPasswords(t *testing.T, c *clock) *auth.Passwords {
	t.Helper()
	p, err := auth.NewPasswords(bcrypt.MinCost, c.now)
	require.NoError(t, err)
	return p
}

func TestPasswords_HashAndVerify(t *testing.T) {
	t.Parallel()
	p := newPasswords(t, newClock())
	for _, password := range []string{"", "secret", "pass\x00word", strings.Repeat("x", 72), strings.Repeat("é", 72), strings.Repeat("y", 5000)} {
		hash, err := p.Hash(t.Context(), password)
		require.NoError(t, err)
		for range 2 { // verified, then remembered
			ok, err := p.Verify(t.Context(), hash, password)
			require.NoError(t, err)
			assert.True(t, ok)
		}
		ok, err := p.Verify(t.Context(), hash, password+"!")
		require.NoError(t, err)
		assert.False(t, ok, "length %d", len(password))
	}
	_, err := p.Verify(t.Context(), "not a hash", "x")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "not a hash")
}

// TestPasswords_OfOtherSystemsAreKnown, as long as bcrypt reads them whole: their
// hashes can be taken over.
func TestPasswords_OfOtherSystemsAreKnown(t *testing.T) {
	t.Parallel()
	p, err := auth.NewPasswords(bcrypt.MinCost, nil)
	require.NoError(t, err)
	for _, n := range []int{1, 71, 72} {
		password := strings.Repeat("p", n)
		foreign, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		require.NoError(t, err)
		for range 2 {
			ok, err := p.Verify(t.Context(), string(foreign), password)
			require.NoError(t, err)
			assert.True(t, ok, "%d bytes", n)
		}
		ours, err := p.Hash(t.Context(), password)
		require.NoError(t, err)
		require.NoError(t, bcrypt.CompareHashAndPassword([]byte(ours), []byte(password)), "%d bytes, and the other way round", n)
	}
}

// TestPasswords_MemoryDiesWithTheHash: a new password makes a new hash, and the
// memory of the old password is not found under it.
func TestPasswords_MemoryDiesWithTheHash(t *testing.T) {
	t.Parallel()
	p := newPasswords(t, newClock())
	old, err := p.Hash(t.Context(), "old")
	require.NoError(t, err)
	ok, err := p.Verify(t.Context(), old, "old")
	require.NoError(t, err)
	require.True(t, ok)
	changed, err := p.Hash(t.Context(), "new")
	require.NoError(t, err)
	ok, err = p.Verify(t.Context(), changed, "old")
	require.NoError(t, err)
	assert.False(t, ok)
}

func TestPasswords_UnknownUserCostsTheSame(t *testing.T) {
	t.Parallel()
	p := newPasswords(t, newClock())
	for range 3 {
		ok, err := p.VerifyUnknown(t.Context(), "anything")
		require.NoError(t, err, "the made-up hash is well-formed, so the whole work is done")
		assert.False(t, ok)
	}
}

func TestPasswords_AWaiterGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	p := newPasswords(t, newClock())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Hash(ctx, "x")
	require.ErrorIs(t, err, context.Canceled)
}

func TestPasswords_TooManyAreTurnedAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords(t, newClock())
		leave := p.FillGate()
		var wg sync.WaitGroup
		results := make(chan error, 200)
		ctx, cancel := context.WithCancel(t.Context())
		for range 200 {
			wg.Go(func() {
				_, err := p.Hash(ctx, "x")
				results <- err
			})
		}
		synctest.Wait()
		require.Len(t, results, 200-64, "all but those who may wait come back at once")
		for range 200 - 64 {
			require.ErrorIs(t, <-results, auth.ErrBusy)
		}
		cancel()
		wg.Wait()
		for range 64 {
			require.ErrorIs(t, <-results, context.Canceled, "those waited")
		}
		leave()
		_, err := p.Hash(t.Context(), "x")
		require.NoError(t, err)
	})
}

// TestPasswords_OneWhoWaitedTakesWhatWasVerifiedMeanwhile: when many log in to one
// account at once, one pays for all of them.
func TestPasswords_OneWhoWaitedTakesWhatWasVerifiedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords(t, newClock())
		leave := p.FillGate()
		type result struct {
			ok  bool
			err error
		}
		done := make(chan result, 1)
		go func() {
			// Were it compared, it would be an error.
			ok, err := p.Verify(t.Context(), "not a hash", "secret")
			done <- result{ok, err}
		}()
		synctest.Wait() // it waits at the gate
		p.Remember("not a hash", "secret")
		leave()
		got := <-done
		require.NoError(t, got.err)
		assert.True(t, got.ok)
	})
}

func TestPasswords_CostOutOfBounds(t *testing.T) {
	t.Parallel()
	for _, cost := range []int{0, 3, 32} {
		_, err := auth.NewPasswords(cost, nil)
		require.Error(t, err, "cost %d", cost)
	}
	for _, cost := range []int{bcrypt.MinCost, bcrypt.MaxCost} {
		_, err := auth.NewPasswords(cost, nil)
		require.NoError(t, err, "cost %d", cost)
	}
}

func newThrottle(t *testing.T, c *clock) *auth.Throttle {
	t.Helper()
	throttle, err := auth.NewThrottle(c.now)
	require.NoError(t, err)
	return throttle
}

func TestThrottle_FiveFailuresThenOneInThirtySeconds(t *testing.T) {
	t.Parallel()
	c := newClock()
	throttle := newThrottle(t, c)
	home := netip.MustParseAddr("203.0.113.7")
	for range 5 {
		_, ok := throttle.Begin("admin", home)
		require.True(t, ok)
	}
	wait, ok := throttle.Begin("admin", home)
	require.False(t, ok)
	assert.Equal(t, 30*time.Second, wait)
	c.advance(12 * time.Second)
	wait, ok = throttle.Begin("admin", home)
	require.False(t, ok)
	assert.Equal(t, 18*time.Second, wait, "a refusal costs nothing more")
	_, ok = throttle.Begin("admin", netip.MustParseAddr("203.0.113.8"))
	assert.True(t, ok, "elsewhere the user may still sign in")
	c.advance(18 * time.Second)
	_, ok = throttle.Begin("admin", home)
	assert.True(t, ok)
	_, ok = throttle.Begin("admin", home)
	assert.False(t, ok)
}

func TestThrottle_SuccessPaysBack(t *testing.T) {
	t.Parallel()
	throttle := newThrottle(t, newClock())
	home := netip.MustParseAddr("2001:db8::7")
	for range 500 {
		_, ok := throttle.Begin("admin", home)
		require.True(t, ok)
		throttle.Succeed("admin", home)
	}
}

func TestThrottle_OneAddressTriesManyUsers(t *testing.T) {
	t.Parallel()
	throttle := newThrottle(t, newClock())
	allowed := 0
	for i := range 200 { // an IPv6 host moves within its /64
		addr := netip.MustParseAddr("2001:db8:0:1::" + hex.EncodeToString([]byte{byte(i)}))
		if _, ok := throttle.Begin(strings.Repeat("u", i), addr); ok {
			allowed++
		}
	}
	assert.Equal(t, 50, allowed)
	_, ok := throttle.Begin("admin", netip.MustParseAddr("2001:db8:0:2::1"))
	assert.True(t, ok, "another /64")
	_, ok = throttle.Begin("admin", netip.MustParseAddr("::ffff:203.0.113.7"))
	assert.True(t, ok)
}

// TestThrottle_ManyAtOnce: attempts are paid for when they begin.
func TestThrottle_ManyAtOnce(t *testing.T) {
	t.Parallel()
	throttle := newThrottle(t, newClock())
	var wg sync.WaitGroup
	var mu sync.Mutex
	allowed := 0
	for range 100 {
		wg.Go(func() {
			if _, ok := throttle.Begin("admin", netip.MustParseAddr("203.0.113.7")); ok {
				mu.Lock()
				allowed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 5, allowed)
}

func BenchmarkTokens_VerifyRemembered(b *testing.B) {
	tokens, err := auth.NewTokens([]byte(auth.NewSecret()), nil)
	require.NoError(b, err)
	token, err := tokens.Issue("6f1a2b3c-0000-4000-8000-000000000000", 0)
	require.NoError(b, err)
	for b.Loop() {
		if _, err := tokens.Verify(token); err != nil {
			b.Fatal(err)
		}
	}
}
