//go:build fuzz

package fuzz

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"decnet/auth"
)

// tokenCase is a token and what became of it on the way.
type tokenCase struct {
	User    string
	Version int64
	// Age is how long after its issue the token is shown.
	Age time.Duration
	// At is where the token is changed, as a share of 1000; How is what is done
	// there. Byte is what is put in.
	At, How int
	Byte    byte
	// Known says that the token itself was verified before, and is remembered.
	Known bool
}

// The changes of a token.
const (
	tokenKept = iota
	tokenReplaced
	tokenInserted
	tokenRemoved
	tokenCut
	tokenDoubled
	tokenChanges
)

func (c tokenCase) mutate(token string) string {
	at := c.At * (len(token) - 1) / 1000
	switch c.How {
	case tokenReplaced:
		return token[:at] + string([]byte{c.Byte}) + token[at+1:]
	case tokenInserted:
		return token[:at] + string([]byte{c.Byte}) + token[at:]
	case tokenRemoved:
		return token[:at] + token[at+1:]
	case tokenCut:
		return token[:at]
	case tokenDoubled:
		return token + token[at:]
	}
	return token
}

// TestProperty_OnlyTheTokenItselfIsTaken issues tokens, ages and changes them.
func TestProperty_OnlyTheTokenItselfIsTaken(t *testing.T) {
	t.Parallel()
	alphabet := "ABab019-_.=+/ \x00\xff\r\n"
	property[tokenCase]{
		draw: func(r *rand.Rand) tokenCase {
			return tokenCase{
				User: pick(r, "u", "00000000-0000-4000-8000-000000000001", "\"\\\u2028"), Version: pick(r, 0, 1, -1, r.Int64()),
				Age: pick(r, 0, time.Second, auth.TokenLifetime-time.Second, auth.TokenLifetime-1, auth.TokenLifetime, auth.TokenLifetime+time.Second),
				At:  pick(r, 0, 1000, r.IntN(1001), r.IntN(1001), r.IntN(1001)),
				How: r.IntN(tokenChanges), Byte: alphabet[r.IntN(len(alphabet))], Known: r.IntN(2) == 0,
			}
		},
		smaller: smallerToken, holds: tokenHolds,
	}.check(t, 4000)
}

func tokenHolds(c tokenCase) error {
	at := &clock{}
	at.nanos.Store(began().UnixNano())
	tokens, err := auth.NewTokens(fuzzSecret(), at.Now)
	if err != nil {
		return err
	}
	token, err := tokens.Issue(c.User, c.Version)
	if err != nil {
		return err
	}
	if c.Known {
		if _, err := tokens.Verify(token); err != nil {
			return fmt.Errorf("a fresh token: %w", err)
		}
	}
	shown := c.mutate(token)
	at.advance(c.Age)
	got, err := tokens.Verify(shown)
	good := shown == token && c.Age < auth.TokenLifetime
	want := auth.Claims{UserUUID: c.User, Version: c.Version, IssuedAt: began(), Expires: began().Add(auth.TokenLifetime)}
	switch {
	case !good && err == nil:
		return fmt.Errorf("taken: %q instead of %q, after %v", shown, token, c.Age)
	case !good && !errors.Is(err, auth.ErrToken):
		return fmt.Errorf("refused for another reason: %w", err)
	case !good:
		return nil
	case err != nil:
		return fmt.Errorf("the token itself, after %v: %w", c.Age, err)
	}
	if got.UserUUID != want.UserUUID || got.Version != want.Version || !got.IssuedAt.Equal(want.IssuedAt) || !got.Expires.Equal(want.Expires) {
		return fmt.Errorf("claims %+v, want %+v", got, want)
	}
	return nil
}

func smallerToken(c tokenCase) []tokenCase {
	var out []tokenCase
	try := func(differs bool, next tokenCase, change func(n *tokenCase)) {
		if differs {
			change(&next)
			out = append(out, next)
		}
	}
	try(c.Known, c, func(n *tokenCase) { n.Known = false })
	try(c.Age != 0, c, func(n *tokenCase) { n.Age = 0 })
	try(c.Version != 0, c, func(n *tokenCase) { n.Version = 0 })
	try(c.User != "u", c, func(n *tokenCase) { n.User = "u" })
	try(c.How != tokenKept, c, func(n *tokenCase) { n.How = tokenKept })
	try(c.Byte != 'A', c, func(n *tokenCase) { n.Byte = 'A' })
	try(c.At > 0, c, func(n *tokenCase) { n.At /= 2 })
	return out
}

// TestProperty_EveryByteOfATokenCounts changes each byte of one token to all
// others of its alphabet, each bit of the last character among them, which hold
// less than six bits of the signature.
func TestProperty_EveryByteOfATokenCounts(t *testing.T) {
	t.Parallel()
	at := &clock{}
	at.nanos.Store(began().UnixNano())
	tokens, err := auth.NewTokens(fuzzSecret(), at.Now)
	require.NoError(t, err)
	token, err := tokens.Issue("u", 1)
	require.NoError(t, err)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	last := strings.LastIndexByte(token, '.')
	for i := range len(token) {
		for _, c := range []byte(alphabet) {
			if i < last && c != 'A' && c != '.' || token[i] == c {
				continue // two of each suffice where the signature covers all
			}
			shown := token[:i] + string([]byte{c}) + token[i+1:]
			_, err := tokens.Verify(shown)
			require.ErrorIs(t, err, auth.ErrToken, "%q instead of %q", shown, token)
		}
	}
	_, err = tokens.Verify(token)
	require.NoError(t, err)
}
