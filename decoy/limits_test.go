package decoy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy"
)

func TestDriver_ShareOfSessionsIsBoundedAndRefusalsAreCounted(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]decoy.Limits{
		"of all":         {Sessions: 2},
		"of one decky":   {PerDecky: 2},
		"of one address": {PerAddress: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s sockets
			f := newFixture(t, func(o *decoy.Options) {
				s.use(o)
				o.Limits = limits
			})
			f.apply(decky("a", "127.0.0.7", "redis"), decky("b", "127.0.0.8", "redis"))
			first, second := s.dial(t, "tcp", "127.0.0.7:6379"), s.dial(t, "tcp", "127.0.0.7:6379")
			require.Equal(t, "1", ask(t, first, "1"))
			require.Equal(t, "1", ask(t, second, "1"))
			gone(t, s.dial(t, "tcp", "127.0.0.7:6379"))
			st := f.Status()[0]
			assert.Equal(t, []int64{2, 3, 1}, []int64{st.Open, st.Total, st.Shed})
			assert.Contains(t, f.log.String(), "refuses connections")
			if limits.PerDecky > 0 {
				assert.Equal(t, "1", ask(t, s.dial(t, "tcp", "127.0.0.8:6379"), "1"), "another decky has its own share")
			}
			// A session that ends makes room.
			require.NoError(t, first.Close())
			f.eventually("there is room again", func() bool { return f.Status()[0].Open == 1 })
			assert.Equal(t, "2", ask(t, s.dial(t, "tcp", "127.0.0.7:6379"), "2"))
		})
	}
}

func TestDriver_SSHHasAShareOfItsOwn(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, func(o *decoy.Options) {
		s.use(o)
		o.Limits.SSH = 1
	})
	f.apply(decky("a", "127.0.0.7", "ssh", "redis"), decky("b", "127.0.0.8", "ssh"))
	first := s.dial(t, "tcp", "127.0.0.7:22")
	require.Equal(t, "1", ask(t, first, "1"))
	gone(t, s.dial(t, "tcp", "127.0.0.8:22"))
	assert.Equal(t, "1", ask(t, s.dial(t, "tcp", "127.0.0.7:6379"), "1"), "other services have theirs")
	require.NoError(t, first.Close())
	f.eventually("there is room again", func() bool {
		for _, l := range f.Status() {
			if l.Service == "ssh" && l.Open > 0 {
				return false
			}
		}
		return true
	})
	assert.Equal(t, "2", ask(t, s.dial(t, "tcp", "127.0.0.8:22"), "2"))
}

func TestDriver_SessionIsBoundedInTimeAndSize(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits decoy.Limits
		send   string
		why    string
	}{
		"idle":     {decoy.Limits{Idle: 20 * time.Millisecond}, "", ""},
		"life":     {decoy.Limits{Life: 20 * time.Millisecond}, "", ""},
		"received": {decoy.Limits{In: 10}, "0123456789", ""},
		"sent":     {decoy.Limits{Out: 1 << 16}, "flood\n", "used up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s sockets
			f := newFixture(t, func(o *decoy.Options) {
				s.use(o)
				o.Limits = test.limits
			})
			f.apply(decky("a", "127.0.0.7", "redis"))
			c := s.dial(t, "tcp", "127.0.0.7:6379")
			_, err := c.Write([]byte(test.send))
			require.NoError(t, err)
			gone(t, c)
			f.eventually("the end is recorded", func() bool {
				all := f.journal()
				return len(all) > 0 && all[len(all)-1].EventType == "disconnect"
			})
			if test.why != "" {
				all := f.journal()
				assert.Contains(t, all[len(all)-2].Fields["why"], test.why)
			}
		})
	}
}

func TestDriver_DatagramsAreBoundedAndNeverAmplified(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, func(o *decoy.Options) {
		s.use(o)
		o.Limits.Datagrams = 2 // and a burst of 4
	})
	f.apply(decky("a", "127.0.0.7", "snmp"))
	c := s.dial(t, "udp", "127.0.0.7:161")
	buf := make([]byte, 2000)
	for _, question := range []string{"513", "512"} { // bytes of the answer
		_, err := c.Write([]byte(question))
		require.NoError(t, err)
	}
	n, err := c.Read(buf)
	require.NoError(t, err)
	assert.Equal(t, 512, n, "the larger one was not sent")
	for range 10 {
		_, err := c.Write([]byte("x"))
		require.NoError(t, err)
	}
	f.eventually("all came", func() bool { return f.Status()[0].Total == 12 })
	f.eventually("the flood is refused", func() bool { return f.Status()[0].Shed >= 7 })
}
