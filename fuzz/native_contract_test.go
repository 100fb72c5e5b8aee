//go:build fuzz

package fuzz

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"decnet"
	"decnet/auth"
	"decnet/contract"
)

// FuzzBodies shows a body to every operation that takes one. Ours is stricter
// than encoding/json, never laxer, and what it takes it reads alike.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		"", "{}", "[]", "null", `{"username":"a","password":"b"}`, `{"username":"a","username":"b","password":"c"}`,
		`{"deployment_limit":10}`, `{"deployment_limit":1e1}`, `{"deployment_limit":10.0}`, `{"global_mutation_interval":"30m"}`,
		`{"role":"admin"}`, `{"old_password":"a","new_password":"bbbbbbbbbbbb"}`, `{"new_password":"\ud800"}`, `{"name":"x"}`,
		`{"username":"new","password":"bbbbbbbbbbbb","role":"viewer"}`, "{}{}", "{} ", "\xef\xbb\xbf{}", "{\"a\":\"\xff\"}", `{"Username":"a"}`,
		strings.Repeat("[", 40), strings.Repeat("[", 40) + strings.Repeat("]", 40),
	} {
		f.Add([]byte(body))
	}
	c, err := contract.Load(decnet.OpenAPI())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw []byte) {
		taken := bytes.Clone(raw)
		for _, op := range c.Operations() {
			if !op.HasBody || op.Raw {
				continue
			}
			var got any
			err := op.Body("application/json", raw, &got)
			require.Equal(t, taken, raw)
			var broken *contract.Violations
			if err != nil {
				require.ErrorAs(t, err, &broken, "%s", op.ID)
				require.NotEmpty(t, broken.List)
				require.LessOrEqual(t, len(broken.List), contract.MaxViolations)
				require.Equal(t, broken.List[0].Keyword == contract.KeywordJSON,
					!json.Valid(raw) && utf8.Valid(raw) && broken.List[0].Keyword != contract.KeywordDepth, "%s: %v", op.ID, err)
				continue
			}
			var want any
			require.NoError(t, json.Unmarshal(raw, &want), "%s", op.ID)
			require.True(t, utf8.Valid(raw))
			require.Subset(t, got, want, "%s lost something", op.ID)
		}
	})
}

// fuzzSecret signs the tokens of FuzzTokens. It is the same in every process, or
// a corpus of tokens would be worth nothing.
func fuzzSecret() []byte {
	sum := sha256.Sum256([]byte("a secret of this test"))
	return []byte(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// FuzzTokens wants that whatever is taken was signed with our secret, checked
// here without the library, and is written in the one way that Issue has.
func FuzzTokens(f *testing.F) {
	at := &clock{}
	at.nanos.Store(began().UnixNano())
	tokens, err := auth.NewTokens(fuzzSecret(), at.Now)
	require.NoError(f, err)
	good, err := tokens.Issue("00000000-0000-4000-8000-000000000001", 3)
	require.NoError(f, err)
	header, rest, _ := strings.Cut(good, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	for _, text := range []string{
		"", ".", "..", good, good + ".", good + "=", good[:len(good)-1], header + "." + claims + ".", signature + "." + claims + "." + header,
		"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + claims + ".", " " + good, good + "\n", strings.Repeat("a.", 600),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := tokens.Verify(text)
		if err != nil {
			require.ErrorIs(t, err, auth.ErrToken)
			require.Equal(t, auth.Claims{}, got)
			return
		}
		parts := strings.Split(text, ".")
		require.Len(t, parts, 3)
		sum := hmac.New(sha256.New, fuzzSecret())
		sum.Write([]byte(parts[0] + "." + parts[1]))
		require.Equal(t, base64.RawURLEncoding.EncodeToString(sum.Sum(nil)), parts[2])
		require.True(t, at.Now().Before(got.Expires))
		require.NotEmpty(t, got.UserUUID)
		again, err := tokens.Verify(text)
		require.NoError(t, err)
		require.True(t, reflect.DeepEqual(got, again), "remembered otherwise")
	})
}
