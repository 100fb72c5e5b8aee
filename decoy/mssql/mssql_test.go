package mssql_test

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/mssql"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func wide(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// message is one packet.
func message(kind byte, body []byte) []byte {
	n := len(body) + 8
	return append([]byte{kind, 1, byte(n >> 8), byte(n), 0, 0, 1, 0}, body...)
}

// ask sends bytes and returns the packet that answers.
func ask(t *testing.T, c net.Conn, sent []byte) []byte {
	t.Helper()
	_, err := c.Write(sent)
	require.NoError(t, err)
	head := make([]byte, 8)
	_, err = io.ReadFull(c, head)
	require.NoError(t, err)
	body := make([]byte, binary.BigEndian.Uint16(head[2:])-8)
	_, err = io.ReadFull(c, body)
	require.NoError(t, err)
	return append(head, body...)
}

func login7(user, password []byte) []byte {
	b := make([]byte, 94)
	binary.LittleEndian.PutUint32(b[4:], 0x74000004)
	secret := append([]byte(nil), password...)
	for i, v := range secret {
		secret[i] = (v<<4 | v>>4) ^ 0xa5
	}
	for _, f := range []struct {
		at int
		v  []byte
	}{{40, user}, {44, secret}} {
		binary.LittleEndian.PutUint16(b[f.at:], uint16(len(b)))
		binary.LittleEndian.PutUint16(b[f.at+2:], uint16(len(f.v)/2))
		b = append(b, f.v...)
	}
	return b
}

// The probe of nmap, and the answer by which it knows a version.
const probe = "\x12\x01\x00\x34\x00\x00\x00\x00\x00\x00\x15\x00\x06\x01\x00\x1b\x00\x01\x02\x00\x1c\x00\x0c\x03\x00\x28\x00\x04\xff\x08\x00\x01\x55\x00\x00\x00MSSQLServer\x00\x48\x0f\x00\x00"

func TestMSSQL_Prelogin(t *testing.T) {
	t.Parallel()
	b := newBench(t, trap.Config{"version": "15.0.2000.5"}, trap.Identity{})
	answer := ask(t, b.Dial(1433), []byte(probe))
	assert.Equal(t, "\x04\x01\x00\x25\x00\x00\x01\x00\x00\x00\x15\x00\x06\x01\x00\x1b\x00\x01\x02\x00\x1c\x00\x01\x03\x00\x1d\x00\x00\xff\x0f\x00\x07\xd0\x00\x00\x00\x00", string(answer))
	p := traptest.Fields(b.Wait("prelogin"))
	assert.Equal(t, "8.0.341", p["client_version"])
	assert.Equal(t, "MSSQLServer", p["instance"])
	assert.Equal(t, "off", p["encryption"])
	assert.Equal(t, "3912", p["thread_id"])

	// Another instance, and a client that asks about sessions inside of sessions and
	// has no encryption.
	answer = ask(t, b.Dial(1433), message(0x12, []byte("\x01\x00\x10\x00\x01\x02\x00\x11\x00\x03\x04\x00\x14\x00\x01\xff\x02ZZ\x00\x01")))
	assert.Equal(t, "0f0007d000000201"+"01", hex.EncodeToString(answer[8+26:]))
}

// A password is stored as it was typed, also where it is no UTF-16.
func TestMSSQL_PasswordsAreKeptAsTheyAre(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, trap.Identity{})
	for i, test := range []struct{ raw, want string }{
		{string(wide("Pä$$\U0001F511--")), "Pä$$\U0001F511--"},
		{"\x3d\xd8a\x00", "\xed\xa0\xbda"},
		{"\x00\x00\x11\xdd", "\x00\xed\xb4\x91"},
	} {
		answer := ask(t, b.Dial(1433), message(0x10, login7(wide("sa"), []byte(test.raw))))
		assert.Equal(t, byte(0xaa), answer[8])
		assert.Equal(t, uint32(18456), binary.LittleEndian.Uint32(answer[11:]))
		assert.Equal(t, []byte{1, 14}, answer[15:17], "state and severity")
		assert.Equal(t, "\xfd\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", string(answer[len(answer)-13:]))
		assert.Equal(t, test.want, traptest.Fields(b.WaitN("auth", i+1)[i])["password"])
	}
}

// Simple tools agree to encryption and don't do it.
func TestMSSQL_ALoginInTheClearAgainstTheAgreement(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, trap.Identity{})
	c := b.Dial(1433)
	ask(t, c, []byte(probe))
	answer := ask(t, c, message(0x10, login7(wide("sa"), wide("12345"))))
	assert.Equal(t, uint32(18456), binary.LittleEndian.Uint32(answer[11:]))
	assert.Equal(t, "12345", traptest.Fields(b.Wait("auth"))["password"])
}

func TestMSSQL_LoginsOfTheLastCentury(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, trap.Identity{})
	place := func(s string) string { return s + strings.Repeat("\x00", 30-len(s)) + string(rune(len(s))) }
	c := b.Dial(1433)
	_, err := c.Write(message(2, []byte(place("WS1")+place("sa")+place("pw\xff")+"more")))
	require.NoError(t, err)
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	auth := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, "sa pw\xff WS1", auth["username"]+" "+auth["password"]+" "+auth["client_host"])
}

// What is no TDS, or is broken, ends the session at once and is recorded.
func TestMSSQL_MalformedInputIsRecorded(t *testing.T) {
	t.Parallel()
	bad := login7(wide("sa"), wide("x"))
	binary.LittleEndian.PutUint16(bad[42:], 0xffff) // more than the message has
	for name, sent := range map[string][]byte{
		"a name beyond the end":     message(0x10, bad),
		"a login without anything":  message(0x10, []byte{1, 2, 3}),
		"an option beyond the end":  message(0x12, []byte{0, 0, 6, 0, 99, 0xff}),
		"options without an end":    message(0x12, []byte{0, 0, 6, 0, 0}),
		"a packet of no size":       {0x12, 1, 0, 4, 0, 0, 1, 0},
		"an empty one in the midst": {0x12, 0, 0, 8, 0, 0, 1, 0},
		"a large one":               {0x12, 1, 0xff, 0xff, 0, 0, 1, 0},
		"HTTP":                      []byte("GET / HTTP/1.1\r\n\r\n"),
		"a statement before login":  message(1, wide("select 1")),
		"another type within":       append([]byte{0x12, 0, 0, 9, 0, 0, 1, 0, 0}, message(0x10, nil)...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil, trap.Identity{})
			c := b.Dial(1433)
			_, err := c.Write(sent)
			require.NoError(t, err)
			_, err = c.Read(make([]byte, 1))
			require.Error(t, err)
			e := traptest.Fields(b.Wait("unknown_packet"))
			assert.Contains(t, hex.EncodeToString(sent), e["data"])
			assert.GreaterOrEqual(t, len(e["data"]), 16)
		})
	}
}

func TestMSSQL_AMegabyteBeforeTheLoginIsNotHeld(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, trap.Identity{})
	c := b.Dial(1433)
	part := append([]byte{0x10, 0, 0x40, 0, 0, 0, 1, 0}, make([]byte, 0x4000-8)...)
	for range 64 {
		if _, err := c.Write(part); err != nil {
			break // it hung up, as it should
		}
	}
	b.Wait("unknown_packet")
}

func TestMSSQL_ReleasesFollowFromTheHost(t *testing.T) {
	t.Parallel()
	versions := map[string]map[string]bool{"linux": {}, "windows": {}}
	for system, found := range versions {
		for i := range 24 {
			b := newBench(t, nil, trap.Identity{Decky: "d" + string(rune('a'+i)), System: system})
			found[hex.EncodeToString(ask(t, b.Dial(1433), []byte(probe))[29:33])] = true
		}
	}
	assert.Greater(t, len(versions["windows"]), 3)
	for v := range versions["linux"] {
		assert.GreaterOrEqual(t, v, "0e", "there is none before 2017")
	}
}

func TestMSSQL_RefusesAVersionThatIsNone(t *testing.T) {
	t.Parallel()
	host := newBench(t, nil, trap.Identity{}).Env.Host
	for _, v := range []string{"2019", "15.0.x", "300.0.1"} {
		_, err := mssql.New(trap.Env{Host: host, Config: trap.Config{"version": v}})
		require.ErrorContains(t, err, v)
	}
}
