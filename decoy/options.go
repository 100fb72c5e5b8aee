package decoy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"decnet/decoy/trap"
)

// Options are the parts of a [Driver]. Dir is mandatory; every other zero value
// stands for a default.
type Options struct {
	// Dir is a directory of the driver's own, made with mode 0700: it holds the
	// secret that all invented details follow from, keys, uploads and the journal.
	Dir string
	// Journal is the file that events are appended to (events.jsonl in Dir).
	Journal string
	Limits  Limits
	// PortOffset is added to the ports of deckies whose address this host has, for
	// a process that may not listen on low ports (0).
	PortOffset int
	// Mapped is where all other deckies listen: the first port of a range that
	// only they use (127.0.0.1:20000).
	Mapped netip.AddrPort
	// Now is the clock of events.
	Now func() time.Time
	Log *slog.Logger
	// Ingested returns how many bytes of the journal are committed; without it the
	// journal is never rotated.
	Ingested func() int64
	// OnLogin is told of every attempt to log in, before its event is written. It
	// must not wait.
	OnLogin func(decky string, at time.Time)
	// Makers makes the services, by their names ([Makers]).
	Makers map[string]trap.Maker
	// Listen and ListenPacket open sockets; tests put failing ones here.
	Listen       func(ctx context.Context, network, address string) (net.Listener, error)
	ListenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)
}

func (o *Options) setDefaults() error {
	if o.Dir == "" {
		return errors.New("decoys need a directory")
	}
	if o.PortOffset < 0 || o.PortOffset > 65534 {
		return fmt.Errorf("an offset of ports is from 0 to 65534, not %d", o.PortOffset)
	}
	o.Limits.setDefaults()
	if o.Journal == "" {
		o.Journal = filepath.Join(o.Dir, "events.jsonl")
	}
	if !o.Mapped.IsValid() {
		o.Mapped = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 20000)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Makers == nil {
		o.Makers = Makers()
	}
	var config net.ListenConfig
	if o.Listen == nil {
		o.Listen = config.Listen
	}
	if o.ListenPacket == nil {
		o.ListenPacket = config.ListenPacket
	}
	return nil
}

// secretSize is in bytes.
const secretSize = 32

// loadSecret reads the secret of this installation, or makes it.
func loadSecret(dir string) ([]byte, error) {
	file := filepath.Join(dir, "secret")
	b, err := os.ReadFile(file)
	if err == nil && len(b) >= secretSize {
		return b, nil
	}
	if err == nil {
		return nil, fmt.Errorf("%s is too short for a secret; remove it to get a new one", file)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the secret of the decoys: %w", err)
	}
	b = make([]byte, secretSize)
	_, _ = rand.Read(b) // it never fails
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return nil, fmt.Errorf("the secret of the decoys: %w", err)
	}
	return b, nil
}
