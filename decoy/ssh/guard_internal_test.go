package ssh

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A panic in a goroutine of a session would end the whole process.
func TestGuard_APanicEndsTheSessionOnly(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	l := &login{end: a, panics: make(chan any, 1)}
	require.NotPanics(t, func() {
		l.guard(func() { panic("first") })
		l.guard(func() { panic("second") })
	})
	assert.Equal(t, "first", <-l.panics)
	_, err := b.Read(make([]byte, 1))
	require.Error(t, err, "the connection is closed")
}
