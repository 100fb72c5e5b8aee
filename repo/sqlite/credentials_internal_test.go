package sqlite

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPairOf(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]pair{
		`{"password":"b","username":"a"}`:           {"a", "b"},
		`{"password":"","username":""}`:             {},
		`{"password":"b\"","username":"a\u0000"}`:   {"a\x00", `b"`},
		`{"password":"\\","username":"a"}`:          {"a", `\`},
		`{"password":"b","username":"a","x":1}`:     {"a", "b"},
		`{"password":"b","username":"a","x":"y"}`:   {"a", "b"},
		`{"a":"b","password":"b","username":"a"}`:   {"a", "b"},
		`{"password":7,"username":{"a":[1]}}`:       {`{"a":[1]}`, "7"},
		`{"password":null,"username":true}`:         {"true", ""},
		`{"username":"a"}`:                          {"a", ""},
		`{"password":"b"}`:                          {"", "b"},
		`{"Password":"b","USERNAME":"a"}`:           {},
		`{"password":"b","username":"a"`:            {},
		`{"password":"ünï","username":"{\"a\":1}"}`: {`{"a":1}`, "ünï"},
		``: {},
	} {
		assert.Equal(t, want, pairOf(payload), payload)
	}
}
