package ber_test

import (
	"bytes"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/ber"
)

func TestBER_WhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, 1, -1, 127, 128, -128, -129, 65535, math.MaxInt64, math.MinInt64} {
		e, rest, err := ber.Parse(ber.Int(ber.Integer, n))
		require.NoError(t, err)
		assert.Empty(t, rest)
		got, err := e.Int()
		require.NoError(t, err)
		assert.Equal(t, n, got)
	}
	for _, size := range []int{0, 127, 128, 255, 256, 65535, 65536} {
		b := ber.Wrap(ber.Octets, make([]byte, size))
		e, _, err := ber.Parse(b)
		require.NoError(t, err)
		assert.Len(t, e.Value, size)
		read, err := ber.Read(bytes.NewReader(b), len(b))
		require.NoError(t, err)
		assert.Equal(t, b, read)
	}
}

func TestBER_LengthsAreNotBelieved(t *testing.T) {
	t.Parallel()
	for _, b := range []string{"", "\x30", "\x30\x80", "\x30\x84\xff\xff\xff\xff", "\x30\x85\x01\x01\x01\x01\x01", "\x30\x02\x01", "\x1f\x01\x01"} {
		_, _, err := ber.Parse([]byte(b))
		require.ErrorIs(t, err, ber.ErrMalformed, "%q", b)
	}
	_, err := ber.Read(bytes.NewReader([]byte("\x30\x84\x7f\xff\xff\xff")), 1000)
	require.ErrorIs(t, err, ber.ErrTooLong)
	got, err := ber.Read(bytes.NewReader([]byte("\x30\x05abc")), 1000)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, "\x30\x05abc", string(got))
	_, err = ber.Element{Value: bytes.Repeat([]byte{5, 0}, 9)}.Children(8)
	require.ErrorIs(t, err, ber.ErrTooLong)
}
