package sasl_test

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/sasl"
	"decnet/decoy/trap"
)

func fields(all []trap.Field) map[string]string {
	m := map[string]string{}
	for _, f := range all {
		m[f.Key] = f.Value
	}
	return m
}

// The examples of RFC 2195 and RFC 1939, whose password is in them.
func TestAnswers_AreThoseOfTheStandards(t *testing.T) {
	t.Parallel()
	const challenge, answer = "<1896.697170952@postoffice.reston.mci.net>", "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"
	got, ok := sasl.AnswerCRAM(challenge, answer)
	require.True(t, ok)
	assert.Equal(t, map[string]string{
		"username": "tim", "method": "CRAM-MD5",
		"hashcat": "$cram_md5$" + base64.StdEncoding.EncodeToString([]byte(challenge)) + "$" + answer,
	}, fields(got))

	got, ok = sasl.AnswerAPOP("<1896.697170952@dbc.mtview.ca.us>", "mrose C4C9334BAC560ECC979E58001B3E22FB")
	require.True(t, ok)
	assert.Equal(t, map[string]string{
		"username": "mrose", "method": "APOP", "hashcat": "c4c9334bac560ecc979e58001b3e22fb:<1896.697170952@dbc.mtview.ca.us>",
	}, fields(got))

	for _, bad := range []string{"", "*", "!!!", base64.StdEncoding.EncodeToString([]byte("tim")), base64.StdEncoding.EncodeToString([]byte("tim b913"))} {
		_, ok := sasl.AnswerCRAM(challenge, bad)
		assert.False(t, ok, bad)
	}
	for _, bad := range []string{"", "mrose", "mrose xyz"} {
		_, ok := sasl.AnswerAPOP("<x>", bad)
		assert.False(t, ok, bad)
	}
	got, ok = sasl.AnswerCRAM("<x>", base64.StdEncoding.EncodeToString([]byte("a b\xff "+"b913a602c7eda7a495b4e6e7334d3890")))
	require.True(t, ok)
	assert.Equal(t, "a b\xff", fields(got)["username"], "a name may have blanks")
}

func TestMechanisms_AreThoseOfTheSetting(t *testing.T) {
	t.Parallel()
	usual := []string{"PLAIN"}
	got, err := sasl.Mechanisms(trap.Config{}, usual, sasl.Plain, sasl.CRAM)
	require.NoError(t, err)
	assert.Equal(t, usual, got)
	got, err = sasl.Mechanisms(trap.Config{"auth": "cram-md5, Plain"}, usual, sasl.Plain, sasl.CRAM)
	require.NoError(t, err)
	assert.Equal(t, []string{"CRAM-MD5", "PLAIN"}, got)
	_, err = sasl.Mechanisms(trap.Config{"auth": "plain apop"}, usual, sasl.Plain, sasl.CRAM)
	require.EqualError(t, err, `auth is a list of PLAIN, CRAM-MD5, without "APOP"`)
}

func TestChallenges_NeverRepeat(t *testing.T) {
	t.Parallel()
	now := time.Unix(1776157404, 0)
	assert.Regexp(t, `^<\d{16}\.1776157404@mx>$`, sasl.Challenge("mx", now))
	assert.Regexp(t, `^<[0-9a-f]+\.[0-9a-f]+\.69de02dc\.\S{24}@mx>$`, sasl.Stamp("mx", now))
	seen := map[string]bool{}
	for range 10 {
		seen[sasl.Challenge("mx", now)] = true
		seen[sasl.Stamp("mx", now)] = true
	}
	assert.Len(t, seen, 20)
}
