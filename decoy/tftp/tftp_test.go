package tftp_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/tftp"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func TestTFTP_ReadsFindNothingExceptConfigurations(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, tftp.New, traptest.Options{Service: "tftp"})
	assert.Equal(t, "\x00\x05\x00\x01File not found\x00", string(b.Ask(69, []byte("\x00\x01running-config\x00octet\x00"))))
	f := traptest.Fields(b.Wait("request"))
	assert.Equal(t, []string{"RRQ", "running-config", "octet"}, []string{f["op"], f["filename"], f["mode"]})
	b = traptest.New(t, tftp.New, traptest.Options{Service: "tftp", Identity: trap.Identity{System: "cisco"}})
	answer := string(b.Ask(69, []byte("\x00\x01running-config\x00octet\x00")))
	assert.Contains(t, answer, "hostname srv-web-07\n")
	assert.Less(t, len(answer), 516)
}

func TestTFTP_WhatIsWrittenIsKept(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := traptest.New(t, tftp.New, traptest.Options{Service: "tftp", Now: func() time.Time { return start.Add(time.Duration(later.Load())) }})
	assert.Equal(t, "\x00\x05\x00\x05Unknown transfer ID\x00", string(b.Ask(69, []byte("\x00\x03\x00\x01x"))))
	assert.Equal(t, "\x00\x04\x00\x00", string(b.Ask(69, []byte("\x00\x02bot.sh\x00octet\x00"))))
	first := strings.Repeat("a", 512)
	for range 2 { // a block that is sent again counts once
		assert.Equal(t, "\x00\x04\x00\x01", string(b.Ask(69, []byte("\x00\x03\x00\x01"+first))))
	}
	assert.Equal(t, "\x00\x04\x00\x02", string(b.Ask(69, []byte("\x00\x03\x00\x02end"))))
	f := traptest.Fields(b.Wait("file_upload"))
	assert.Equal(t, "bot.sh", f["filename"])
	content, err := os.ReadFile(filepath.Join(b.QuarantineDir, f["sha256"]))
	require.NoError(t, err)
	assert.Equal(t, first+"end", string(content))

	b.Ask(69, []byte("\x00\x02half\x00octet\x00"))
	b.Ask(69, []byte("\x00\x03\x00\x01"+first))
	later.Store(int64(2 * time.Minute))
	b.Ask(69, []byte("\x00\x09junk"))
	assert.Equal(t, "512", traptest.Fields(b.WaitN("file_upload", 2)[1])["size"], "a transfer that rests is ended")
	assert.Equal(t, "9", traptest.Fields(b.Wait("unknown_opcode"))["opcode"])
}
