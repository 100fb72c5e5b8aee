package llmnr_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"decnet/decoy/llmnr"
	"decnet/decoy/traptest"
)

const head = "\xab\xcd\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"

func TestLLMNR_AnswersForItsOwnNameOnly(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, llmnr.New, traptest.Options{Service: "llmnr"})
	own := "\x0aSRV-web-07\x00\x00\x01\x00\x01"
	assert.Equal(t, "\xab\xcd\x80\x00\x00\x01\x00\x01\x00\x00\x00\x00"+own+"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x1e\x00\x04\x0a\x00\x00\x05",
		string(b.Ask(5355, []byte(head+own))))
	assert.Equal(t, "\xab\xcd\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x0asrv-web-07\x00\x00\x1c\x00\x01",
		string(b.Ask(5355, []byte(head+"\x0asrv-web-07\x00\x00\x1c\x00\x01"))), "the name is there, but no such address")
	assert.Empty(t, b.Ask(5355, []byte(head+"\x04wpad\x00\x00\x01\x00\x01")), "another's name")
	assert.Empty(t, b.Ask(5353, []byte(head+own)), "multicast DNS has .local")
	assert.NotEmpty(t, b.Ask(5353, []byte(head+"\x0asrv-web-07\x05local\x00\x00\x01\x00\x01")))

	queries := b.WaitN("query", 5)
	f := traptest.Fields(queries[2])
	assert.Equal(t, []string{"llmnr", "wpad", "A"}, []string{f["proto"], f["name"], f["qtype"]})
	f = traptest.Fields(queries[4])
	assert.Equal(t, []string{"mdns", "srv-web-07.local", "A"}, []string{f["proto"], f["name"], f["qtype"]})
}

func TestLLMNR_RecordsPoisonersAndGarbage(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, llmnr.New, traptest.Options{Service: "llmnr"})
	assert.Empty(t, b.Ask(5355, []byte("\xab\xcd\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04wpad\x00\x00\x01\x00\x01")))
	b.Wait("response")
	for i, in := range []string{"short", head + "\xc0\x0c\x00\x01\x00\x01", head + "\x3fabc", head + "\x01a\x00\x00"} {
		assert.Empty(t, b.Ask(5355, []byte(in)))
		assert.NotEmpty(t, traptest.Fields(b.WaitN("raw_packet", i+1)[i])["data"])
	}
}
