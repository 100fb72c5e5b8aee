package api

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAppendString_EscapesWhatIsHarmfulOnly(t *testing.T) {
	t.Parallel()
	for c := range rune(128) {
		got := string(appendString(nil, "a"+string(c)+"b"))
		var back string
		require.NoError(t, json.Unmarshal([]byte(got), &back), "%q", c)
		require.Equal(t, "a"+string(c)+"b", back)
		harmful := c < ' ' || c == 0x7f || strings.ContainsRune(`"\<>&`, c)
		assert.Equal(t, harmful, got != `"a`+string(c)+`b"`, "%q gave %s", c, got)
	}
}

// TestIsPlainObject_IsJSON: what it takes for JSON is sent as it is.
func TestIsPlainObject_IsJSON(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		`{}`, `{"a":"b"}`, `{"ja3":"e7d705a3286e19ea42f587b344ee6865","port":443}`, `{"":0,"a":10}`, `{"é":"` + "\xff" + `"}`,
	} {
		assert.True(t, isPlainObject(s), s)
		assert.True(t, json.Valid([]byte(s)), s)
	}
	for _, s := range []string{
		``, `{`, `}`, `{}}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":01}`, `{"a":1 }`, `{"a":-1}`, `{"a":"b}`, `{"a":"\"}`,
		`{"a":"b""c":1}`, `{"a" "b"}`, "{\"a\":\"\n\"}", `["a"]`, `{"a":1,"b"}`, `{a:1}`,
	} {
		assert.False(t, isPlainObject(s), s)
	}
	r := rand.New(rand.NewPCG(5, 6))
	parts := []string{`{`, `}`, `"`, `:`, `,`, `0`, `1`, `a`, `\`, ` `, "\n", "\xc3", `"a":`, `"b"`, `"a":1,`}
	taken := 0
	for range 200_000 {
		s := "{"
		for range r.IntN(6) {
			s += parts[r.IntN(len(parts))]
		}
		if s += "}"; isPlainObject(s) {
			taken++
			require.True(t, json.Valid([]byte(s)), "%q", s)
		}
	}
	require.Greater(t, taken, 10_000)
}
