package repotest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// try is an event in which an attacker tries a pair.
func try(after time.Duration, ip, service, username, password string) repo.Event {
	payload, err := json.Marshal(map[string]string{"username": username, "password": password})
	if err != nil {
		panic(err) // strings always encode
	}
	return event(after, func(e *repo.Event) {
		e.AttackerIP, e.Service = ip, service
		e.Bounties = []repo.Bounty{{Type: repo.BountyCredential, Payload: string(payload)}}
	})
}

func testCredentials(t *testing.T, s Store) {
	ctx := t.Context()
	commit(t, s,
		try(2*time.Hour, "192.0.2.1", "ssh", "root", "123456"),
		try(time.Hour, "192.0.2.1", "ssh", "root", "123456"), // the same bounty, another attempt
		try(3*time.Hour, "192.0.2.2", "telnet", "root", "123456"),
		try(4*time.Hour, "192.0.2.2", "telnet", "Admin", ""),
		event(0, from(repo.UnknownAttacker), func(e *repo.Event) { // an attempt, but of nobody
			e.Bounties = []repo.Bounty{credential("unknown"), credential("unknown"), {Type: repo.BountyCredential, Payload: `{"password":7,"username":["a"]}`}}
		}),
		event(0, func(e *repo.Event) {
			e.Bounties = []repo.Bounty{{Type: repo.BountyPayload, Payload: `{"username":"x"}`}}
		}),
	)
	commit(t, s, try(5*time.Hour, "192.0.2.3", "ssh", "root", "123456"), try(0, "192.0.2.3", "ftp", "\x00%", "_<b>"))
	at := func(h int) time.Time { return day().Add(time.Duration(h) * time.Hour) }
	root := repo.Credential{
		ID: 1, Username: "root", Password: "123456", Services: []string{"ssh", "telnet"},
		Attempts: 4, Attackers: 3, FirstSeen: at(1), LastSeen: at(5),
	}
	admin := repo.Credential{ID: 2, Username: "Admin", Services: []string{"telnet"}, Attempts: 1, Attackers: 1, FirstSeen: at(4), LastSeen: at(4)}
	unknown := repo.Credential{ID: 3, Username: "unknown", Password: "x", Services: []string{"ssh"}, Attempts: 1, FirstSeen: at(0), LastSeen: at(0)}
	number := repo.Credential{ID: 4, Username: `["a"]`, Password: "7", Services: []string{"ssh"}, Attempts: 1, FirstSeen: at(0), LastSeen: at(0)}
	odd := repo.Credential{ID: 5, Username: "\x00%", Password: "_<b>", Services: []string{"ftp"}, Attempts: 1, Attackers: 1, FirstSeen: at(0), LastSeen: at(0)}
	for _, c := range []struct {
		query repo.CredentialQuery
		want  []repo.Credential
	}{
		{repo.CredentialQuery{}, []repo.Credential{root, admin, odd, number, unknown}},
		{repo.CredentialQuery{Sort: repo.SortCredentialAttackers}, []repo.Credential{root, admin, odd, number, unknown}},
		{repo.CredentialQuery{Sort: repo.SortCredentialRecent}, []repo.Credential{root, admin, odd, number, unknown}},
		{repo.CredentialQuery{Offset: 1}, []repo.Credential{admin, odd, number, unknown}},
		{repo.CredentialQuery{CredentialFilter: repo.CredentialFilter{Search: "ADMIN"}}, []repo.Credential{admin}},
		{repo.CredentialQuery{CredentialFilter: repo.CredentialFilter{Search: "%"}}, []repo.Credential{odd}},
		{repo.CredentialQuery{CredentialFilter: repo.CredentialFilter{Search: "345"}}, []repo.Credential{root}},
		{repo.CredentialQuery{CredentialFilter: repo.CredentialFilter{Service: "telnet"}}, []repo.Credential{root, admin}},
		{repo.CredentialQuery{CredentialFilter: repo.CredentialFilter{Service: "telnet", Search: "root"}}, []repo.Credential{root}},
		{repo.CredentialQuery{CredentialFilter: repo.CredentialFilter{Service: "smb"}}, []repo.Credential{}},
	} {
		c.query.Limit = 10
		got, err := s.Credentials(ctx, c.query)
		require.NoError(t, err)
		assert.Equal(t, c.want, got, "%+v", c.query)
		total, err := s.CountCredentials(ctx, c.query.CredentialFilter)
		require.NoError(t, err)
		assert.EqualValues(t, len(c.want)+c.query.Offset, total, "%+v", c.query)
	}
	_, err := s.Purge(ctx)
	require.NoError(t, err)
	total, err := s.CountCredentials(ctx, repo.CredentialFilter{})
	require.NoError(t, err)
	assert.Zero(t, total)
	// Ids go on, and what was known before is new again.
	commit(t, s, try(0, "192.0.2.1", "ssh", "root", "123456"))
	got, err := s.Credentials(ctx, repo.CredentialQuery{Limit: 10})
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.EqualValues(t, 6, got[0].ID)
	assert.EqualValues(t, 1, got[0].Attackers)
}

func sensor(n int) repo.Sensor {
	return repo.Sensor{
		UUID: fmt.Sprintf("6f1a2b3c-0000-4000-8000-%012d", n), Name: fmt.Sprintf("sensor %d", n),
		TokenHash: []byte{byte(n), 0, 0xff}, CreatedAt: day(),
	}
}

func testSensors(t *testing.T, s Store) {
	ctx := t.Context()
	list, err := s.Sensors(ctx)
	require.NoError(t, err)
	assert.Equal(t, []repo.Sensor{}, list)
	one, two := sensor(1), sensor(2)
	require.NoError(t, s.CreateSensor(ctx, two))
	require.NoError(t, s.CreateSensor(ctx, one))
	again := sensor(3)
	again.Name = one.Name
	require.ErrorIs(t, s.CreateSensor(ctx, again), repo.ErrConflict)
	list, err = s.Sensors(ctx)
	require.NoError(t, err)
	assert.Equal(t, []repo.Sensor{one, two}, list)

	r := &repo.Receipt{Sensor: one.UUID, First: 0, Last: 2, Rejected: 3}
	require.NoError(t, s.Commit(ctx, &repo.Batch{Events: []repo.Event{event(0), event(1)}, Receipts: []*repo.Receipt{r}}))
	one.LastSeen, one.Accepted, one.Rejected = Now(), 2, 3
	list, err = s.Sensors(ctx)
	require.NoError(t, err)
	assert.Equal(t, []repo.Sensor{one, two}, list)

	require.NoError(t, s.DeleteSensor(ctx, one.UUID))
	require.ErrorIs(t, s.DeleteSensor(ctx, one.UUID), repo.ErrNotFound)
	n, err := s.CountLogs(ctx, repo.LogFilter{})
	require.NoError(t, err)
	assert.EqualValues(t, 2, n, "its events stay")
}

// testDuplicates: an event whose key is known leaves no trace at all.
func testDuplicates(t *testing.T, s Store) {
	ctx := t.Context()
	keyed := func(key byte) repo.Event {
		e := try(time.Hour, "192.0.2.1", "ssh", "root", "x")
		e.Key, e.Command = []byte{15: key}, "id"
		return e
	}
	first := &repo.Batch{Events: []repo.Event{keyed(1), keyed(2), keyed(1), event(0)}}
	require.NoError(t, s.Commit(ctx, first))
	assert.Equal(t, []int64{1, 2, 0, 3}, ids(first), "also within a batch")
	before := everything(t, s)
	second := &repo.Batch{Events: []repo.Event{keyed(2), keyed(1)}}
	require.NoError(t, s.Commit(ctx, second))
	assert.Equal(t, []int64{0, 0}, ids(second))
	assert.Equal(t, before, everything(t, s))
	third := &repo.Batch{Events: []repo.Event{keyed(3)}}
	require.NoError(t, s.Commit(ctx, third))
	assert.Equal(t, []int64{4}, ids(third), "a duplicate takes no id")
}

func ids(b *repo.Batch) []int64 {
	list := make([]int64, len(b.Events))
	for i := range b.Events {
		list[i] = b.Events[i].ID
	}
	return list
}

// everything is what a reader can see of events.
func everything(t *testing.T, s Store) []any {
	t.Helper()
	ctx := t.Context()
	stats, err := s.Stats(ctx)
	require.NoError(t, err)
	logs, err := s.Logs(ctx, repo.LogQuery{Limit: 100})
	require.NoError(t, err)
	histogram, err := s.Histogram(ctx, repo.LogFilter{}, time.Minute)
	require.NoError(t, err)
	attackers, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 100})
	require.NoError(t, err)
	credentials, err := s.Credentials(ctx, repo.CredentialQuery{Limit: 100})
	require.NoError(t, err)
	commands, total, err := s.Commands(ctx, repo.AttackerUUID("192.0.2.1"), repo.CommandQuery{Limit: 100})
	require.NoError(t, err)
	tried, err := s.Ranking(ctx, repo.RankingQuery{By: repo.ColumnCredential, Limit: 100})
	require.NoError(t, err)
	return []any{stats, logs, histogram, attackers, credentials, tried, commands, total}
}

func testReceipts(t *testing.T, s Store) {
	ctx := t.Context()
	one, two := sensor(1), sensor(2)
	require.NoError(t, s.CreateSensor(ctx, one))
	require.NoError(t, s.CreateSensor(ctx, two))
	dup := event(0)
	dup.Key = []byte{15: 1}
	commit(t, s, dup)
	r := &repo.Receipt{
		Sensor: one.UUID, Key: "batch \x00 1", BodyHash: []byte{1, 2, 3}, First: 1, Last: 3, Rejected: 1, Ignored: 5,
		Rejects: []repo.ReceiptReject{{Line: 7, Reason: "not_json", Detail: "The line is not JSON."}},
	}
	other := &repo.Receipt{Sensor: two.UUID, Key: r.Key, First: 3, Last: 4}
	r.Last, other.First, other.Last = 5, 5, 6
	part := func(e repo.Event) repo.Event { e.Part = true; return e }
	batch := &repo.Batch{
		Events:   []repo.Event{event(1), event(2), part(event(2)), dup, part(dup), event(3)},
		Receipts: []*repo.Receipt{r, other},
	}
	require.NoError(t, s.Commit(ctx, batch))
	assert.EqualValues(t, 1, r.Accepted, "lines, not events")
	assert.EqualValues(t, 1, r.Duplicate)
	assert.EqualValues(t, 1, other.Accepted, "another sensor may use the same key")
	got, err := s.Receipt(ctx, one.UUID, r.Key)
	require.NoError(t, err)
	want := *r
	want.First, want.Last = 0, 0
	assert.Equal(t, want, got)

	// Should the same batch come again, nothing of it is stored.
	again := &repo.Batch{Events: []repo.Event{event(4)}, Receipts: []*repo.Receipt{{Sensor: one.UUID, Key: r.Key, Last: 1}}}
	require.ErrorIs(t, s.Commit(ctx, again), repo.ErrConflict)
	assert.Zero(t, again.Events[0].ID)
	n, err := s.CountLogs(ctx, repo.LogFilter{})
	require.NoError(t, err)
	assert.EqualValues(t, 5, n)

	_, err = s.Receipt(ctx, one.UUID, "another")
	require.ErrorIs(t, err, repo.ErrNotFound)
	require.NoError(t, s.DeleteSensor(ctx, one.UUID))
	_, err = s.Receipt(ctx, one.UUID, r.Key)
	require.ErrorIs(t, err, repo.ErrNotFound)
	_, err = s.Receipt(ctx, two.UUID, r.Key)
	require.NoError(t, err)
}
