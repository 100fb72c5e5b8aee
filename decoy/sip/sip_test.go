package sip_test

import (
	"crypto/md5"
	"encoding/hex"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/sip"
	"decnet/decoy/traptest"
)

func request(method, more string) string {
	return method + " sip:10.0.0.5 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1;rport\r\nFrom: \"sipvicious\"<sip:100@1.1.1.1>;tag=61\r\n" +
		"t: <sip:100@10.0.0.5>\r\nCall-ID: 7@x\r\nCSeq: 1 " + method + "\r\nUser-Agent: friendly-scanner\r\n" + more + "Content-Length: 0\r\n\r\n"
}

func bench(t *testing.T) *traptest.Bench {
	t.Helper()
	return traptest.New(t, sip.New, traptest.Options{Service: "sip"})
}

func TestSIP_AnswersAScanner(t *testing.T) {
	t.Parallel()
	b := bench(t)
	answer := string(b.Ask(5060, []byte(request("OPTIONS", ""))))
	assert.True(t, strings.HasPrefix(answer, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1;rport=40000;received=203.0.113.9\r\n"), answer)
	assert.Contains(t, answer, "Server: Asterisk PBX")
	f := traptest.Fields(b.Wait("request"))
	assert.Equal(t, "OPTIONS", f["method"])
	assert.Equal(t, "100", f["username"])
	assert.Equal(t, "friendly-scanner", f["user_agent"])
	assert.Empty(t, b.Ask(5060, []byte(request("ACK", ""))))
	assert.Empty(t, b.Ask(5060, []byte("\r\n\r\n")), "a keep-alive")
}

func sum(s string) string {
	h := md5.Sum([]byte(s))
	return hex.EncodeToString(h[:])
}

func TestSIP_ADigestIsRecordedAsHashcatReadsItAndRefused(t *testing.T) {
	t.Parallel()
	b := bench(t)
	challenge := string(b.Ask(5060, []byte(request("REGISTER", ""))))
	assert.True(t, strings.HasPrefix(challenge, "SIP/2.0 401 Unauthorized\r\n"))
	nonce := regexp.MustCompile(`nonce="([^"]+)"`).FindStringSubmatch(challenge)[1]
	response := sum(sum("100:asterisk:secret") + ":" + nonce + ":00000001:abc:auth:" + sum("REGISTER:sip:10.0.0.5"))
	answer := string(b.Ask(5060, []byte(request("REGISTER", `Authorization: Digest username="100",realm="asterisk",nonce="`+nonce+
		`",uri="sip:10.0.0.5",response="`+response+`",algorithm=md5,cnonce="abc",nc=00000001,qop=auth`+"\r\n"))))
	assert.True(t, strings.HasPrefix(answer, "SIP/2.0 401 "))
	assert.NotContains(t, answer, nonce)
	f := traptest.Fields(b.WaitN("request", 2)[1])
	assert.Equal(t, "$sip$*10.0.0.5*203.0.113.9*100*asterisk*REGISTER*sip*10.0.0.5**"+nonce+"*abc*00000001*auth*MD5*"+response, f["hashcat"])
	assert.NotContains(t, f, "password")
}

func TestSIP_OverTCP(t *testing.T) {
	t.Parallel()
	b := bench(t)
	c := b.Dial(5060)
	_, err := io.WriteString(c, request("OPTIONS", "")+request("INVITE", "")+"GET / HTTP/1.1\r\n\r\n")
	require.NoError(t, err)
	all, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.Contains(t, string(all), "SIP/2.0 200 OK\r\n")
	assert.Contains(t, string(all), "SIP/2.0 401 Unauthorized\r\n")
	b.Wait("malformed")
	c = b.Dial(5060)
	_, err = io.WriteString(c, "OPTIONS "+strings.Repeat("x", 100000)+"\r\n\r\n")
	require.NoError(t, err)
	b.WaitN("malformed", 2)
}
