package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MinSecretLength is the least number of characters of a signing secret: 256
// bits, the output size of HS256 (RFC 7518 section 3.2), when they are random bytes.
const MinSecretLength = 32

// minSecretRest is how many characters of a secret must remain once the
// well-known phrases in it are taken away.
const minSecretRest = 16

// minDistinctRunes is how many different characters a secret needs; random hex
// of the least length has fewer than this once in many millions.
const minDistinctRunes = 8

// ErrWeakSecret says that a signing secret could be guessed.
var ErrWeakSecret = errors.New("the signing secret is weak")

// CheckSecret returns an error that wraps [ErrWeakSecret] for a secret that is
// short, repeats itself or is made of well-known phrases. The error tells the
// reason and never the secret.
func CheckSecret(secret []byte) error {
	s := string(secret)
	if n := utf8.RuneCountInString(s); n < MinSecretLength {
		return fmt.Errorf("%w: it has %d characters and needs at least %d", ErrWeakSecret, n, MinSecretLength)
	}
	distinct := map[rune]bool{}
	for _, r := range s {
		distinct[r] = true
	}
	if len(distinct) < minDistinctRunes {
		return fmt.Errorf("%w: it has fewer than %d different characters", ErrWeakSecret, minDistinctRunes)
	}
	for period := 1; period <= len(s)/2; period++ {
		if strings.Repeat(s[:period], len(s)/period+1)[:len(s)] == s {
			return fmt.Errorf("%w: it repeats itself", ErrWeakSecret)
		}
	}
	rest := strings.Map(letterOrDigit, strings.ToLower(s))
	for _, phrase := range knownPhrases() {
		rest = strings.ReplaceAll(rest, phrase, "")
	}
	if utf8.RuneCountInString(rest) < minSecretRest {
		return fmt.Errorf("%w: it is made of well-known phrases", ErrWeakSecret)
	}
	return nil
}

// NewSecret returns 256 random bits as text.
func NewSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// knownPhrases are what sample configurations and tutorials use, in the form of
// letterOrDigit; longer ones first, so that parts don't hide the whole.
func knownPhrases() []string {
	return []string{
		"abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "1234567890", "0123456789",
		"supersecretkey", "supersecret", "yoursecretkeyhere", "yoursecretkey", "mysecretkey",
		"secretkey", "jwtsecret", "changethis", "changeme", "replaceme", "insecure",
		"development", "production", "fallback", "default", "password", "example", "testing",
		"decnet", "admin", "please", "secret", "token", "test", "dont", "this", "your", "key", "jwt",
		"not", "use", "for", "in",
	}
}

func letterOrDigit(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return r
	}
	return -1
}
