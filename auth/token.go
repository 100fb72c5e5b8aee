package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"
)

// TokenLifetime is how long a token is good for.
const TokenLifetime = 24 * time.Hour

// maxTokenBytes is far above what Issue makes; longer ones are not looked at.
const maxTokenBytes = 1024

// rememberedTokens bounds the memory of verified tokens: a full check costs
// about seventy times a remembered one.
const rememberedTokens = 8192

// ErrToken says that a token is not one of ours, or no longer good.
var ErrToken = errors.New("invalid token")

// Claims are what a token says of its bearer.
type Claims struct {
	// UserUUID is the user's id, Version the user's token version when it was issued.
	UserUUID string
	Version  int64
	// IssuedAt and Expires have a resolution of one second.
	IssuedAt, Expires time.Time
}

// Tokens issues and verifies JSON Web Tokens (RFC 7519) signed with HS256. A
// token that was verified is remembered until it expires.
type Tokens struct {
	secret   []byte
	now      func() time.Time
	parser   *jwt.Parser
	verified *lru.Cache[string, Claims]
}

// NewTokens returns a signer with the secret; now tells the time, nil means
// [time.Now]. A weak secret is refused with [ErrWeakSecret].
func NewTokens(secret []byte, now func() time.Time) (*Tokens, error) {
	if err := CheckSecret(secret); err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	verified, err := lru.New[string, Claims](rememberedTokens)
	if err != nil {
		return nil, fmt.Errorf("memory of verified tokens: %w", err)
	}
	return &Tokens{
		secret: append([]byte(nil), secret...),
		now:    now,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithStrictDecoding(),
			jwt.WithTimeFunc(now),
		),
		verified: verified,
	}, nil
}

// wireClaims are the claims of the wire contract, and ours: ver.
type wireClaims struct {
	jwt.RegisteredClaims
	UUID    string `json:"uuid"`
	Version int64  `json:"ver"`
}

// Issue returns a token for the user, good for [TokenLifetime] from now.
func (t *Tokens) Issue(userUUID string, version int64) (string, error) {
	now := t.now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, wireClaims{
		RegisteredClaims: jwt.RegisteredClaims{
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(TokenLifetime)),
		},
		UUID:    userUUID,
		Version: version,
	}).SignedString(t.secret)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, nil
}

// Verify returns the claims of a token, or an error that wraps [ErrToken].
func (t *Tokens) Verify(token string) (Claims, error) {
	if c, ok := t.verified.Get(token); ok {
		if t.now().Before(c.Expires) {
			return c, nil
		}
		t.verified.Remove(token)
	}
	if len(token) > maxTokenBytes {
		return Claims{}, fmt.Errorf("%w: it is too long", ErrToken)
	}
	// encoding/base64 skips line ends even when it is strict: a token would have
	// many spellings, each with a place in the memory.
	if strings.ContainsAny(token, "\r\n") {
		return Claims{}, fmt.Errorf("%w: it has a line end", ErrToken)
	}
	var w wireClaims
	if _, err := t.parser.ParseWithClaims(token, &w, func(*jwt.Token) (any, error) { return t.secret, nil }); err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	if w.UUID == "" || w.IssuedAt == nil {
		return Claims{}, fmt.Errorf("%w: a claim is missing", ErrToken)
	}
	c := Claims{UserUUID: w.UUID, Version: w.Version, IssuedAt: w.IssuedAt.Time, Expires: w.ExpiresAt.Time}
	t.verified.Add(token, c)
	return c, nil
}
