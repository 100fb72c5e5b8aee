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
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy"
	"decnet/decoy/trap"
	"decnet/fleet"
)

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
