package decoy_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"decnet/decoy"
	"decnet/decoy/trap"
	"decnet/fleet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDriver_EveryDeckyAnswersWithItsOwnServicesAndEventsAreInTheJournal(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, s.use)
	f.apply(with(decky("a", "127.0.0.7", "redis"), "redis", "prefix", "a: "), decky("b", "127.0.0.8", "redis", "ssh"))

	c := s.dial(t, "tcp", "127.0.0.7:6379")
	assert.Equal(t, "a: INFO", ask(t, c, "INFO"))
	assert.Equal(t, "hello", ask(t, s.dial(t, "tcp", "127.0.0.8:22"), "hello"))
	require.NoError(t, c.Close())
	f.eventually("the disconnect is recorded", func() bool { return len(f.journal()) >= 5 })

	var a []journalLine
	for _, l := range f.journal() {
		if l.Decky == "a" {
			a = append(a, l)
		}
	}
	require.Len(t, a, 3)
	assert.Equal(t, []string{"connect", "command", "disconnect"}, []string{a[0].EventType, a[1].EventType, a[2].EventType})
	assert.Equal(t, "127.0.0.1", a[1].AttackerIP)
	assert.Equal(t, "127.0.0.1", a[1].Fields["src"])
	assert.Equal(t, "INFO", a[1].Fields["command"])
	assert.Equal(t, "6379", a[1].Fields["dst_port"])
	assert.Equal(t, a[0].Fields["session"], a[2].Fields["session"])
	assert.Equal(t, "5", a[2].Fields["bytes_in"])
	assert.WithinDuration(t, time.Now(), a[0].Timestamp, time.Minute)
}

func TestDriver_FailedApplyChangesNothing(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, s.use)
	f.apply(decky("a", "127.0.0.7", "redis"))
	c := s.dial(t, "tcp", "127.0.0.7:6379")
	require.Equal(t, "1", ask(t, c, "1"))
	before := f.Status()

	busy := errors.New("it is in use")
	s.fails["127.0.0.9:22"] = busy
	for name, test := range map[string]struct {
		deckies []fleet.Decky
		service string
		says    string
	}{
		"a port in use":             {[]fleet.Decky{decky("new", "127.0.0.8", "redis"), decky("bad", "127.0.0.9", "ssh")}, "ssh", "127.0.0.9:22"},
		"a bad setting":             {[]fleet.Decky{decky("new", "127.0.0.8", "redis"), with(decky("bad", "127.0.0.9", "redis"), "redis", "broken", "1")}, "redis", "broken"},
		"a service nobody imitates": {[]fleet.Decky{decky("bad", "127.0.0.9", "vnc")}, "vnc", "imitates"},
		"no address":                {[]fleet.Decky{decky("bad", "nonsense", "redis")}, "", "IP address"},
		"two on one place":          {[]fleet.Decky{decky("a", "127.0.0.7", "redis"), decky("bad", "127.0.0.7", "redis")}, "redis", `decky "a" already`},
	} {
		err := f.Apply(t.Context(), test.deckies)
		var which *fleet.DeckyError
		require.ErrorAsf(t, err, &which, "%s", name)
		assert.Equal(t, "bad", which.Decky, name)
		assert.Equal(t, test.service, which.Service, name)
		require.ErrorContains(t, err, test.says, name)
		assert.Equal(t, before, f.Status(), name)
		assert.Equal(t, "2", ask(t, c, "2"), name)
	}
	// What was opened in vain is closed again: it can be opened now.
	delete(s.fails, "127.0.0.9:22")
	f.apply(decky("new", "127.0.0.8", "redis"), decky("bad", "127.0.0.9", "ssh"))
	assert.Len(t, f.Status(), 2)
}

func TestDriver_UnchangedDeckyKeepsItsSessionsAndChangedOneDrains(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, func(o *decoy.Options) {
		s.use(o)
		o.Limits.Drain = time.Millisecond
	})
	f.apply(decky("kept", "127.0.0.7", "redis"), decky("changed", "127.0.0.8", "redis"), decky("gone", "127.0.0.9", "redis"))
	kept, changed := s.dial(t, "tcp", "127.0.0.7:6379"), s.dial(t, "tcp", "127.0.0.8:6379")
	removed := s.dial(t, "tcp", "127.0.0.9:6379")
	for _, c := range []net.Conn{kept, changed, removed} {
		require.Equal(t, "1", ask(t, c, "1"))
	}
	same := decky("kept", "127.0.0.7", "redis")
	same.LastLoginAttempt, same.LastMutated = 1e9, 2e9
	f.apply(same, with(decky("changed", "127.0.0.8", "redis"), "redis", "prefix", "new "))

	gone(t, changed)
	gone(t, removed)
	assert.Equal(t, "2", ask(t, kept, "2"))
	assert.Equal(t, "new 3", ask(t, s.dial(t, "tcp", "127.0.0.8:6379"), "3"), "the socket is the same, what answers is new")
	var names []string
	for _, st := range f.Status() {
		names = append(names, st.Decky)
	}
	assert.Equal(t, []string{"kept", "changed"}, names)
}

func TestDriver_PanicEndsOneSessionOnly(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, s.use)
	f.apply(decky("a", "127.0.0.7", "redis", "snmp"))
	bystander := s.dial(t, "tcp", "127.0.0.7:6379")
	require.Equal(t, "1", ask(t, bystander, "1"))
	victim := s.dial(t, "tcp", "127.0.0.7:6379")
	_, err := victim.Write([]byte("panic\n"))
	require.NoError(t, err)
	gone(t, victim)
	assert.Equal(t, "2", ask(t, bystander, "2"))

	udp := s.dial(t, "udp", "127.0.0.7:161")
	_, err = udp.Write([]byte("panic"))
	require.NoError(t, err)
	_, err = udp.Write([]byte("hello"))
	require.NoError(t, err)
	buf := make([]byte, 100)
	n, err := udp.Read(buf)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(buf[:n]))
	assert.Contains(t, f.log.String(), "a decoy panicked")
}

func TestDriver_ListenerThatEndsIsOpenedAgain(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, s.use)
	f.apply(decky("a", "127.0.0.7", "redis"))
	s.mu.Lock()
	broken := s.all["127.0.0.7:6379"]
	s.mu.Unlock()
	require.NoError(t, broken.Close())
	f.eventually("it runs again", func() bool {
		st := f.Status()[0]
		return st.Restarts == 1 && st.State == fleet.Running
	})
	assert.Equal(t, "1", ask(t, s.dial(t, "tcp", "127.0.0.7:6379"), "1"))
	assert.Contains(t, f.Status()[0].Error, "accept")
}

func TestDriver_CloseCutsSessionsAndWaits(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, s.use)
	f.apply(decky("a", "127.0.0.7", "redis"))
	c := s.dial(t, "tcp", "127.0.0.7:6379")
	require.Equal(t, "1", ask(t, c, "1"))
	require.NoError(t, f.Close(t.Context()))
	gone(t, c)
	assert.Equal(t, "disconnect", f.journal()[2].EventType, "it was waited for")
	require.Error(t, f.Apply(t.Context(), nil))
}

func TestDriver_WebSessionIsToldOnlyIfNothingWasAsked(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, s.use)
	f.apply(decky("a", "127.0.0.7", "http"))
	asked := s.dial(t, "tcp", "127.0.0.7:80")
	require.Equal(t, "1", ask(t, asked, "1"))
	require.NoError(t, asked.Close())
	f.eventually("it is over", func() bool { return f.Status()[0].Open == 0 })
	require.Len(t, f.journal(), 1)
	require.NoError(t, s.dial(t, "tcp", "127.0.0.7:80").Close())
	f.eventually("the scan is told of", func() bool { return len(f.journal()) == 3 })
	assert.Equal(t, "connect", f.journal()[1].EventType)
}

func TestDriver_DeckyOfAnotherAddressIsMapped(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, func(o *decoy.Options) {
		s.use(o)
		o.PortOffset = 10000
		o.Mapped = netip.MustParseAddrPort("127.0.0.1:21000")
	})
	f.apply(decky("near", "127.0.0.7", "redis"), decky("far", "192.0.2.7", "redis", "ssh"), decky("far2", "192.0.2.8", "ssh"))
	address := map[string]string{}
	for _, st := range f.Status() {
		address[st.Decky+" "+st.Service] = st.Address
	}
	assert.Equal(t, map[string]string{
		"near redis": "127.0.0.7:16379", "far redis": "127.0.0.1:21000", "far ssh": "127.0.0.1:21001", "far2 ssh": "127.0.0.1:21002",
	}, address)
	// Whoever stays keeps the port; the ports of those that left are free afterwards.
	f.apply(decky("far2", "192.0.2.8", "ssh"))
	f.apply(decky("far2", "192.0.2.8", "ssh"), decky("new", "192.0.2.9", "ssh"))
	assert.Equal(t, "127.0.0.1:21002", f.Status()[0].Address)
	assert.Equal(t, "127.0.0.1:21000", f.Status()[1].Address)
}

func TestDriver_LoginsAreTold(t *testing.T) {
	t.Parallel()
	var s sockets
	var logins atomic.Int64
	f := newFixture(t, func(o *decoy.Options) {
		s.use(o)
		o.OnLogin = func(name string, _ time.Time) {
			if name == "a" {
				logins.Add(1)
			}
		}
		o.Makers["redis"] = func(trap.Env) (trap.Service, error) {
			return trap.Service{TCP: serverFunc(func(s *trap.Session) {
				s.Record("command", trap.Field{Key: "cmd", Value: "PING"})
				s.Record("auth", trap.Field{Key: "password", Value: "x"})
			})}, nil
		}
	})
	f.apply(decky("a", "127.0.0.7", "redis"))
	gone(t, s.dial(t, "tcp", "127.0.0.7:6379"))
	assert.Equal(t, int64(1), logins.Load())
}

type serverFunc func(s *trap.Session)

func (f serverFunc) Serve(_ context.Context, s *trap.Session) { f(s) }

func TestDriver_CatchallListensOnThePortsOfItsSetting(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, func(o *decoy.Options) {
		s.use(o)
		o.Makers = decoy.Makers()
	})
	f.apply(with(decky("a", "127.0.0.7", "catchall"), "catchall", "ports", "81,1900/udp"))
	c := s.dial(t, "tcp", "127.0.0.7:81")
	_, err := c.Write([]byte("CNXN"))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = s.dial(t, "udp", "127.0.0.7:1900").Write([]byte("M-SEARCH"))
	require.NoError(t, err)
	f.eventually("both are recorded", func() bool {
		ports := map[string]string{}
		for _, e := range f.journal() {
			if e.EventType == "data" {
				ports[e.Fields["dst_port"]] = e.Fields["text"]
			}
		}
		return ports["81"] == "CNXN" && ports["1900"] == "M-SEARCH"
	})

	f.apply(with(decky("a", "127.0.0.7", "catchall"), "catchall", "ports", "82"))
	assert.Equal(t, 82, f.Status()[0].Port, "another setting, other ports")
	var at *fleet.DeckyError
	require.ErrorAs(t, f.Apply(t.Context(), []fleet.Decky{with(decky("a", "127.0.0.7", "catchall"), "catchall", "ports", "x")}), &at)
	assert.Len(t, f.Status(), 1, "what runs goes on")
}

// A second connection counts for its session, and ends with it.
func TestDriver_DataConnectionsAreOfTheSession(t *testing.T) {
	t.Parallel()
	var s sockets
	f := newFixture(t, func(o *decoy.Options) {
		s.use(o)
		o.Makers = decoy.Makers()
		o.Limits.In = 5000
	})
	f.apply(decky("a", "127.0.0.7", "ftp"))
	c := s.dial(t, "tcp", "127.0.0.7:21")
	r := bufio.NewReader(c)
	said := func(line string) string {
		_, err := c.Write([]byte(line))
		require.NoError(t, err)
		got, err := r.ReadString('\n')
		require.NoError(t, err)
		return got
	}
	said("")
	said("USER ftp\r\n")
	said("PASS x\r\n")
	require.Contains(t, said("EPSV\r\n"), "229 ")
	data := s.dial(t, "tcp", "127.0.0.1:0") // the address that the client came to, and any port
	require.Contains(t, said("STOR x\r\n"), "150 ")
	_, _ = data.Write(make([]byte, 20_000))
	got, err := r.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "426 Failure reading network stream.\r\n", got)
	gone(t, c)
	f.eventually("all is counted", func() bool {
		all := f.journal()
		return len(all) > 0 && all[len(all)-1].EventType == "disconnect" && all[len(all)-1].Fields["bytes_in"] >= "5000"
	})
}
