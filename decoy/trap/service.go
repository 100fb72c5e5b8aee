package trap

import (
	"context"
	"log/slog"
	"time"
)

// Server imitates a service over TCP.
type Server interface {
	// Serve talks with one client and returns when that one left, broke the
	// protocol, or reached a limit, which shows as an error of the session's Read
	// and Write. The caller closes the session, records its begin and its end, and
	// catches a panic. Serve begins no goroutine that outlives it. When ctx ends,
	// reads and writes fail.
	Serve(ctx context.Context, s *Session)
}

// Responder imitates a service over UDP.
type Responder interface {
	// Respond answers one datagram; nil is no answer. The answer is sent to where
	// the datagram says that it came from, which may be forged: the caller sends no
	// more than its limits for one address allow. It does not keep d.Data.
	Respond(ctx context.Context, d *Datagram) []byte
}

// Service is an imitated service of one decky. One of TCP and UDP, or both, are
// set. Both are used by many goroutines at once.
type Service struct {
	TCP Server
	UDP Responder
	// SourceKey is the field that holds the attacker's address in its events, as
	// the wire dialect has it: "src" where it is "", else src_ip or remote_addr.
	SourceKey string
}

// Maker makes a service for one decky. It reports a setting that it can't
// honour as an error, a sentence for whoever wrote the settings. It opens and
// begins nothing that would have to be ended.
type Maker func(e Env) (Service, error)

// Config is the settings of a service, as its section of a deployment file has
// them. A service ignores those that it doesn't know.
type Config map[string]string

// Env is the surroundings of a service.
type Env struct {
	Host *Host
	// Service is the name that its events carry.
	Service string
	Config  Config
	// Files takes what attackers upload.
	Files *Quarantine
	// Now is the clock that events and invented dates go by.
	Now func() time.Time
	// Log is for the operator, about trouble of the decoy itself. What an attacker
	// sent belongs in an event.
	Log *slog.Logger
}
