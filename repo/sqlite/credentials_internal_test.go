package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
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

// TestCredentials_ShowsSoManyServices: their names come from logs. By those that it
// does not show it is found all the same.
func TestCredentials_ShowsSoManyServices(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := loggedStore(t, Options{})
	b := &repo.Batch{}
	for i := range maxServices + 3 {
		b.Events = append(b.Events, repo.Event{
			Log:      repo.Log{Time: time.Unix(1, 0), Service: fmt.Sprintf("service-%03d", i), AttackerIP: "192.0.2.1", Fields: "{}"},
			Bounties: []repo.Bounty{{Type: repo.BountyCredential, Payload: `{"password":"p","username":"u"}`}},
		})
	}
	require.NoError(t, s.Commit(ctx, b))
	list, err := s.Credentials(ctx, repo.CredentialQuery{Limit: 10})
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Len(t, list[0].Services, maxServices)
	n, err := s.CountCredentials(ctx, repo.CredentialFilter{Service: fmt.Sprintf("service-%03d", maxServices+2)})
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}
