package ntlmtrap_test

import (
	"encoding/binary"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/ntlmtrap"
	"decnet/decoy/trap"
)

// login makes an AUTHENTICATE_MESSAGE in Unicode.
func login(user, domain, station string, nt []byte) []byte {
	b := append([]byte("NTLMSSP\x00\x03\x00\x00\x00"), make([]byte, 52)...)
	binary.LittleEndian.PutUint32(b[60:], 1)
	for _, f := range []struct {
		at    int
		value []byte
	}{
		{12, make([]byte, 24)},
		{20, nt},
		{28, ntlmtrap.UTF16(domain)},
		{36, ntlmtrap.UTF16(user)},
		{44, ntlmtrap.UTF16(station)},
	} {
		binary.LittleEndian.PutUint16(b[f.at:], uint16(len(f.value)))
		binary.LittleEndian.PutUint32(b[f.at+4:], uint32(len(b)))
		b = append(b, f.value...)
	}
	return b
}

func TestLogin_IsRecordedAsHashcatReadsIt(t *testing.T) {
	t.Parallel()
	// In the order of fields that hashcat has for mode 5600; decoy/smb's test cracks a line.
	challenge := [8]byte{0x08, 0xca, 0x45, 0xb7, 0xd7, 0xea, 0x58, 0xee}
	nt, err := hex.DecodeString("88dcbe4446168966a153a0064958dac6" +
		"5c7830315c7830310000000000000b45c67103d07d7b95acd12ffa11230e0000000052920b85f78d013c31cdb3b92f5d765c783030")
	require.NoError(t, err)
	l, err := ntlmtrap.ParseLogin(login("admin", "N46iSNekpT", "KALI", nt))
	require.NoError(t, err)
	fields := map[string]string{}
	for _, f := range l.Fields(challenge) {
		fields[f.Key] = f.Value
	}
	assert.Equal(t, "admin::N46iSNekpT:08ca45b7d7ea58ee:88dcbe4446168966a153a0064958dac6:"+
		"5c7830315c7830310000000000000b45c67103d07d7b95acd12ffa11230e0000000052920b85f78d013c31cdb3b92f5d765c783030", fields["hashcat"])
	assert.Equal(t, "5600", fields["hashcat_mode"])
	assert.Equal(t, "KALI", fields["workstation"])
	assert.NotContains(t, fields, "password", "a hash is no password")

	l, err = ntlmtrap.ParseLogin(login("u", "", "", make([]byte, 24)))
	require.NoError(t, err)
	assert.Contains(t, l.Fields(challenge), trap.Field{Key: "hashcat_mode", Value: "5500"})
	l, err = ntlmtrap.ParseLogin(login("", "", "", nil))
	require.NoError(t, err)
	assert.True(t, l.Anonymous())
}

func TestParseLogin_RefusesOffsetsOutside(t *testing.T) {
	t.Parallel()
	good := login("admin", "D", "W", make([]byte, 40))
	for _, at := range []int{12, 20, 28, 36, 44} {
		b := append([]byte(nil), good...)
		binary.LittleEndian.PutUint32(b[at+4:], 0xfffffff0)
		_, err := ntlmtrap.ParseLogin(b)
		require.ErrorIs(t, err, ntlmtrap.ErrMalformed)
	}
	for n := range 52 {
		_, err := ntlmtrap.ParseLogin(good[:n])
		require.ErrorIs(t, err, ntlmtrap.ErrMalformed)
	}
}

func TestFromUTF16_LosesNothing(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a😀\x00é", ntlmtrap.FromUTF16(ntlmtrap.UTF16("a😀\x00é")))
	assert.Equal(t, "\xed\xa0\xbdx", ntlmtrap.FromUTF16([]byte{0x3d, 0xd8, 'x', 0}), "half of a pair")
}

func TestChallenge_NamesTheMachine(t *testing.T) {
	t.Parallel()
	s := ntlmtrap.Server{NetBIOS: "SRV", Domain: "CORP", DNS: "srv.corp.local", DNSDomain: "corp.local", Joined: true, Major: 10, Build: 14393}
	b := s.Challenge(nil, [8]byte{1, 2, 3}, time.Unix(0, 0))
	msg, kind := ntlmtrap.Find(ntlmtrap.WrapChallenge(b))
	assert.EqualValues(t, 2, kind)
	assert.Equal(t, b, msg)
	assert.Equal(t, []byte{1, 2, 3, 0, 0, 0, 0, 0}, b[24:32])
	assert.Contains(t, string(b), string(ntlmtrap.UTF16("srv.corp.local")))
	first, second := ntlmtrap.NewChallenge(), ntlmtrap.NewChallenge()
	assert.NotEqual(t, first, second)
}
