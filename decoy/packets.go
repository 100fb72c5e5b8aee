package decoy

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"decnet/decoy/trap"
)

// maxDatagram is the largest that UDP has, in bytes.
const maxDatagram = 64 << 10

// sources bounds the datagrams of every address.
type sources struct {
	perSecond int
	known     *lru.Cache[netip.Addr, *rate.Limiter]
}

// knownSources is how many addresses are remembered; those that were heard of
// the longest time ago begin anew.
const knownSources = 8192

func newSources(perSecond int) (*sources, error) {
	known, err := lru.New[netip.Addr, *rate.Limiter](knownSources)
	if err != nil {
		return nil, fmt.Errorf("remember addresses: %w", err)
	}
	return &sources{perSecond: perSecond, known: known}, nil
}

func (s *sources) allow(from netip.Addr) bool {
	from = network(from)
	l, ok := s.known.Get(from)
	if !ok {
		l = rate.NewLimiter(rate.Limit(s.perSecond), 2*s.perSecond)
		s.known.Add(from, l)
	}
	return l.Allow()
}

// servePackets answers datagrams until the socket fails or is closed.
func (d *Driver) servePackets(l *listener, socket net.PacketConn) error {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := socket.ReadFrom(buf)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		b := l.bound.Load()
		remote := remoteOf(from)
		l.total.Add(1)
		if !d.sources.allow(remote.Addr()) {
			d.refused(l, b, "the address sends more datagrams than it may")
			continue
		}
		var answer []byte
		d.guard(b, func() {
			answer = b.service.UDP.Respond(b.machine.ctx, &trap.Datagram{
				Peer: trap.Peer{
					Env: b.env, ID: trap.NewID(), Remote: remote, Port: b.port,
					SourceKey: b.service.SourceKey, Recorder: d.journal,
				},
				Data: buf[:n:n],
			})
		})
		if len(answer) == 0 {
			continue
		}
		if len(answer) > max(n*d.o.Limits.Amplify, 512) {
			d.refused(l, b, "an answer would be larger than it may be")
			continue
		}
		_ = socket.SetWriteDeadline(time.Now().Add(d.o.Limits.Idle))
		_, _ = socket.WriteTo(answer, from) // who isn't reachable gets none
	}
}
