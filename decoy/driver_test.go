package decoy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
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

// echo imitates a service that repeats each line, and records it.
type echo struct{ prefix string }

func (e echo) Serve(_ context.Context, s *trap.Session) {
	r := bufio.NewReader(s)
	for {
		line, err := trap.ReadLine(r, 1000)
		if err != nil {
			return
		}
		s.Record("command", trap.Field{Key: "command", Value: string(line)})
		switch string(line) {
		case "panic":
			panic("as asked")
		case "flood":
			for {
				if _, err := s.Write(make([]byte, 1<<10)); err != nil {
					s.Record("cut", trap.Field{Key: "why", Value: err.Error()})
					return
				}
			}
		}
		if _, err := s.Write([]byte(e.prefix + string(line) + "\n")); err != nil {
			return
		}
	}
}

func (e echo) Respond(_ context.Context, d *trap.Datagram) []byte {
	d.Record("query")
	if string(d.Data) == "panic" {
		panic("as asked")
	}
	n, err := strconv.Atoi(string(d.Data))
	if err != nil {
		return []byte(e.prefix + string(d.Data))
	}
	return make([]byte, n)
}

func echoing(e trap.Env) (trap.Service, error) {
	if e.Config["broken"] != "" {
		return trap.Service{}, errors.New("the setting broken is set")
	}
	return trap.Service{TCP: echo{e.Config["prefix"]}, UDP: echo{e.Config["prefix"]}}, nil
}

// fixture is a driver whose decoys have free ports of the loopback interface.
type fixture struct {
	*decoy.Driver
	t   *testing.T
	log *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newFixture(t *testing.T, change func(o *decoy.Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, log: &lockedBuffer{}}
	var config net.ListenConfig
	o := decoy.Options{
		Dir: t.TempDir(),
		Log: slog.New(slog.NewTextHandler(f.log, nil)),
		Makers: map[string]trap.Maker{
			"ssh": echoing, "telnet": echoing, "redis": echoing, "snmp": echoing, "http": echoing, "ftp": echoing,
		},
		// Every test has ports of its own, whatever the place would have been.
		Listen: func(ctx context.Context, network, _ string) (net.Listener, error) {
			return config.Listen(ctx, network, "127.0.0.1:0")
		},
		ListenPacket: func(ctx context.Context, network, _ string) (net.PacketConn, error) {
			return config.ListenPacket(ctx, network, "127.0.0.1:0")
		},
	}
	if change != nil {
		change(&o)
	}
	var err error
	f.Driver, err = decoy.New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		assert.NoError(t, f.Close(ctx))
	})
	return f
}

func decky(name, ip string, services ...string) fleet.Decky {
	return fleet.Decky{
		Name: name, IP: ip, Services: services, Hostname: "srv-" + name, Distro: "debian", NmapOS: "linux",
		ServiceConfig: map[string]map[string]json.RawMessage{},
	}
}

func with(d fleet.Decky, service, key, value string) fleet.Decky {
	raw, _ := json.Marshal(value)
	d.ServiceConfig = map[string]map[string]json.RawMessage{service: {key: raw}}
	return d
}

func (f *fixture) apply(deckies ...fleet.Decky) {
	f.t.Helper()
	require.NoError(f.t, f.Apply(f.t.Context(), deckies))
}

// sockets remembers where listeners really are, by the place that was asked for.
type sockets struct {
	mu    sync.Mutex
	at    map[string]string
	all   map[string]net.Listener
	fails map[string]error
}

func (s *sockets) use(o *decoy.Options) {
	s.at, s.all, s.fails = map[string]string{}, map[string]net.Listener{}, map[string]error{}
	var config net.ListenConfig
	o.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := s.fails[address]; err != nil {
			return nil, err
		}
		l, err := config.Listen(ctx, network, "127.0.0.1:0")
		if err == nil {
			s.at[address], s.all[address] = l.Addr().String(), l
		}
		return l, err
	}
	o.ListenPacket = func(ctx context.Context, network, address string) (net.PacketConn, error) {
		l, err := config.ListenPacket(ctx, network, "127.0.0.1:0")
		if err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.at[address] = l.LocalAddr().String()
		}
		return l, err
	}
}

func (s *sockets) dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	s.mu.Lock()
	real := s.at[address]
	s.mu.Unlock()
	require.NotEmptyf(t, real, "nothing listens on %s", address)
	var dialer net.Dialer
	c, err := dialer.DialContext(t.Context(), network, real)
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask sends a line and returns the answer, without its end.
func ask(t *testing.T, c net.Conn, line string) string {
	t.Helper()
	_, err := c.Write([]byte(line + "\n"))
	require.NoError(t, err)
	answer, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSuffix(answer, "\n")
}

// gone reports that the other side ends the connection.
func gone(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	if err != nil {
		assert.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	}
}

type journalLine struct {
	Timestamp  time.Time         `json:"timestamp"`
	Decky      string            `json:"decky"`
	Service    string            `json:"service"`
	EventType  string            `json:"event_type"`
	AttackerIP string            `json:"attacker_ip"`
	Fields     map[string]string `json:"fields"`
}

func (f *fixture) journal() []journalLine {
	f.t.Helper()
	b, err := os.ReadFile(f.Journal())
	require.NoError(f.t, err)
	var all []journalLine
	for line := range strings.Lines(string(b)) {
		var l journalLine
		require.NoErrorf(f.t, json.Unmarshal([]byte(line), &l), "%q", line)
		all = append(all, l)
	}
	return all
}

func (f *fixture) eventually(what string, ok func() bool) {
	f.t.Helper()
	require.Eventually(f.t, ok, 10*time.Second, time.Millisecond, what)
}

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
