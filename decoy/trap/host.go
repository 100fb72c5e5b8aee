package trap

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// Host is the machine that a decky imitates. It never changes.
type Host struct {
	// Decky is the name in the fleet, which only operators see; Hostname is what
	// attackers see.
	Decky, Hostname string
	// Addr is the address that the imitated machine has. Behind a mapping of ports
	// it is not the one that listeners have.
	Addr netip.Addr
	// Distro is the slug of a distribution such as "ubuntu22", System the family of
	// the operating system: linux, windows, bsd, embedded or cisco. Archetype may
	// be "".
	Distro, System, Archetype string

	secret []byte
	keys   string
}

// Identity is who a [Host] is.
type Identity struct {
	Decky, Hostname, Distro, System, Archetype string
	Addr                                       netip.Addr
	// Secret is at least 16 bytes that only this installation has. Two hosts may
	// share it: the name of the decky is mixed in.
	Secret []byte
	// Keys is the directory that keeps private keys of this decky.
	Keys string
}

// NewHost makes a host. It opens nothing.
func NewHost(i Identity) (*Host, error) {
	if len(i.Secret) < 16 {
		return nil, errors.New("the secret of a host has at least 16 bytes")
	}
	secret, err := hkdf.Key(sha256.New, i.Secret, []byte(i.Decky), "decnet host", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the secret of a host: %w", err)
	}
	return &Host{
		Decky: i.Decky, Hostname: i.Hostname, Addr: i.Addr,
		Distro: i.Distro, System: i.System, Archetype: i.Archetype,
		secret: secret, keys: i.Keys,
	}, nil
}

// Derive returns n bytes, at most 8160, that are always the same for this host
// and purpose, and tell nothing about those of another purpose.
func (h *Host) Derive(purpose string, n int) []byte {
	b, err := hkdf.Expand(sha256.New, h.secret, purpose, n)
	if err != nil {
		panic(fmt.Sprintf("trap: derive %d bytes: %v", n, err)) // only n can be wrong
	}
	return b
}

// Rand returns a source of numbers that is always the same for this host and
// purpose: for what a machine has by chance and keeps. It is for one goroutine.
func (h *Host) Rand(purpose string) *rand.Rand {
	var seed [32]byte
	copy(seed[:], h.Derive(purpose, len(seed)))
	return rand.New(rand.NewChaCha8(seed)) //nolint:gosec // it invents details; nothing is kept secret by it
}

// maxUptime is the longest that an imitated machine has been running, in days.
const maxUptime = 90

// Booted returns when the imitated machine was started, between one and some 90
// days before now. It moves on by whole quarters, so that a machine that is
// visited for a year doesn't look as if nobody had ever patched it.
func (h *Host) Booted(now time.Time) time.Time {
	const quarter = maxUptime * 24 * time.Hour
	phase := time.Duration(binary.BigEndian.Uint64(h.Derive("booted", 8)) % uint64(quarter))
	since := time.Duration(now.Add(-phase).UnixNano()) % quarter
	return now.Add(-since - 24*time.Hour).Truncate(time.Second)
}

// Key returns the private key of that name, such as "ssh_ed25519", in the form
// in which create made it. It is made once and kept in a file with mode 0600.
func (h *Host) Key(name string, create func() ([]byte, error)) ([]byte, error) {
	file := filepath.Join(h.keys, filepath.Base(name))
	b, err := os.ReadFile(file)
	if err == nil {
		return b, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the key %s: %w", name, err)
	}
	if b, err = create(); err != nil {
		return nil, fmt.Errorf("make the key %s: %w", name, err)
	}
	if err := os.MkdirAll(h.keys, 0o700); err != nil {
		return nil, fmt.Errorf("keep the key %s: %w", name, err)
	}
	return keep(file, b)
}

// keep writes a file that is either whole or not there; if another was faster,
// it returns what that one wrote.
func keep(file string, b []byte) ([]byte, error) {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return nil, fmt.Errorf("keep a key: %w", err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone already, or of no harm
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, fmt.Errorf("keep a key: %w", err)
	}
	if err := os.Link(tmp.Name(), file); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return os.ReadFile(file)
		}
		return nil, fmt.Errorf("keep a key: %w", err)
	}
	return b, nil
}
