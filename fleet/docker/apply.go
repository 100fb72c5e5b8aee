package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"decnet/fleet"
)

var (
	errClosed    = errors.New("the decoys were closed")
	errNoNetwork = errors.New("containers need to know their network")
)

// Apply implements [fleet.Driver]. Without a network there can be no containers.
func (d *Driver) Apply(ctx context.Context, deckies []fleet.Decky) error {
	if len(deckies) > 0 {
		return errNoNetwork
	}
	return d.ApplyConfig(ctx, fleet.Config{})
}

// ApplyConfig implements [fleet.ConfigDriver].
func (d *Driver) ApplyConfig(ctx context.Context, c fleet.Config) error {
	if err := d.acquire(ctx); err != nil {
		return err
	}
	defer d.release()
	d.mu.Lock()
	closed := d.closed
	d.mu.Unlock()
	if closed {
		return errClosed
	}
	there, err := d.list(ctx)
	if err != nil {
		return err
	}
	if len(c.Deckies) == 0 {
		if err := d.removeAll(ctx, there); err != nil {
			return err
		}
		d.adopt(nil)
		return nil
	}
	if err := d.checkNetwork(&c); err != nil {
		return err
	}
	image, err := d.ensureImage(ctx)
	if err != nil {
		return err
	}
	network := d.networkSpec(&c)
	if err := d.ensureNetwork(ctx, network, there); err != nil {
		return err
	}
	s := &switchover{driver: d}
	for _, decky := range c.Deckies {
		m, err := d.machineOf(ctx, decky, image, network.Name)
		if err != nil {
			return err
		}
		s.machines = append(s.machines, m)
	}
	return s.run(ctx, network, there)
}

// checkNetwork refuses what an engine could only refuse in words that help
// nobody.
func (d *Driver) checkNetwork(c *fleet.Config) error {
	subnet, err := netip.ParsePrefix(c.Subnet)
	switch {
	case err != nil:
		return &fleet.PlanError{Faults: []string{"containers need a network: give [general] net="}}
	case subnet.Addr().IsLoopback():
		return &fleet.PlanError{Faults: []string{"containers cannot stand on the loopback network " + c.Subnet + ": give [general] net="}}
	case c.Interface == "" && d.o.Network != bridge:
		return &fleet.PlanError{Faults: []string{"containers need an interface of the host: give [general] interface="}}
	}
	return nil
}

// present is a container of ours that the engine has.
type present struct {
	ID     string            `json:"Id"`
	Labels map[string]string `json:"Labels"`
	State  string            `json:"State"`
}

func (p *present) running() bool { return p.State == "running" }

// list returns the containers of this installation.
func (d *Driver) list(ctx context.Context) ([]present, error) {
	var all []present
	query := url.Values{"all": {"1"}, "filters": {d.filter()}}
	if err := d.engine.call(ctx, http.MethodGet, "/containers/json", query, nil, &all); err != nil {
		return nil, fmt.Errorf("list the containers: %w", err)
	}
	return all, nil
}

// filter chooses what carries our label.
func (d *Driver) filter() string {
	encoded, _ := json.Marshal(map[string][]string{"label": {labelFleet + "=" + d.o.Fleet}}) // always encodes
	return string(encoded)
}

// ensureNetwork makes the network unless it is there. It cannot replace one while
// decoys stand in it.
func (d *Driver) ensureNetwork(ctx context.Context, want network, there []present) error {
	var all []struct {
		ID   string `json:"Id"`
		Name string `json:"Name"`
	}
	if err := d.engine.call(ctx, http.MethodGet, "/networks", url.Values{"filters": {d.filter()}}, nil, &all); err != nil {
		return fmt.Errorf("list the networks: %w", err)
	}
	for _, n := range all {
		if n.Name == want.Name {
			return nil
		}
	}
	if len(all) > 0 && len(there) > 0 {
		return &fleet.PlanError{Faults: []string{"the network of containers cannot change while they run: remove the deckies first"}}
	}
	if err := d.removeNetworks(ctx); err != nil {
		return err
	}
	if err := d.engine.call(ctx, http.MethodPost, "/networks/create", nil, want, nil); err != nil {
		return &fleet.PlanError{Faults: []string{fmt.Sprintf("the network %s cannot be made: %v", want.IPAM.Config[0].Subnet, err)}}
	}
	return nil
}

func (d *Driver) removeNetworks(ctx context.Context) error {
	var all []struct {
		ID string `json:"Id"`
	}
	if err := d.engine.call(ctx, http.MethodGet, "/networks", url.Values{"filters": {d.filter()}}, nil, &all); err != nil {
		return fmt.Errorf("list the networks: %w", err)
	}
	for _, n := range all {
		if err := d.engine.call(ctx, http.MethodDelete, "/networks/"+n.ID, nil, nil, nil); err != nil && !isStatus(err, http.StatusNotFound) {
			return fmt.Errorf("remove the network: %w", err)
		}
	}
	return nil
}

// removeAll ends all containers and their network.
func (d *Driver) removeAll(ctx context.Context, there []present) error {
	err := each(there, func(p present) error {
		if err := d.stopContainer(ctx, p.ID); err != nil {
			return err
		}
		return d.removeContainer(ctx, p.ID)
	})
	if err != nil {
		return err
	}
	return d.removeNetworks(ctx)
}

// atOnce is how many containers are stopped or started at the same time.
const atOnce = 8

// each does something with all, several at the same time, and returns the first
// error after all are done.
func each[T any](all []T, do func(T) error) error {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, one := range all {
		group.Go(func() error { return do(one) })
	}
	return group.Wait() //nolint:wrapcheck // it is what do returns
}

// stopGrace is how long a container may take to end, in seconds.
const stopGrace = "3"

func (d *Driver) stopContainer(ctx context.Context, id string) error {
	err := d.engine.call(ctx, http.MethodPost, "/containers/"+id+"/stop", url.Values{"t": {stopGrace}}, nil, nil)
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return fmt.Errorf("stop a container: %w", err)
	}
	return nil
}

func (d *Driver) startContainer(ctx context.Context, id string) error {
	if err := d.engine.call(ctx, http.MethodPost, "/containers/"+id+"/start", nil, nil, nil); err != nil {
		return fmt.Errorf("start a container: %w", err)
	}
	return nil
}

func (d *Driver) removeContainer(ctx context.Context, id string) error {
	err := d.engine.call(ctx, http.MethodDelete, "/containers/"+id, url.Values{"force": {"1"}, "v": {"1"}}, nil, nil)
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return fmt.Errorf("remove a container: %w", err)
	}
	return nil
}

// switchover goes from the containers that are there to those that should be,
// or back.
type switchover struct {
	driver   *Driver
	machines []*machine
	// made are new containers, retired those that others take the place of.
	made    []made
	retired []present
}

// made is a new container.
type made struct {
	id string
	*machine
}

func (s *switchover) run(ctx context.Context, network network, there []present) error {
	compose, err := s.driver.prepareCompose(network, s.machines)
	if err != nil {
		return err
	}
	defer compose.discard()
	fresh, err := s.sort(ctx, there)
	if err == nil {
		err = s.create(ctx, fresh)
	}
	if err == nil {
		err = s.exchange(ctx)
	}
	if err == nil {
		err = compose.commit()
	}
	if err != nil {
		// Going back must not be cut short by whoever gave up.
		return errors.Join(err, s.back(context.WithoutCancel(ctx)))
	}
	s.driver.adopt(s.machines)
	s.tidy(ctx)
	return nil
}

// sort finds which machines need a new container, and which containers none needs.
func (s *switchover) sort(ctx context.Context, there []present) (fresh []*machine, err error) {
	running := map[string]bool{}
	for _, p := range there {
		if p.running() {
			running[p.Labels[labelConfig]] = true
		}
	}
	wanted := map[string]bool{}
	for _, m := range s.machines {
		wanted[m.hash] = true
		if !running[m.hash] {
			fresh = append(fresh, m)
		}
	}
	for _, p := range there {
		switch {
		case !p.running(): // a crash left it
			if err := s.driver.removeContainer(ctx, p.ID); err != nil {
				return nil, err
			}
		case !wanted[p.Labels[labelConfig]]:
			s.retired = append(s.retired, p)
		}
	}
	return fresh, nil
}

// create makes the new containers; none of them runs yet.
func (s *switchover) create(ctx context.Context, fresh []*machine) error {
	for _, m := range fresh {
		err := os.MkdirAll(m.dir, 0o700)
		if err == nil {
			err = os.WriteFile(filepath.Join(m.dir, m.file), m.description, 0o600)
		}
		var answer struct {
			ID string `json:"Id"`
		}
		if err == nil {
			err = s.driver.engine.call(ctx, http.MethodPost, "/containers/create", url.Values{"name": {m.name}}, m.spec, &answer)
		}
		if err != nil {
			return &fleet.DeckyError{Decky: m.decky.Name, Err: err}
		}
		s.made = append(s.made, made{answer.ID, m})
	}
	return nil
}

// exchange stops the old containers, starts the new ones, and waits until their
// decoys listen. An address can only be one container's, so that there is a
// moment without.
func (s *switchover) exchange(ctx context.Context) error {
	err := each(s.retired, func(p present) error {
		if err := s.driver.stopContainer(ctx, p.ID); err != nil {
			return &fleet.DeckyError{Decky: p.Labels[labelDecky], Err: err}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return each(s.made, func(m made) error {
		err := os.Remove(filepath.Join(m.dir, StatusFile))
		if err == nil || errors.Is(err, os.ErrNotExist) {
			err = s.driver.startContainer(ctx, m.id)
		}
		if err != nil {
			return &fleet.DeckyError{Decky: m.decky.Name, Err: err}
		}
		return waitReady(ctx, m.machine)
	})
}

// back undoes what was done so far.
func (s *switchover) back(ctx context.Context) error {
	var errs []error
	for _, m := range s.made {
		errs = append(errs, s.driver.removeContainer(ctx, m.id))
	}
	for _, p := range s.retired {
		errs = append(errs, s.driver.startContainer(ctx, p.ID))
	}
	return errors.Join(errs...)
}

// tidy removes what is not needed any more. What remains after a failure is
// removed by the next change.
func (s *switchover) tidy(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for _, p := range s.retired {
		if err := s.driver.removeContainer(ctx, p.ID); err != nil {
			s.driver.o.Log.WarnContext(ctx, "a container that was stopped is still there", slog.Any("error", err))
		}
	}
	for _, m := range s.machines {
		old, _ := filepath.Glob(filepath.Join(m.dir, "decky-*.json")) // the pattern is well-formed
		for _, path := range old {
			if !strings.HasSuffix(path, m.file) {
				_ = os.Remove(path) // of no harm
			}
		}
	}
}
