package api

import (
	"context"
	"errors"
	"time"

	"decnet/fleet"
	"decnet/repo"
)

// LogReader reads events. Lists are never nil.
type LogReader interface {
	// Stats returns the counters; its cost does not depend on the number of rows.
	Stats(ctx context.Context) (repo.Stats, error)
	// Logs returns a page, newest first.
	Logs(ctx context.Context, q repo.LogQuery) ([]repo.Log, error)
	// Log returns one event, or [repo.ErrNotFound].
	Log(ctx context.Context, id int64) (repo.Log, error)
	// CountLogs returns how many events the filter chooses, at least: beside
	// [repo.ErrTooBroad] there may be more.
	CountLogs(ctx context.Context, f repo.LogFilter) (int64, error)
	// CountOn counts such a total on, until CountLogs knows it or ctx is done. After each
	// piece of work it rests for as long as the function says.
	CountOn(ctx context.Context, f repo.LogFilter, rest func(worked time.Duration) time.Duration) error
	// LogsAfter returns up to limit events with an id above after, ascending.
	LogsAfter(ctx context.Context, after int64, f repo.LogFilter, limit int) ([]repo.Log, error)
	// LastLogID returns the highest id ever given to an event, 0 when none was.
	LastLogID(ctx context.Context) (int64, error)
	// Histogram counts events in buckets of the interval, a whole number of
	// minutes, at least one; the oldest bucket first.
	Histogram(ctx context.Context, f repo.LogFilter, interval time.Duration) ([]repo.Bucket, error)
	// Ranking tells which values of a column have the most events in a range.
	Ranking(ctx context.Context, q repo.RankingQuery) (repo.Ranking, error)
}

// BountyReader reads bounties. Lists are never nil.
type BountyReader interface {
	// Bounties returns a page, newest first.
	Bounties(ctx context.Context, q repo.BountyQuery) ([]repo.Bounty, error)
	// CountBounties returns how many bounties the filter chooses.
	CountBounties(ctx context.Context, f repo.BountyFilter) (int64, error)
}

// AttackerReader reads profiles. Lists are never nil.
type AttackerReader interface {
	// Attackers returns a page, behaviour included.
	Attackers(ctx context.Context, q repo.AttackerQuery) ([]repo.Attacker, error)
	// CountAttackers returns how many attackers the filter chooses.
	CountAttackers(ctx context.Context, f repo.AttackerFilter) (int64, error)
	// Attacker returns one profile, or [repo.ErrNotFound].
	Attacker(ctx context.Context, uuid string) (repo.Attacker, error)
	// Commands returns a page of an attacker's commands, oldest first, and how
	// many the query chooses in all, or [repo.ErrNotFound].
	Commands(ctx context.Context, uuid string, q repo.CommandQuery) ([]repo.Command, int64, error)
}

// CredentialReader reads what attackers tried. Lists are never nil.
type CredentialReader interface {
	// Credentials returns a page.
	Credentials(ctx context.Context, q repo.CredentialQuery) ([]repo.Credential, error)
	// CountCredentials returns how many credentials the filter chooses.
	CountCredentials(ctx context.Context, f repo.CredentialFilter) (int64, error)
}

// RejectReader reads the lines that gave no event. Lists are never nil.
type RejectReader interface {
	// RejectPage returns a page, newest first, and how many the query chooses.
	RejectPage(ctx context.Context, q repo.RejectQuery) ([]repo.Reject, int64, error)
}

// SensorStore keeps those who may send events.
type SensorStore interface {
	// Sensors returns all sensors in the order of their names; never nil.
	Sensors(ctx context.Context) ([]repo.Sensor, error)
	// CreateSensor stores a new sensor, or returns [repo.ErrConflict] for a taken name.
	CreateSensor(ctx context.Context, s repo.Sensor) error
	// DeleteSensor forgets a sensor; its events stay. It returns [repo.ErrNotFound].
	DeleteSensor(ctx context.Context, uuid string) error
}

// UserStore keeps the accounts.
type UserStore interface {
	// Users returns all accounts in the order of their names.
	Users(ctx context.Context) ([]repo.User, error)
	// CreateUser stores a new account, or returns [repo.ErrConflict] for a taken name.
	CreateUser(ctx context.Context, u repo.User) error
	// DeleteUser returns [repo.ErrNotFound] or [repo.ErrLastAdmin].
	DeleteUser(ctx context.Context, uuid string) error
	// SetRole raises the token version where the role changes. It returns
	// [repo.ErrNotFound] or [repo.ErrLastAdmin].
	SetRole(ctx context.Context, uuid string, role repo.Role) error
	// SetPassword stores a hash and the flag, and raises the token version. It
	// returns [repo.ErrNotFound].
	SetPassword(ctx context.Context, uuid, hash string, mustChange bool) error
}

// StateStore keeps the settings.
type StateStore interface {
	// State returns the value of a key, or [repo.ErrNotFound].
	State(ctx context.Context, key string) (string, error)
	// SetState stores the value of a key.
	SetState(ctx context.Context, key, value string) error
}

// Store is all that the API asks of an engine.
type Store interface {
	LogReader
	BountyReader
	AttackerReader
	CredentialReader
	RejectReader
	SensorStore
	UserStore
	StateStore
	// Ping makes the engine answer a trivial query.
	Ping(ctx context.Context) error
	// Purge removes events, bounties and attackers, not the read positions.
	Purge(ctx context.Context) (repo.Purged, error)
}

// Fleet knows the decoys.
type Fleet interface {
	// Deckies returns the fleet in the order of its state file; never nil. When
	// the file is broken it returns the last good fleet together with an error.
	Deckies(ctx context.Context) ([]fleet.Decky, error)
}

// FleetManager changes the fleet, all of a change or nothing of it. Its errors are
// *[fleet.PlanError], *[fleet.DeckyError], [fleet.ErrNoDecky] and [fleet.ErrState].
type FleetManager interface {
	// Deploy carries out a deployment, or only plans it.
	Deploy(ctx context.Context, want fleet.Deployment) (fleet.Plan, error)
	// Mutate gives a decky other services; false means that there are no others.
	Mutate(ctx context.Context, name string) (fleet.Decky, bool, error)
	// SetMutateInterval sets a decky's interval in minutes; nil means the fleet's.
	SetMutateInterval(ctx context.Context, name string, minutes *int64) error
	// Remove takes a decky away.
	Remove(ctx context.Context, name string) error
	// Runs reports whether this process runs the fleet, or only keeps its state.
	Runs() bool
	// Status tells of every listener, from memory.
	Status() []fleet.Status
	// Health returns an error where the fleet does not run as it is kept.
	Health() (string, error)
}

// Ingest takes lines and tells where lines went.
type Ingest interface {
	// Push makes events of lines and returns once they are committed. It returns a
	// *[PushBusyError], [ErrPushKeyReused], [ErrPushTooLarge] or [ErrPushFormat].
	Push(ctx context.Context, p repo.Push) (repo.Receipt, error)
	// Status tells of every source.
	Status() repo.IngestStatus
	// Explain tells what would become of a line; format is "" or the name of one.
	Explain(line []byte, format string) repo.Explanation
}

// The errors of [Ingest.Push] that a sensor can do something about.
var (
	// ErrPushKeyReused says that the key stands for another batch already.
	ErrPushKeyReused = errors.New("the key was used for another batch")
	// ErrPushTooLarge says that the batch is larger than any that is taken.
	ErrPushTooLarge = errors.New("the batch is too large")
	// ErrPushFormat says that no format has the name that was given.
	ErrPushFormat = errors.New("unknown format")
)

// PushBusyError says that nothing of a batch was taken: it may come again.
type PushBusyError struct {
	// After is how long to wait; Cause is for the log.
	After time.Duration
	Cause error
}

// Error implements error.
func (e *PushBusyError) Error() string { return "too many events at once: " + e.Cause.Error() }

// Unwrap gives the cause.
func (e *PushBusyError) Unwrap() error { return e.Cause }
