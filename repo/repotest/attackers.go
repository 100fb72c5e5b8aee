package repotest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

func credential(user string) repo.Bounty {
	return repo.Bounty{Type: repo.BountyCredential, Payload: fmt.Sprintf(`{"password":"x","username":%q}`, user)}
}

func withBounties(b ...repo.Bounty) func(*repo.Event) {
	return func(e *repo.Event) { e.Bounties = append(e.Bounties, b...) }
}

func from(ip string) func(*repo.Event)       { return func(e *repo.Event) { e.AttackerIP = ip } }
func on(decky string) func(*repo.Event)      { return func(e *repo.Event) { e.Decky = decky } }
func using(service string) func(*repo.Event) { return func(e *repo.Event) { e.Service = service } }
func typing(text string) func(*repo.Event)   { return func(e *repo.Event) { e.Command = text } }

func testBountiesUnique(t *testing.T, s Store) {
	ctx := t.Context()
	fingerprint := repo.Bounty{Type: repo.BountyFingerprint, Payload: credential("root").Payload}
	// Twice in an event, twice in a batch, again in the next batch.
	commit(t, s,
		event(0, withBounties(credential("root"), credential("root"))),
		event(1, withBounties(credential("root"), credential("admin"))),
		event(2, withBounties(fingerprint)),                                    // another type
		event(3, from("192.0.2.2"), withBounties(credential("root"))),          // another attacker
		event(4, from(repo.UnknownAttacker), withBounties(credential("root"))), // none
	)
	commit(t, s, event(5, on("decky-02"), withBounties(credential("root"), credential("guest"))))
	list, err := s.Bounties(ctx, repo.BountyQuery{Limit: 100})
	require.NoError(t, err)
	type key struct {
		id               int64
		ip, typ, payload string
	}
	var got []key
	for _, b := range list {
		got = append(got, key{b.ID, b.AttackerIP, b.Type, b.Payload})
	}
	assert.Equal(t, []key{
		{6, "192.0.2.1", repo.BountyCredential, credential("guest").Payload},
		{5, repo.UnknownAttacker, repo.BountyCredential, credential("root").Payload},
		{4, "192.0.2.2", repo.BountyCredential, credential("root").Payload},
		{3, "192.0.2.1", repo.BountyFingerprint, fingerprint.Payload},
		{2, "192.0.2.1", repo.BountyCredential, credential("admin").Payload},
		{1, "192.0.2.1", repo.BountyCredential, credential("root").Payload},
	}, got)
	assert.Equal(t, day(), list[5].Time, "the time at which it was first seen")
	assert.Equal(t, "decky-01", list[5].Decky)
	assert.Equal(t, "ssh", list[5].Service)
	st, err := s.Stats(ctx)
	require.NoError(t, err)
	assert.Equal(t, repo.Stats{Logs: 6, Attackers: 2, ActiveDeckies: 2, Bounties: 6}, st)
	a, err := s.Attacker(ctx, repo.AttackerUUID("192.0.2.1"))
	require.NoError(t, err)
	assert.Equal(t, int64(4), a.BountyCount)
	assert.Equal(t, int64(3), a.CredentialCount)
	assert.Len(t, a.Fingerprints, 1)
}

func testBountiesList(t *testing.T, s Store) {
	ctx := t.Context()
	r := rand.New(rand.NewPCG(6, 6))
	types := []string{repo.BountyCredential, repo.BountyFingerprint, repo.BountyPayload}
	var all []repo.Bounty
	var events []repo.Event
	for i := range 120 {
		e := event(time.Duration(r.IntN(40))*time.Second, on(fmt.Sprintf("Decky-%d", i%3)), using([]string{"ssh", "ft%p"}[i%2]))
		b := repo.Bounty{Type: types[r.IntN(3)], Payload: fmt.Sprintf(`{"n":%d,"t":"A_\u0000%c"}`, i, 'a'+rune(i%26))}
		e.Bounties = []repo.Bounty{b}
		b.ID, b.Time, b.Decky, b.Service, b.AttackerIP = int64(i+1), e.Time, e.Decky, e.Service, e.AttackerIP
		events, all = append(events, e), append(all, b)
	}
	commit(t, s, events...)
	slices.SortFunc(all, func(a, b repo.Bounty) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID)) })
	for _, f := range []repo.BountyFilter{
		{}, {Type: repo.BountyPayload}, {Type: "none"}, {Search: "decky-1"}, {Search: "T%P"}, {Search: "%"}, {Search: "_"},
		{Search: "192.0.2"}, {Search: "FINGER"}, {Search: `"N":7,`}, {Type: repo.BountyCredential, Search: "ssh"}, {Search: "\x00"}, {Search: "'"},
	} {
		want := []repo.Bounty{}
		for _, b := range all {
			hay := []string{b.Decky, b.Service, b.AttackerIP, b.Type, b.Payload}
			if (f.Type == "" || f.Type == b.Type) &&
				slices.ContainsFunc(hay, func(h string) bool { return repo.ContainsFold(h, f.Search) }) {
				want = append(want, b)
			}
		}
		got, err := s.Bounties(ctx, repo.BountyQuery{BountyFilter: f, Limit: 1000})
		require.NoError(t, err)
		assert.Equal(t, want, got, "%+v", f)
		n, err := s.CountBounties(ctx, f)
		require.NoError(t, err)
		assert.Equal(t, int64(len(want)), n, "%+v", f)
		page, err := s.Bounties(ctx, repo.BountyQuery{BountyFilter: f, Limit: 5, Offset: 3})
		require.NoError(t, err)
		assert.Equal(t, want[min(3, len(want)):min(8, len(want))], page, "%+v", f)
	}
}

func testAttackersProfile(t *testing.T, s Store) {
	ctx := t.Context()
	commit(t, s,
		event(10*time.Second, on("decky-02"), using("telnet"), typing("uname -a\x00\xff")),
		event(20*time.Second, on("decky-01"), withBounties(credential("root"))),
		event(5*time.Second, from(repo.UnknownAttacker), typing("nobody")),
	)
	// A later batch goes on where the first ended, also with an earlier event.
	commit(t, s, event(5*time.Second, on("decky-03"), using("http")), event(30*time.Second, on("decky-02"), using("telnet"), typing("id")))

	id := repo.AttackerUUID("192.0.2.1")
	a, err := s.Attacker(ctx, id)
	require.NoError(t, err)
	assert.Equal(t, id, a.UUID)
	assert.Equal(t, "192.0.2.1", a.IP)
	assert.Equal(t, day().Add(5*time.Second), a.FirstSeen)
	assert.Equal(t, day().Add(30*time.Second), a.LastSeen)
	assert.Equal(t, int64(4), a.EventCount)
	assert.Equal(t, []string{"http", "ssh", "telnet"}, a.Services)
	assert.Equal(t, []string{"decky-03", "decky-02", "decky-01"}, a.Deckies)
	assert.Equal(t, int64(1), a.CredentialCount)
	assert.Equal(t, []repo.Command{
		{Time: day().Add(10 * time.Second), Service: "telnet", Decky: "decky-02", Text: "uname -a\x00\xff"},
		{Time: day().Add(30 * time.Second), Service: "telnet", Decky: "decky-02", Text: "id"},
	}, a.Commands)
	assert.Equal(t, Now(), a.UpdatedAt)
	assert.NotEmpty(t, a.Behavior.Class)
	assert.Equal(t, int64(4), a.Behavior.Timing.EventCount)

	list, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 10})
	require.NoError(t, err)
	assert.Equal(t, []repo.Attacker{a}, list, "the list shows the whole profile, and nobody without an address")

	for _, bad := range []string{"", "x", repo.AttackerUUID(repo.UnknownAttacker), repo.AttackerUUID("192.0.2.9"), "{" + id + "}", "urn:uuid:" + id} {
		_, err = s.Attacker(ctx, bad)
		require.ErrorIs(t, err, repo.ErrNotFound, bad)
		_, _, err = s.Commands(ctx, bad, repo.CommandQuery{Limit: 1})
		require.ErrorIs(t, err, repo.ErrNotFound, bad)
	}
}

// crowd are attackers with many ties in each order.
func crowd() []repo.Event {
	r := rand.New(rand.NewPCG(7, 7))
	var events []repo.Event
	for i := range 60 {
		ip := fmt.Sprintf("203.0.113.%d", i)
		for range 1 + r.IntN(4) {
			events = append(events, event(time.Duration(r.IntN(5))*time.Hour, from(ip),
				on(fmt.Sprintf("Decky_%d", r.IntN(4))), using([]string{"ssh", "http", "ft%p"}[r.IntN(3)])))
		}
	}
	return events
}

func testAttackersSort(t *testing.T, s Store) {
	events := crowd()
	commit(t, s, events[:60]...)
	commit(t, s, events[60:]...)
	type row = repo.Attacker
	byTies := func(a, b row) int { return cmp.Or(b.LastSeen.Compare(a.LastSeen), strings.Compare(a.IP, b.IP)) }
	for sort, first := range map[repo.AttackerSort]func(a, b row) int{
		repo.SortRecent:     func(a, b row) int { return b.LastSeen.Compare(a.LastSeen) },
		repo.SortActive:     func(a, b row) int { return cmp.Compare(b.EventCount, a.EventCount) },
		repo.SortTraversals: func(a, b row) int { return cmp.Compare(len(b.Deckies), len(a.Deckies)) },
	} {
		got, err := s.Attackers(t.Context(), repo.AttackerQuery{Sort: sort, Limit: 100})
		require.NoError(t, err)
		require.Len(t, got, 60)
		assert.True(t, slices.IsSortedFunc(got, func(a, b row) int { return cmp.Or(first(a, b), byTies(a, b)) }), "sort %d", sort)
		var paged []row
		for len(paged) < len(got) {
			page, err := s.Attackers(t.Context(), repo.AttackerQuery{Sort: sort, Limit: 7, Offset: len(paged)})
			require.NoError(t, err)
			require.NotEmpty(t, page)
			paged = append(paged, page...)
		}
		assert.Equal(t, got, paged, "sort %d", sort)
	}
}

func testAttackersFilter(t *testing.T, s Store) {
	ctx := t.Context()
	commit(t, s, crowd()...)
	all, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 100})
	require.NoError(t, err)
	for _, f := range []repo.AttackerFilter{
		{}, {Service: "ssh"}, {Service: "SSH"}, {Service: "ft%p"}, {Service: "none"}, {Search: "DECKY_1"}, {Search: "203.0.113.1"}, {Search: "%"},
		{Search: "_"}, {Search: "sshhttp"}, {Search: "unknown"}, {Search: "http", Service: "ssh"}, {Search: "\x1f"}, {Search: "\x00"}, {Search: "\x03"}, {Search: "'"},
	} {
		want := []repo.Attacker{}
		for _, a := range all {
			hay := append(append([]string{a.IP, a.Behavior.Class}, a.Services...), a.Deckies...)
			if (f.Service == "" || slices.Contains(a.Services, f.Service)) &&
				slices.ContainsFunc(hay, func(h string) bool { return repo.ContainsFold(h, f.Search) }) {
				want = append(want, a)
			}
		}
		got, err := s.Attackers(ctx, repo.AttackerQuery{AttackerFilter: f, Limit: 100})
		require.NoError(t, err)
		assert.Equal(t, want, got, "%+v", f)
		n, err := s.CountAttackers(ctx, f)
		require.NoError(t, err)
		assert.Equal(t, int64(len(want)), n, "%+v", f)
	}
}

func testCommands(t *testing.T, s Store) {
	ctx := t.Context()
	var events []repo.Event
	var want []repo.Command
	for i := range repo.RecentCommands + 30 {
		e := event(time.Duration(i/3)*time.Second, using([]string{"ssh", "telnet"}[i%2]), typing(fmt.Sprintf("cmd %d\x00\xff'", i)))
		events = append(events, e, event(time.Hour), event(0, from("192.0.2.2"), typing("other")))
		want = append(want, repo.Command{Time: e.Time, Service: e.Service, Decky: e.Decky, Text: e.Command})
	}
	commit(t, s, events[:50]...)
	commit(t, s, events[50:]...)
	id := repo.AttackerUUID("192.0.2.1")
	got, total, err := s.Commands(ctx, id, repo.CommandQuery{Limit: 200})
	require.NoError(t, err)
	assert.Equal(t, want, got, "all are kept, oldest first, ties in the order of the events")
	assert.Equal(t, int64(len(want)), total)
	got, total, err = s.Commands(ctx, id, repo.CommandQuery{Limit: 10, Offset: 75})
	require.NoError(t, err)
	assert.Equal(t, want[75:], got)
	assert.Equal(t, int64(len(want)), total)
	got, total, err = s.Commands(ctx, id, repo.CommandQuery{Service: "telnet", Limit: 1, Offset: 1})
	require.NoError(t, err)
	assert.Equal(t, want[3:4], got)
	assert.Equal(t, int64(len(want)/2), total)
	got, total, err = s.Commands(ctx, id, repo.CommandQuery{Service: "none", Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, []repo.Command{}, got)
	assert.Zero(t, total)
}
