package testutil

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"

	"decnet/fleet"
)

// Driver is a [fleet.Driver] that runs nothing, remembers everything, and fails
// on command.
type Driver struct {
	mu      sync.Mutex
	applied [][]fleet.Decky
	running []fleet.Decky
	fail    func(deckies []fleet.Decky) error
	closed  bool
}

// Fail makes the coming Apply calls fail with what the function returns, nil for
// those that shall not; a nil function ends it.
func (d *Driver) Fail(why func(deckies []fleet.Decky) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = why
}

// Apply implements [fleet.Driver].
func (d *Driver) Apply(ctx context.Context, deckies []fleet.Decky) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.fail != nil {
		if err := d.fail(slices.Clone(deckies)); err != nil {
			return err
		}
	}
	d.running = slices.Clone(deckies)
	d.applied = append(d.applied, d.running)
	return nil
}

// Applied returns how often Apply succeeded.
func (d *Driver) Applied() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.applied)
}

// Running returns the deckies of the last Apply that succeeded.
func (d *Driver) Running() []fleet.Decky {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.running)
}

// Names returns the names of the running deckies.
func (d *Driver) Names() []string {
	names := []string{}
	for _, decky := range d.Running() {
		names = append(names, decky.Name)
	}
	return names
}

// Status implements [fleet.Driver]: every listener runs on the port it imitates.
func (d *Driver) Status() []fleet.Status {
	var all []fleet.Status
	for _, decky := range d.Running() {
		listeners, _ := decky.Listeners() // no test deploys what can't be read
		for _, l := range listeners {
			all = append(all, fleet.Status{
				Decky: decky.Name, Service: l.Service, Network: l.Network, Port: l.Number, Address: net.JoinHostPort(decky.IP, strconv.Itoa(l.Number)), State: fleet.Running,
			})
		}
	}
	return all
}

// Close implements [fleet.Driver].
func (d *Driver) Close(context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running, d.closed = nil, true
	return nil
}
