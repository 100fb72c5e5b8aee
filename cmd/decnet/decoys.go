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
	"github.com/google/uuid"

	"decnet"
	"decnet/api"
	"decnet/decoy"
	"decnet/decoy/trap"
	"decnet/fleet"
	"decnet/fleet/docker"
	"decnet/ingest"
	"decnet/repo"
)

// decoyOptions say whether and how serve runs decoys.
type decoyOptions struct {
	Decoys          decoysFlag `variable:"DECNET_DECOYS" placeholder:"FILE" help:"Run decoys: those of the state file, or a small fleet to begin with where there is none. =FILE makes the fleet equal to an INI file (docs/fleet.md), at each start after which the file was changed. The variable is true, or the name of the file."`
	Driver          string     `variable:"DECNET_DRIVER" default:"embedded" help:"What runs the decoys: embedded in this process, or docker, where each is a container with a network stack of its own (docs/fleet.md)."`
	DecoyPortOffset int        `variable:"DECNET_DECOY_PORT_OFFSET" default:"0" help:"Added to the ports of embedded decoys on addresses of this host, for a process that may not listen on low ports: with 10000, ssh is on 10022."`
	DecoyMapped     string     `variable:"DECNET_DECOY_MAPPED" default:"127.0.0.1:20000" help:"Where embedded decoys listen whose address this host does not have: the first of a range of ports. GET /fleet/status tells which has which."`
	DockerHost      string     `variable:"DECNET_DOCKER_HOST" default:"unix:///var/run/docker.sock" help:"Docker engine of --driver=docker. Whoever reaches it owns the machine."`
	DockerNetwork   string     `variable:"DECNET_DOCKER_NETWORK" default:"macvlan" help:"Network of the containers: macvlan (an own MAC address each), ipvlan (the host's MAC address), or bridge (only this host and what it routes there)."`
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
	bad.check(o.Driver == driverEmbedded || o.Driver == driverDocker,
		"--driver (DECNET_DRIVER) %q is neither embedded nor docker.", o.Driver)
	bad.check(slices.Contains([]string{"macvlan", "ipvlan", networkBridge}, o.DockerNetwork),
		"--docker-network (DECNET_DOCKER_NETWORK) %q is not macvlan, ipvlan or bridge.", o.DockerNetwork)
	mapped, err := netip.ParseAddrPort(o.DecoyMapped)
	bad.check(err == nil && mapped.Port() > 0,
		"--decoy-mapped (DECNET_DECOY_MAPPED) %q is not an address with a port, such as 127.0.0.1:20000.", o.DecoyMapped)
}

// The words of the options.
const (
	driverEmbedded = "embedded"
	driverDocker   = "docker"
	networkBridge  = "bridge"
)

// decoyDir is where the decoys keep keys, uploads and the journal.
func (c *config) decoyDir() string { return filepath.Join(c.DataDir, "decoys") }

// decoyDriver is what runs the decoys, and what else the app must know of it.
type decoyDriver struct {
	fleet.Driver
	// journal is where it writes events, as the ingester follows it.
	journal ingest.Source
	// lost counts events that could not be written; nil where nobody can tell.
	lost func() int64
	// network is where decoys stand when nobody says, and compose the file that
	// describes them; both may be zero.
	network fleet.Network
	compose string
	// components are its lines in /health beside that of the fleet.
	components []api.Component
}

// buildFleet makes the manager of the fleet and, with --decoys, what runs it.
// Nothing runs yet.
func (a *app) buildFleet(ctx context.Context) error {
	state := fleet.NewStateFile(a.config.statePath())
	options := fleet.Options{State: state, Now: a.now, Log: a.log, Changed: func() { a.server.FleetChanged() }}
	if a.config.Decoys.on {
		makers := a.makers
		if makers == nil {
			makers = decoy.Makers()
		}
		driver, err := a.newDriver(ctx, makers)
		if err != nil {
			return err
		}
		a.driver = driver
		a.add("decoys", a.closeDecoys)
		if err := registerDecoys(a.registry, driver.Status, driver.lost); err != nil {
			return err
		}
		options.Driver = driver.Driver
		options.Services = slices.AppendSeq(make([]string, 0, len(makers)), maps.Keys(makers)) // never nil, which means all
		options.Network, options.ComposePath = driver.network, driver.compose
		options.Network.Host, options.Network.Apart = hostAddresses(), a.config.Driver == driverDocker
		options.Interval = func(ctx context.Context) (int64, error) { return a.server.MutationInterval(ctx) }
	}
	a.fleet = fleet.NewManager(options)
	return nil
}

// newDriver makes what runs the decoys. This is the one place that knows the
// drivers.
func (a *app) newDriver(ctx context.Context, makers map[string]trap.Maker) (*decoyDriver, error) {
	if a.config.Driver == driverDocker {
		return a.newDocker(ctx)
	}
	return a.newEmbedded(makers)
}

func (a *app) newEmbedded(makers map[string]trap.Maker) (*decoyDriver, error) {
	mapped, err := netip.ParseAddrPort(a.config.DecoyMapped)
	if err != nil {
		return nil, fmt.Errorf("--decoy-mapped: %w", err)
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
		return nil, err
	}
	return &decoyDriver{Driver: driver, lost: driver.Lost, journal: journalAt(driver.Journal())}, nil
}

// journalAt follows a journal of decoys, or all that a pattern names.
func journalAt(path string) ingest.Source {
	return ingest.Source{Path: path, Format: "decnet", Follow: true}
}

// keyFleetID is the setting that tells the containers of this installation from
// those of others.
const keyFleetID = "fleet_id"

func (a *app) newDocker(ctx context.Context) (*decoyDriver, error) {
	dir, err := filepath.Abs(filepath.Join(a.config.decoyDir(), "containers"))
	if err != nil {
		return nil, fmt.Errorf("the directory of the decoys: %w", err)
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	id, err := a.store.State(ctx, keyFleetID)
	if errors.Is(err, repo.ErrNotFound) {
		id = uuid.NewString()
		err = a.store.SetState(ctx, keyFleetID, id)
	}
	if err != nil {
		return nil, err
	}
	state, err := filepath.Abs(a.config.statePath())
	if err != nil {
		return nil, fmt.Errorf("the state file: %w", err)
	}
	compose := filepath.Join(filepath.Dir(state), "decnet-compose.yml")
	driver, err := docker.New(docker.Options{ //nolint:contextcheck // what it begins ends with Close
		Host: a.config.DockerHost, Fleet: id, Dir: dir, Binary: binary, Compose: compose,
		Network: a.config.DockerNetwork, Log: a.log,
	})
	if err != nil {
		return nil, err
	}
	return &decoyDriver{
		Driver: driver, journal: journalAt(driver.Journals()), compose: compose,
		network: dockerNetwork(a.config.DockerNetwork),
		components: []api.Component{{
			Name: "docker", Critical: true, Window: api.DockerWindow,
			Check: func(ctx context.Context) (string, error) { return "", driver.Ping(ctx) },
		}},
	}, nil
}

// journalIngested is how many bytes of the journal are committed.
func (a *app) journalIngested() int64 {
	if a.ingester == nil {
		return 0
	}
	for _, s := range a.ingester.Status().Sources {
		if s.Path == a.driver.journal.Path {
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

// decoysTimeout is how long the decoys may take to end.
const decoysTimeout = 5 * time.Second

// closeDecoys ends the decoys, once.
func (a *app) closeDecoys(ctx context.Context) error {
	if a.driver == nil || a.decoysClosed {
		return nil
	}
	a.decoysClosed = true
	ctx, cancel := context.WithTimeout(ctx, decoysTimeout)
	defer cancel()
	return a.driver.Close(ctx)
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
		return true, a.deployINI(ctx, exampleName, decnet.ExampleFleet())
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

// exampleName is what the fleet to begin with is called in messages.
const exampleName = "the fleet to begin with"

// deployINI makes the fleet equal to a deployment file.
func (a *app) deployINI(ctx context.Context, name string, content []byte) error {
	ini, err := fleet.ParseINIFile(content)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if name == exampleName && a.config.Driver == driverDocker {
		ini.Net = "" // containers can't stand on loopback addresses
		for i := range ini.Deckies {
			ini.Deckies[i].IP = ""
		}
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
	return append(a.driver.components, api.Component{
		Name:  "decoys",
		Check: func(context.Context) (string, error) { return a.fleet.Health() },
	})
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
