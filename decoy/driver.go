package decoy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"decnet/decoy/trap"
	"decnet/fleet"
)

// Driver runs decoys. It implements [fleet.Driver].
type Driver struct {
	o       Options
	secret  []byte
	journal *Journal
	files   *trap.Quarantine
	gate    *gate
	sources *sources

	// applying is held by the Apply or Close that is under way.
	applying chan struct{}
	// tasks are all goroutines: of listeners and of sessions.
	tasks sync.WaitGroup
	// life ends, with cut, the sessions of all machines, also of those that are
	// not in the fleet any more.
	life context.Context //nolint:containedctx // the life of the driver
	cut  context.CancelFunc

	// mu guards what follows; it is never held while anything is opened.
	mu        sync.RWMutex
	machines  map[string]*machine
	listeners map[place]*listener
	order     []place
	places    places
	closed    bool
}

var _ fleet.Driver = (*Driver)(nil)

// New makes a driver that runs nothing yet. It opens the journal and the
// quarantine, which Close closes.
func New(o Options) (*Driver, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("the directory of the decoys: %w", err)
	}
	secret, err := loadSecret(o.Dir)
	if err != nil {
		return nil, err
	}
	files, err := trap.OpenQuarantine(filepath.Join(o.Dir, "quarantine"), o.Limits.UploadSize, o.Limits.UploadTotal)
	if err != nil {
		return nil, err
	}
	sources, err := newSources(o.Limits.Datagrams)
	if err != nil {
		return nil, err
	}
	d := &Driver{
		o: o, secret: secret, files: files, gate: newGate(&o.Limits), sources: sources,
		applying: make(chan struct{}, 1), machines: map[string]*machine{}, listeners: map[place]*listener{},
		places: places{
			offset: o.PortOffset, mapped: o.Mapped, taken: map[place]listenerID{}, known: map[listenerID]place{},
		},
	}
	if d.journal, err = openJournal(o.Journal, &d.o); err != nil {
		return nil, err
	}
	d.life, d.cut = context.WithCancel(context.Background())
	return d, nil
}

// Journal returns the file that events are appended to, in the format of the
// DECNET collector.
func (d *Driver) Journal() string { return d.o.Journal }

// Lost returns how many events could not be written since the start.
func (d *Driver) Lost() int64 { return d.journal.Lost() }

var errClosed = errors.New("the decoys were closed")

func (d *Driver) acquire(ctx context.Context) error {
	select {
	case d.applying <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the change before: %w", ctx.Err())
	}
}

func (d *Driver) release() { <-d.applying }

// Apply implements [fleet.Driver].
func (d *Driver) Apply(ctx context.Context, deckies []fleet.Decky) error {
	if err := d.acquire(ctx); err != nil {
		return err
	}
	defer d.release()
	if d.isClosed() {
		return errClosed
	}
	n, err := d.prepare(ctx, deckies)
	if err != nil {
		n.discard()
		return err
	}
	d.commit(n) //nolint:contextcheck // what it begins lives as long as the driver
	return nil
}

func (d *Driver) isClosed() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.closed
}

// next is a fleet that is ready to run.
type next struct {
	machines map[string]*machine
	// wanted are all places, in order; bindings what answers there.
	wanted   []place
	bindings map[place]*binding
	// opened are the sockets that did not exist before, made the machines.
	opened map[place]*listener
	made   []*machine
	ids    map[listenerID]bool
}

// discard closes what was opened in vain.
func (n *next) discard() {
	for _, l := range n.opened {
		l.close()
	}
	for _, m := range n.made {
		m.cancel()
	}
}

// prepare makes and opens all that the deckies need and that is not there yet.
// It changes nothing that runs.
func (d *Driver) prepare(ctx context.Context, deckies []fleet.Decky) (*next, error) {
	n := &next{
		machines: map[string]*machine{}, bindings: map[place]*binding{},
		opened: map[place]*listener{}, ids: map[listenerID]bool{},
	}
	local, err := localAddresses()
	if err != nil {
		return n, err
	}
	d.places.local = local
	for i := range deckies {
		m, made, err := d.machineFor(&deckies[i])
		if err != nil {
			return n, err
		}
		if made {
			n.made = append(n.made, m)
		}
		n.machines[m.name] = m
		if err := d.place(n, m, &deckies[i]); err != nil {
			return n, err
		}
	}
	for _, at := range n.wanted {
		if d.listeners[at] != nil {
			continue
		}
		l, err := d.open(ctx, at)
		if err != nil {
			b := n.bindings[at]
			return n, &fleet.DeckyError{Decky: b.machine.name, Service: b.env.Service, Err: explain(at, err)}
		}
		n.opened[at] = l
	}
	return n, nil
}

// place finds the places of a machine's listeners.
func (d *Driver) place(n *next, m *machine, decky *fleet.Decky) error {
	all, err := decky.Listeners()
	if err != nil {
		return &fleet.DeckyError{Decky: m.name, Err: err}
	}
	for _, want := range all {
		fail := func(err error) error {
			return &fleet.DeckyError{Decky: m.name, Service: want.Service, Err: err}
		}
		service := m.services[want.Service]
		if want.Network == "tcp" && service.made.TCP == nil || want.Network == "udp" && service.made.UDP == nil {
			return fail(fmt.Errorf("it does not answer on %s", want.Network))
		}
		id := listenerID{m.name, want.Network, want.Number}
		at, err := d.places.of(m.host.Addr, id)
		if err != nil {
			return fail(err)
		}
		if other := n.bindings[at]; other != nil {
			return fail(fmt.Errorf("%s %s is that of decky %q already", at.network, at.addr, other.machine.name))
		}
		n.ids[id] = true
		n.wanted = append(n.wanted, at)
		n.bindings[at] = &binding{
			machine: m, env: service.env, service: service.made, port: want.Number,
		}
	}
	return nil
}

// commit lets the next fleet run. Nothing in it can fail.
func (d *Driver) commit(n *next) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for at, b := range n.bindings {
		if l := d.listeners[at]; l != nil {
			l.bound.Store(b)
		}
	}
	for at, l := range n.opened {
		l.bound.Store(n.bindings[at])
		d.listeners[at] = l
		d.tasks.Go(func() { d.run(l) })
	}
	for at, l := range d.listeners {
		if n.bindings[at] == nil {
			l.close()
			delete(d.listeners, at)
		}
	}
	for name, old := range d.machines {
		if n.machines[name] != old {
			old.retire(d.o.Limits.Drain)
		}
	}
	d.machines, d.order = n.machines, n.wanted
	d.places.keep(n.ids)
}

// Status implements [fleet.Driver].
func (d *Driver) Status() []fleet.Status {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := make([]fleet.Status, 0, len(d.order))
	rank := make(map[string]int, len(d.machines))
	for _, at := range d.order {
		s := d.listeners[at].status()
		if _, seen := rank[s.Decky]; !seen {
			rank[s.Decky] = len(rank)
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b fleet.Status) int {
		return compareAll(rank[a.Decky]-rank[b.Decky], compareText(a.Service, b.Service), a.Port-b.Port)
	})
	return all
}

// Close implements [fleet.Driver]. Sessions are cut, since an attacker may stay
// for as long as the limits let.
func (d *Driver) Close(ctx context.Context) error {
	if err := d.acquire(ctx); err != nil {
		return err
	}
	defer d.release()
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	for _, l := range d.listeners {
		l.close()
	}
	d.cut()
	d.mu.Unlock()
	done := make(chan struct{})
	go func() {
		d.tasks.Wait()
		close(done)
	}()
	select {
	case <-done:
		return d.journal.Close()
	case <-ctx.Done():
		return fmt.Errorf("decoys are still running: %w", ctx.Err())
	}
}

// retire lets the sessions of a machine go on for a while.
func (m *machine) retire(drain time.Duration) {
	time.AfterFunc(drain, m.cancel)
}
