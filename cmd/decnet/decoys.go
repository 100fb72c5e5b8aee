package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"decnet"
	"decnet/api"
	"decnet/decoy"
	"decnet/fleet"
	"decnet/ingest"
	"decnet/repo"
)

// decoyOptions say whether and how serve runs decoys.
type decoyOptions struct {
	Decoys          decoysFlag `variable:"DECNET_DECOYS" placeholder:"FILE" help:"Run decoys: those of the state file, or a small fleet to begin with where there is none. =FILE makes the fleet equal to an INI file (docs/fleet.md), at each start after which the file was changed. The variable is true, or the name of the file."`
	DecoyPortOffset int        `variable:"DECNET_DECOY_PORT_OFFSET" default:"0" help:"Added to the ports of decoys on addresses of this host, for a process that may not listen on low ports: with 10000, ssh is on 10022."`
	DecoyMapped     string     `variable:"DECNET_DECOY_MAPPED" default:"127.0.0.1:20000" help:"Where decoys listen whose address this host does not have: the first of a range of ports. GET /fleet/status tells which has which."`
}

// decoysFlag is a flag that may stand alone or have the name of a file.
type decoysFlag struct {
	on   bool
	file string
}

// IsBool lets the flag stand without a value.
func (*decoysFlag) IsBool() bool { return true }

// Decode implements [kong.MapperValue].
func (f *decoysFlag) Decode(ctx *kong.DecodeContext) error {
	*f = decoysFlag{on: true}
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		return nil
	}
	text, ok := ctx.Scan.Pop().Value.(string)
	if !ok {
		return errors.New("expected the name of a file")
	}
	switch strings.ToLower(text) {
	case "true", "1", "yes":
	case "false", "0", "no":
		f.on = false
	default:
		f.file = text
	}
	return nil
}

func (o *decoyOptions) validate(bad *faults) {
	bad.check(o.DecoyPortOffset >= 0 && o.DecoyPortOffset <= 64511,
		"--decoy-port-offset (DECNET_DECOY_PORT_OFFSET) must be from 0 to 64511, not %d.", o.DecoyPortOffset)
	mapped, err := netip.ParseAddrPort(o.DecoyMapped)
	bad.check(err == nil && mapped.Port() > 0,
		"--decoy-mapped (DECNET_DECOY_MAPPED) %q is not an address with a port, such as 127.0.0.1:20000.", o.DecoyMapped)
}

// decoyDir is where the decoys keep keys, uploads and the journal.
func (c *config) decoyDir() string { return filepath.Join(c.DataDir, "decoys") }

// buildFleet makes the manager of the fleet and, with --decoys, what runs it.
// Nothing runs yet.
func (a *app) buildFleet(ctx context.Context) error {
	state := fleet.NewStateFile(a.config.statePath())
	options := fleet.Options{State: state, Now: a.now, Log: a.log, Changed: func() { a.server.FleetChanged() }}
	if a.config.Decoys.on {
		driver, services, err := a.newDriver(ctx)
		if err != nil {
			return err
		}
		a.driver = driver
		a.add("decoys", a.closeDecoys)
		options.Driver, options.Services = driver, services
		options.Network.Host = hostAddresses()
		options.Interval = func(ctx context.Context) (int64, error) { return a.server.MutationInterval(ctx) }
	}
	a.fleet = fleet.NewManager(options)
	return nil
}

// newDriver makes what runs the decoys, and tells which services it has. This is
// the one place that knows.
func (a *app) newDriver(ctx context.Context) (fleet.Driver, []string, error) {
	mapped, err := netip.ParseAddrPort(a.config.DecoyMapped)
	if err != nil {
		return nil, nil, fmt.Errorf("--decoy-mapped: %w", err)
	}
	makers := a.makers
	if makers == nil {
		makers = decoy.Makers()
	}
	driver, err := decoy.New(decoy.Options{
		Dir:        a.config.decoyDir(),
		PortOffset: a.config.DecoyPortOffset,
		Mapped:     mapped,
		Now:        a.now,
		Log:        a.log,
		Ingested:   a.journalIngested,
		OnLogin:    func(name string, at time.Time) { a.fleet.LoginAttempt(name, at) },
		Makers:     makers,
	})
	if err != nil {
		return nil, nil, err
	}
	a.journal = driver.Journal()
	if err := registerDecoys(a.registry, driver.Status, driver.Lost); err != nil {
		return nil, nil, errors.Join(err, driver.Close(ctx))
	}
	return driver, slices.Sorted(maps.Keys(makers)), nil
}

// journalSource is the journal as the ingester follows it.
func (a *app) journalSource() ingest.Source {
	return ingest.Source{Path: a.journal, Format: "decnet", Follow: true}
}

// journalIngested is how many bytes of the journal are committed.
func (a *app) journalIngested() int64 {
	if a.ingester == nil {
		return 0
	}
	for _, s := range a.ingester.Status().Sources {
		if s.Path == a.journal {
			return s.Offset
		}
	}
	return 0
}

// hostAddresses are those that no decky gets.
func hostAddresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var texts []string
	for _, address := range all {
		if prefix, err := netip.ParsePrefix(address.String()); err == nil {
			texts = append(texts, prefix.Addr().String())
		}
	}
	return texts
}

// closeDecoys ends the decoys, once.
func (a *app) closeDecoys(ctx context.Context) error {
	driver := a.driver
	a.driver = nil
	if driver == nil {
		return nil
	}
	return driver.Close(ctx)
}

// keyFleetFile is the setting that holds the hash of the INI file that was
// deployed last.
const keyFleetFile = "fleet_file"

// startFleet runs the fleet and looks after it. A fleet that was deployed by this
// start must run; one from before may also come later, and /health says why.
func (a *app) startFleet(ctx context.Context) error {
	if a.driver != nil {
		deployed, err := a.deployFirst(ctx)
		if err != nil {
			return err
		}
		if !deployed {
			if err := a.fleet.Start(ctx); err != nil && ctx.Err() == nil {
				a.log.Warn("the decoys of before are not all back yet", slog.Any("error", err))
			}
		}
		a.logListeners()
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.fleet.Run(run)
	}()
	// The decoys end before the ingester does, so that their last events are read.
	a.add("fleet", func(ctx context.Context) error {
		cancel()
		<-done
		return a.closeDecoys(ctx)
	})
	return nil
}

// logListeners tells the operator where each decky really is.
func (a *app) logListeners() {
	where := map[string][]string{}
	var names []string
	for _, s := range a.fleet.Status() {
		if where[s.Decky] == nil {
			names = append(names, s.Decky)
		}
		where[s.Decky] = append(where[s.Decky], fmt.Sprintf("%s %s/%s", s.Service, s.Address, s.Network))
	}
	for _, name := range names {
		a.log.Info("decky", slog.String("name", name), slog.String("listens", strings.Join(where[name], ", ")))
	}
}

// deployFirst deploys the file of --decoys when it is not the one that was
// deployed last, or the example on a machine without a fleet.
func (a *app) deployFirst(ctx context.Context) (bool, error) {
	path := a.config.Decoys.file
	if path == "" {
		if _, err := os.Stat(a.config.statePath()); !errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return true, a.deployINI(ctx, "the fleet to begin with", decnet.ExampleFleet())
	}
	content, err := readINI(path)
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256(content)
	hash := hex.EncodeToString(sum[:])
	last, err := a.store.State(ctx, keyFleetFile)
	if err != nil && !errors.Is(err, repo.ErrNotFound) {
		return false, err
	}
	if last == hash && !missing(a.config.statePath()) {
		return false, nil
	}
	if err := a.deployINI(ctx, path, content); err != nil {
		return false, err
	}
	return true, a.store.SetState(ctx, keyFleetFile, hash)
}

// readINI reads a deployment file.
func readINI(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the fleet's file: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > fleet.MaxINIFile {
		return nil, fmt.Errorf("the fleet's file %s is not a regular file of at most %d bytes", path, fleet.MaxINIFile)
	}
	content, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("the fleet's file: %w", err)
	}
	return content, nil
}

// deployINI makes the fleet equal to a deployment file.
func (a *app) deployINI(ctx context.Context, name string, content []byte) error {
	ini, err := fleet.ParseINIFile(content)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	plan, err := a.fleet.Deploy(ctx, fleet.Deployment{INI: ini, Replace: true})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, sentence := range plan.Ignored {
		a.log.Warn("something in the fleet's file has no effect", slog.String("file", name), slog.String("what", sentence))
	}
	return nil
}

// decoyComponents are what /health shows of the decoys.
func (a *app) decoyComponents() []api.Component {
	if a.driver == nil {
		return nil
	}
	return []api.Component{{
		Name:  "decoys",
		Check: func(context.Context) (string, error) { return a.fleet.Health() },
	}}
}

// noteLogins tells the fleet of the attempts to log in among committed events.
func noteLogins(m *fleet.Manager, events []repo.Event) {
	for i := range events {
		e := &events[i]
		if slices.ContainsFunc(e.Bounties, func(b repo.Bounty) bool { return b.Type == repo.BountyCredential }) {
			m.LoginAttempt(e.Decky, e.Time)
		}
	}
}
