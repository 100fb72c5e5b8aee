package tlstrap_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"

	"decnet/decoy/tlstrap"
)

// extension is one of a hello: its number and its content.
type extension struct {
	id   uint16
	data []byte
}

// shorts is a list of numbers behind its length in bytes, which has that many
// bytes.
func shorts(length int, list ...uint16) []byte {
	var b cryptobyte.Builder
	fill := func(b *cryptobyte.Builder) {
		for _, v := range list {
			b.AddUint16(v)
		}
	}
	if length == 1 {
		b.AddUint8LengthPrefixed(fill)
	} else {
		b.AddUint16LengthPrefixed(fill)
	}
	return b.BytesOrPanic()
}

// message writes a client hello.
func message(version uint16, ciphers []uint16, extensions ...extension) []byte {
	var b cryptobyte.Builder
	b.AddUint8(1)
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(version)
		b.AddBytes(make([]byte, 32))
		b.AddUint8(0)
		b.AddBytes(shorts(2, ciphers...))
		b.AddBytes([]byte{1, 0})
		if len(extensions) == 0 {
			return
		}
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, e := range extensions {
				b.AddUint16(e.id)
				b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(e.data) })
			}
		})
	})
	return b.BytesOrPanic()
}

func parse(t *testing.T, msg []byte) *tlstrap.Hello {
	t.Helper()
	h, err := tlstrap.ParseHello(msg)
	require.NoError(t, err)
	return h
}

// The two examples of the definition of JA3.
func TestHello_JA3AsItsDefinitionHasIt(t *testing.T) {
	t.Parallel()
	h := parse(t, message(769, []uint16{0x1a1a, 47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4},
		extension{0xfafa, nil},
		extension{0, nil},
		extension{10, shorts(2, 0x2a2a, 23, 24, 25)},
		extension{11, []byte{1, 0}},
	))
	assert.Equal(t, "ada70206e40642a3e4461f35503241d5", h.JA3())
	h = parse(t, message(769, []uint16{4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}))
	assert.Equal(t, "de350869b8c85de67a350c8d186f11e6", h.JA3())
}

// chrome is the example of the definition of JA4, in a shuffled order as Chrome
// sends it, with GREASE where Chrome has it.
func chrome(alpn string) []byte {
	protocols := append([]byte{0, byte(len(alpn) + 1), byte(len(alpn))}, alpn...)
	return message(0x0303,
		[]uint16{
			0x9a9a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030,
			0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
		},
		extension{0xdada, nil}, extension{0x001b, nil}, extension{0, []byte("\x00\x0e\x00\x00\x0bexample.com")},
		extension{0x0033, nil}, extension{0x0010, protocols}, extension{0x4469, nil}, extension{0x0017, nil},
		extension{0x002d, nil}, extension{0x000d, shorts(2, 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)},
		extension{0x0005, nil}, extension{0x0023, nil}, extension{0x0012, nil}, extension{0x002b, shorts(1, 0x7a7a, 0x0304, 0x0303)},
		extension{0xff01, nil}, extension{0x000b, []byte{1, 0}}, extension{0x000a, shorts(2, 0xeaea, 29, 23, 24)},
		extension{0x0015, nil}, extension{0x0a0a, []byte{0}},
	)
}

func TestHello_JA4AsItsDefinitionHasIt(t *testing.T) {
	t.Parallel()
	h := parse(t, chrome("h2"))
	assert.Equal(t, "t13d1516h2_8daaf6152771_e5627efa2ab1", h.JA4())
	assert.Equal(t, "example.com", h.SNI)
	assert.Equal(t, []string{"h2"}, h.ALPN)
}

func TestHello_JA4OfOddClients(t *testing.T) {
	t.Parallel()
	for want, msg := range map[string][]byte{
		"t13d1516h1_8daaf6152771_e5627efa2ab1": chrome("http/1.1"),
		"t13d1516hh_8daaf6152771_e5627efa2ab1": chrome("h"),
		"t13d1516ab_8daaf6152771_e5627efa2ab1": chrome("\xab"),
		"t13d15163d_8daaf6152771_e5627efa2ab1": chrome("0\xad"),
		"t13d151600_8daaf6152771_e5627efa2ab1": chrome(""),
		"t10i000000_000000000000_000000000000": message(0x0301, nil),
		"ts3i000000_000000000000_000000000000": message(0x0300, nil),
	} {
		assert.Equal(t, want, parse(t, msg).JA4())
	}
	many := parse(t, message(0x0303, make([]uint16, 150)))
	assert.Equal(t, "t12i9900", many.JA4()[:8])
}

func TestParseHello_BrokenOnesAreErrorsAtEachByte(t *testing.T) {
	t.Parallel()
	msg := chrome("h2")
	for n := range msg {
		_, err := tlstrap.ParseHello(msg[:n])
		require.Errorf(t, err, "cut after %d bytes", n)
	}
	msg[0] = 2
	_, err := tlstrap.ParseHello(msg)
	require.Error(t, err)
}
