package decoy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"decnet/decoy/trap"
	"decnet/fleet"
)

// machine is one decky that runs, with all its services.
type machine struct {
	name string
	host *trap.Host
	// identity is all that the machine was made of, to tell whether it changed.
	identity string
	services map[string]imitation

	ctx    context.Context //nolint:containedctx // the life of the machine, which its sessions share
	cancel context.CancelFunc
}

type imitation struct {
	env  trap.Env
	made trap.Service
}

// identityOf is all of a decky that its decoy depends on.
func identityOf(d *fleet.Decky) string {
	copied := *d
	copied.MutateInterval, copied.LastMutated, copied.LastLoginAttempt = nil, 0, 0
	b, err := json.Marshal(copied)
	if err != nil {
		panic(fmt.Sprintf("decoy: a decky is always JSON: %v", err))
	}
	return string(b)
}

// machineFor returns the machine that runs already, or makes it.
func (d *Driver) machineFor(decky *fleet.Decky) (m *machine, made bool, err error) {
	identity := identityOf(decky)
	if old := d.machines[decky.Name]; old != nil && old.identity == identity {
		return old, false, nil
	}
	fail := func(service string, err error) error {
		return &fleet.DeckyError{Decky: decky.Name, Service: service, Err: err}
	}
	addr, err := addressOf(decky)
	if err != nil {
		return nil, false, fail("", err)
	}
	archetype := ""
	if decky.Archetype != nil {
		archetype = *decky.Archetype
	}
	host, err := trap.NewHost(trap.Identity{
		Decky: decky.Name, Hostname: decky.Hostname, Distro: decky.Distro, System: decky.NmapOS,
		Archetype: archetype, Addr: addr, Secret: d.secret, Keys: filepath.Join(d.o.Dir, "keys", fileName(decky.Name)),
	})
	if err != nil {
		return nil, false, fail("", err)
	}
	m = &machine{name: decky.Name, host: host, identity: identity, services: map[string]imitation{}}
	for _, service := range decky.Services {
		maker := d.o.Makers[service]
		if maker == nil {
			return nil, false, fail(service, fmt.Errorf("no decoy imitates %s", strconv.Quote(service)))
		}
		env := trap.Env{
			Host: host, Service: service, Config: configOf(decky.ServiceConfig[service]), Files: d.files,
			Now: d.o.Now, Log: d.o.Log.With(slog.String("decky", decky.Name), slog.String("service", service)),
		}
		made, err := maker(env)
		if err != nil {
			return nil, false, fail(service, err)
		}
		m.services[service] = imitation{env, made}
	}
	m.ctx, m.cancel = context.WithCancel(d.life)
	return m, true, nil
}

// configOf gives settings as text, which they are in a deployment file; a state
// file of others may have numbers and the like.
func configOf(raw map[string]json.RawMessage) trap.Config {
	c := make(trap.Config, len(raw))
	for key, value := range raw {
		var s string
		if json.Unmarshal(value, &s) != nil {
			s = string(value)
		}
		c[strings.ToLower(key)] = s
	}
	return c
}

// fileName makes a name of a directory from that of a decky.
func fileName(decky string) string {
	const longest = 200
	name := "d-" + url.PathEscape(decky)
	if len(name) > longest {
		sum := sha256.Sum256([]byte(decky))
		name = name[:longest] + "-" + hex.EncodeToString(sum[:8])
	}
	return name
}

func compareText(a, b string) int { return cmp.Compare(a, b) }

// compareAll returns the first of the comparisons that isn't equal.
func compareAll(all ...int) int { return cmp.Or(all...) }
