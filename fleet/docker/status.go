package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"decnet/fleet"
)

// StatusFile is the name of the file in a decky's directory in which the process
// inside tells how it is.
const StatusFile = "status.json"

// Report is what the process inside a container tells.
type Report struct {
	// Config is the name of the file that it runs.
	Config string `json:"config"`
	// Error is why it does not run, a sentence; Service which service is at fault.
	Error   string `json:"error,omitempty"`
	Service string `json:"service,omitempty"`
	// Listeners is what it runs, and At when that was.
	Listeners []fleet.Status `json:"listeners"`
	At        time.Time      `json:"at"`
}

// WriteReport writes a report into a decky's directory, whole or not at all.
func WriteReport(dir string, r Report) error {
	encoded, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the status: %w", err)
	}
	return writeWhole(filepath.Join(dir, StatusFile), encoded)
}

func writeWhole(path string, content []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, content, 0o600); err != nil {
		return fmt.Errorf("write a file of the decoys: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("write a file of the decoys: %w", err), os.Remove(tmp))
	}
	return nil
}

// maxReport bounds a report, in bytes: an attacker who broke out of a decoy could
// write anything.
const maxReport = 1 << 20

// readReport reads a decky's report. What is no report is none.
func readReport(dir string) (Report, bool) {
	file, err := os.Open(filepath.Join(dir, StatusFile))
	if err != nil {
		return Report{}, false
	}
	defer file.Close() //nolint:errcheck // nothing was written
	var r Report
	if err := json.NewDecoder(io.LimitReader(file, maxReport)).Decode(&r); err != nil {
		return Report{}, false
	}
	return r, true
}

const (
	// readyTimeout is how long a container may take until its decoys listen.
	readyTimeout = 20 * time.Second
	readyTick    = 20 * time.Millisecond
)

var errNotReady = errors.New("its container did not report that it runs")

// waitReady waits until the process inside a container says that it runs, or why
// it does not.
func waitReady(ctx context.Context, m *machine) error {
	deadline := time.NewTimer(readyTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(readyTick)
	defer tick.Stop()
	for {
		if r, ok := readReport(m.dir); ok && r.Config == m.file {
			if r.Error != "" {
				return &fleet.DeckyError{Decky: m.decky.Name, Service: r.Service, Err: errors.New(r.Error)} //nolint:err113 // what the process says
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for a container: %w", ctx.Err())
		case <-deadline.C:
			return &fleet.DeckyError{Decky: m.decky.Name, Err: errNotReady}
		case <-tick.C:
		}
	}
}

// pollEvery is how often containers are looked at.
const pollEvery = 5 * time.Second

// poll keeps Status fresh until the context ends.
func (d *Driver) poll(ctx context.Context) {
	defer close(d.polled)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.refresh(ctx)
		}
	}
}

// adopt makes these the machines whose status is told.
func (d *Driver) adopt(machines []*machine) {
	var statuses []fleet.Status
	for _, m := range machines {
		statuses = append(statuses, m.status(fleet.Running, "")...)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.machines, d.statuses = machines, statuses
}

// refresh looks at the containers once.
func (d *Driver) refresh(ctx context.Context) {
	d.mu.Lock()
	machines := d.machines
	d.mu.Unlock()
	if len(machines) == 0 {
		return
	}
	there, err := d.list(ctx)
	if ctx.Err() != nil {
		return
	}
	states := map[string]string{}
	for _, p := range there {
		states[p.Labels[labelConfig]] = p.State
	}
	var statuses []fleet.Status
	for _, m := range machines {
		switch state := states[m.hash]; {
		case err != nil:
			statuses = append(statuses, m.status(fleet.Failed, err.Error())...)
		case state == "running":
			statuses = append(statuses, m.status(fleet.Running, "")...)
		case state == "restarting":
			statuses = append(statuses, m.status(fleet.BackingOff, "its container ended")...)
		default:
			statuses = append(statuses, m.status(fleet.Failed, "its container does not run")...)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if slices.Equal(d.machines, machines) { // else there was a change meanwhile
		d.statuses = statuses
	}
}

// status tells of every listener of a machine, with the numbers of the process
// inside where it gave some. Only numbers and the state are taken from there.
func (m *machine) status(state fleet.RunState, problem string) []fleet.Status {
	type key struct {
		service, network string
		port             int
	}
	inside := map[key]fleet.Status{}
	if r, ok := readReport(m.dir); ok && r.Config == m.file {
		for _, s := range r.Listeners {
			inside[key{s.Service, s.Network, s.Port}] = s
		}
	}
	var all []fleet.Status
	listeners, _ := m.decky.Listeners() // where it can't be read, the process inside says so
	for _, l := range listeners {
		s := inside[key{l.Service, l.Network, l.Number}]
		one := fleet.Status{
			Decky: m.decky.Name, Service: l.Service, Network: l.Network, Port: l.Number, Address: addressOf(m.decky.IP, l.Number),
			State: state, Error: problem, Restarts: max(s.Restarts, 0), Open: max(s.Open, 0), Total: max(s.Total, 0), Shed: max(s.Shed, 0),
		}
		if state == fleet.Running && (s.State == fleet.BackingOff || s.State == fleet.Failed) {
			one.State, one.Error = s.State, s.Error
		}
		all = append(all, one)
	}
	return all
}
