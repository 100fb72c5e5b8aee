package repo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFieldEquals_FastPath compares the scan with decoding, over objects as
// [Log.Fields] promises them and over what nobody promised.
func TestFieldEquals_FastPath(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	values := []any{
		1, 443, -0.5, true, nil, "", "443", "a\"b", `back\`, `\\`, "x,y}", "[", []any{}, []any{1, "]"}, map[string]any{}, map[string]any{"k": "v\"}"},
		map[string]any{"port": 443}, "é\u2028<>&", "\x00",
	}
	keys := []string{"port", "k", "a_b", "x\"y", `z\`, "é", ""}
	wanted := []string{
		"443", "", "a\"b", `back\`, `\\`, "x,y}", "[", "[]", `[1,"]"]`, "{}", `{"k":"v\"}"}`, `{"port":443}`, "true", "null", "1", "-0.5", "é\u2028<>&", "\x00",
	}
	matches := 0
	for range 3000 {
		object := map[string]any{}
		for range r.IntN(4) {
			object[keys[r.IntN(len(keys))]] = values[r.IntN(len(values))]
		}
		fields, err := json.Marshal(object)
		require.NoError(t, err)
		l := &Log{Fields: string(fields)}
		for _, key := range []string{"port", "k", "a_b", "z"} {
			for _, value := range wanted {
				f := FieldEquals{Key: key, Value: value}
				want := f.matchDecoded(l)
				if f.Match(l) != want { // not an assertion: a quarter of a million of them take seconds
					t.Fatalf("%s:%s in %s: Match is %v", key, value, fields, !want)
				}
				if want {
					matches++
				}
			}
		}
	}
	require.Greater(t, matches, 1000)
}

// TestFieldEquals_AnyText must not panic or run past the end of whatever an old
// or foreign database holds, and must find a key that is spelt with escapes or
// among spaces.
func TestFieldEquals_AnyText(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 2))
	parts := []string{"{", "}", `"`, `"k"`, ":", ",", "[", "]", `\`, "1", " ", "null", `"v"`, "\xff"}
	for range 20_000 {
		var s strings.Builder
		for range r.IntN(9) {
			s.WriteString(parts[r.IntN(len(parts))])
		}
		l := &Log{Fields: s.String()}
		if json.Valid([]byte(l.Fields)) {
			f := FieldEquals{Key: "k", Value: "v"}
			require.Equal(t, f.matchDecoded(l), f.Match(l), "%q", l.Fields)
		} else {
			FieldEquals{Key: "k", Value: "v"}.Match(l)
		}
	}
	for _, fields := range []string{`{"\u006b":"v"}`, `{ "k" : "v" }`, `{"k":"\u0076"}`, `{"a":[ 1 ],"k":"v"}`} {
		require.True(t, FieldEquals{Key: "k", Value: "v"}.Match(&Log{Fields: fields}), fields)
	}
}

// TestScanField_ReadsWhatIsPromised without decoding: that it gives up is never
// wrong, only twenty times as slow, so that nothing else would tell.
func TestScanField_ReadsWhatIsPromised(t *testing.T) {
	t.Parallel()
	const fields = `{"":"","a":{"b":[1,{"k":"no"}],"c":{}},"l":[[],[2,"]}"]],"q":"say \"k\":1","e":"\\\\","k":"yes"}`
	require.True(t, json.Valid([]byte(fields)))
	for key, want := range map[string]string{
		"": `""`, "a": `{"b":[1,{"k":"no"}],"c":{}}`, "l": `[[],[2,"]}"]]`, "q": `"say \"k\":1"`, "e": `"\\\\"`, "k": `"yes"`,
	} {
		value, found, ok := scanField(fields, key)
		require.True(t, ok && found, key)
		require.Equal(t, want, value)
	}
	for _, fields := range []string{fields, "{}"} {
		_, found, ok := scanField(fields, "b")
		require.True(t, ok, fields)
		require.False(t, found, "b is not at the top")
	}
}

// TestEachField_MissesNothing that FieldEquals finds: a row whose pair is not in
// the search index is never looked at.
func TestEachField_MissesNothing(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	parts := []string{"{", "}", `{"k":`, `,"k":`, `"`, `"k"`, ":", ",", "[", "]", `\`, "1", " ", "null", `"v"`, `"\u0076"`, `"\u006b"`, "\xff"}
	texts := []string{
		"", "{}", `{"k":"v"}`, `{"k":1}`, `{"a":1,"k":"v"}`, `{"a":{"k":2},"k":"v","z":"\n"}`, `{"a":[1,2],"k":"1"}`,
		`{"\u006b":"v"}`, `{ "k" : "v" }`, `{"k":"\u0076"}`, `{"a":[ 1 ],"k":null}`, `{"a":"x\\","k":"v"}`,
	}
	for range 20_000 {
		var s strings.Builder
		for range r.IntN(9) {
			s.WriteString(parts[r.IntN(len(parts))])
		}
		texts = append(texts, s.String())
	}
	found := 0
	for _, text := range texts {
		has := map[FieldEquals]bool{}
		EachField(text, func(key, value string) { has[FieldEquals{key, value}] = true })
		for _, value := range []string{"v", "1", "null"} {
			if f := (FieldEquals{"k", value}); f.Match(&Log{Fields: text}) {
				found++
				require.True(t, has[f], "k:%s of %q", value, text)
			}
		}
	}
	require.Greater(t, found, 20)
}

// TestEachField_ListsOnce each pair of what events have nearly always: to decode it
// would double the index and take twenty times as long.
func TestEachField_ListsOnce(t *testing.T) {
	t.Parallel()
	var list []FieldEquals
	EachField(`{"user":"root","port":22,"tags":["a",{"b":1}],"note":""}`, func(key, value string) { list = append(list, FieldEquals{key, value}) })
	require.Equal(t, []FieldEquals{{"user", "root"}, {"port", "22"}, {"tags", `["a",{"b":1}]`}, {"note", ""}}, list)
}

// TestRarest chooses what a search jumps by: any byte of the text finds the same,
// a frequent one stops at most bytes of a line.
func TestRarest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"e": 0, "et": 1, "tee": 0, "eXe": 1, "root": 0, "aaq": 2, "eez0": 2, "E\xffz": 1, "seen": 0} {
		require.Equal(t, want, rarest(text), "%q", text)
	}
}

func BenchmarkFieldEquals(b *testing.B) {
	l := &Log{Fields: `{"dst_port":22,"password":"pass17","session":"00c0ffee","src_ip":"198.51.100.7","src_port":40022,"username":"user7"}`}
	for _, f := range []FieldEquals{{"username", "user7"}, {"port", "22"}} {
		b.Run(fmt.Sprintf("scan/%s", f.Key), func(b *testing.B) {
			for b.Loop() {
				f.Match(l)
			}
		})
		b.Run(fmt.Sprintf("decode/%s", f.Key), func(b *testing.B) {
			for b.Loop() {
				f.matchDecoded(l)
			}
		})
	}
}
