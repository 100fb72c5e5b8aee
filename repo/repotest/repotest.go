// Package repotest is the conformance suite of storage engines: what package
// repo promises, as tests. An engine's test calls [Run]; a new method of a store
// starts here.
package repotest

import (
	"context"
	"testing"
	"time"

	"decnet/repo"
)

// Store is all that an engine offers. The doc comments of package api's stores
// say what the methods promise, those of package repo what the values mean.
type Store interface {
	Ping(ctx context.Context) error
	Stats(ctx context.Context) (repo.Stats, error)

	Logs(ctx context.Context, q repo.LogQuery) ([]repo.Log, error)
	Log(ctx context.Context, id int64) (repo.Log, error)
	CountLogs(ctx context.Context, f repo.LogFilter) (int64, error)
	LogsAfter(ctx context.Context, after int64, f repo.LogFilter, limit int) ([]repo.Log, error)
	LastLogID(ctx context.Context) (int64, error)
	Histogram(ctx context.Context, f repo.LogFilter, interval time.Duration) ([]repo.Bucket, error)
	Ranking(ctx context.Context, q repo.RankingQuery) (repo.Ranking, error)

	Bounties(ctx context.Context, q repo.BountyQuery) ([]repo.Bounty, error)
	CountBounties(ctx context.Context, f repo.BountyFilter) (int64, error)

	Attackers(ctx context.Context, q repo.AttackerQuery) ([]repo.Attacker, error)
	CountAttackers(ctx context.Context, f repo.AttackerFilter) (int64, error)
	Attacker(ctx context.Context, uuid string) (repo.Attacker, error)
	Commands(ctx context.Context, uuid string, q repo.CommandQuery) ([]repo.Command, int64, error)

	Users(ctx context.Context) ([]repo.User, error)
	UserByName(ctx context.Context, name string) (repo.User, error)
	CreateUser(ctx context.Context, u repo.User) error
	DeleteUser(ctx context.Context, uuid string) error
	SetRole(ctx context.Context, uuid string, role repo.Role) error
	SetPassword(ctx context.Context, uuid, hash string, mustChange bool) error

	State(ctx context.Context, key string) (string, error)
	SetState(ctx context.Context, key, value string) error

	Commit(ctx context.Context, b *repo.Batch) error
	Positions(ctx context.Context) ([]repo.Position, error)
	OpenSessions(ctx context.Context) ([]repo.Session, error)
	Rejects(ctx context.Context, after int64, limit int) ([]repo.Reject, error)
	CountRejects(ctx context.Context) (int64, error)
	RejectPage(ctx context.Context, q repo.RejectQuery) ([]repo.Reject, int64, error)
	Purge(ctx context.Context) (repo.Purged, error)
	Expire(ctx context.Context, before time.Time, limit int) (removed int64, more bool, err error)
	SizeExceeds(ctx context.Context, bytes int64) (bool, error)
	Check(ctx context.Context) (repo.Report, error)
	Repair(ctx context.Context) error

	Credentials(ctx context.Context, q repo.CredentialQuery) ([]repo.Credential, error)
	CountCredentials(ctx context.Context, f repo.CredentialFilter) (int64, error)

	CreateSensor(ctx context.Context, s repo.Sensor) error
	Sensors(ctx context.Context) ([]repo.Sensor, error)
	DeleteSensor(ctx context.Context, uuid string) error
	Receipt(ctx context.Context, sensor, key string) (repo.Receipt, error)
}

// Run runs the suite. Each test calls open for an empty store of its own, whose
// clock is [Now]; open closes it with t.Cleanup. The tests are parallel.
func Run(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	for _, tc := range []struct {
		name string
		test func(t *testing.T, s Store)
	}{
		{"Empty", testEmpty},
		{"Logs/RoundTrip", testLogsRoundTrip},
		{"Logs/Order", testLogsOrder},
		{"Logs/Filters", testLogsFilters},
		{"Logs/After", testLogsAfter},
		{"Logs/RareValues", testLogsRareValues},
		{"Search/Hostile", testSearchHostile},
		{"Search/Random", testSearchRandom},
		{"Histogram/Naive", testHistogramNaive},
		{"Histogram/Edges", testHistogramEdges},
		{"Histogram/Ends", testHistogramEnds},
		{"Ranking/Naive", testRankingNaive},
		{"Ranking/Ends", testRankingEnds},
		{"Ranking/Credentials", testRankingCredentials},
		{"Bounties/Unique", testBountiesUnique},
		{"Bounties/List", testBountiesList},
		{"Attackers/Profile", testAttackersProfile},
		{"Attackers/Sort", testAttackersSort},
		{"Attackers/Filter", testAttackersFilter},
		{"Attackers/Commands", testCommands},
		{"Users", testUsers},
		{"Users/LastAdmin", testLastAdmin},
		{"Users/TokenVersion", testTokenVersion},
		{"State", testState},
		{"Progress/Positions", testPositions},
		{"Progress/Sessions", testSessions},
		{"Progress/Rejects", testRejects},
		{"Progress/RejectsBound", testRejectsBound},
		{"Credentials", testCredentials},
		{"Sensors", testSensors},
		{"Sensors/Duplicates", testDuplicates},
		{"Sensors/Receipts", testReceipts},
		{"Purge", testPurge},
		{"Expire", testExpire},
		{"Expire/Keys", testExpireKeys},
		{"Expire/Rejects", testExpireRejects},
		{"Expire/RejectsWithEvents", testExpireRejectsWithEvents},
		{"Commit/Atomic", testAtomic},
		{"Commit/InvalidTime", testInvalidTime},
		{"Commit/Concurrent", testConcurrent},
		{"Cancelled", testCancelled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.test(t, open(t))
		})
	}
}

// Now is what the clock of a store under test must show.
func Now() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.UTC) }
