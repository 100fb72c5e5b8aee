package fleet

import (
	"context"
	"strconv"
)

// Driver starts and stops the decoys of a fleet. Its methods are safe for
// concurrent use.
type Driver interface {
	// Apply makes the running decoys equal to these. A decoy that is already as
	// it should be keeps running with its connections; one that changed or is gone
	// drains. It is all or nothing: after an error the decoys from before
	// still run, and the error is, or wraps, a [*DeckyError] that says which decoy
	// could not be started. It does not keep or change what it is given.
	Apply(ctx context.Context, deckies []Decky) error
	// Status tells of every listener of every decoy, by decky in the order
	// of Apply, then by service and port. It answers at once, from memory.
	Status() []Status
	// Close ends all decoys and waits for them, at most until the context
	// ends. The driver cannot be used afterwards.
	Close(ctx context.Context) error
}

// ConfigDriver is a driver that must know the network too, which a [Manager]
// then calls instead of Apply.
type ConfigDriver interface {
	Driver
	// ApplyConfig is Apply with all that is known of the fleet.
	ApplyConfig(ctx context.Context, c Config) error
}

// RunState is what a listener of a decoy is doing.
type RunState string

// The states of a listener.
const (
	// Running: it takes connections.
	Running RunState = "running"
	// BackingOff: it ended unexpectedly and waits to be started again.
	BackingOff RunState = "backing_off"
	// Failed: it ended and is not going to be started again.
	Failed RunState = "failed"
)

// Status is what one listener of one decoy is doing.
type Status struct {
	Decky   string
	Service string
	// Network is "tcp" or "udp".
	Network string
	// Port is the one that the imitated service has, and Address the host and
	// port that the listener really has. They differ where ports are mapped.
	Port    int
	Address string
	State   RunState
	// Error is why it ended last, a sentence for an operator; "" for never.
	Error string
	// Restarts counts how often it was started again after it ended by itself.
	Restarts int64
	// Open counts the connections of now. Total counts those accepted since it was
	// first started and Shed those that were refused or dropped because a limit was
	// reached; for UDP they are datagrams.
	Open  int64
	Total int64
	Shed  int64
}

// DeckyError says which decoy a fleet fails at, and why.
type DeckyError struct {
	Decky string
	// Service is "" where the decoy fails as a whole.
	Service string
	Err     error
}

// Error is a sentence for an operator.
func (e *DeckyError) Error() string {
	where := "decky " + strconv.Quote(e.Decky)
	if e.Service != "" {
		where += ", service " + strconv.Quote(e.Service)
	}
	return where + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *DeckyError) Unwrap() error { return e.Err }
