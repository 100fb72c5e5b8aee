package profile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// traitsOf folds in events with these traits, a second apart.
func traitsOf(t *testing.T, traits ...repo.Traits) repo.Behavior {
	t.Helper()
	events := make([]repo.Event, len(traits))
	for i, x := range traits {
		events[i] = at(time.Duration(i)*time.Second, "sniffer")
		events[i].Traits = x
	}
	return stored(t, fold(events...)).Attacker().Behavior
}

func TestOS_FromTTL(t *testing.T) {
	t.Parallel()
	for ttl, want := range map[int]string{
		-1: "", 0: "", 54: "", 55: "linux", 64: "linux", 70: "linux", 71: "", 114: "",
		115: "windows", 128: "windows", 135: "windows", 136: "", 234: "", 235: "embedded", 255: "embedded", 256: "",
	} {
		assert.Equal(t, want, traitsOf(t, repo.Traits{TTL: ttl}).OSGuess, "TTL %d", ttl)
	}
}

func TestOS_PassiveFingerprintBeforeTTL(t *testing.T) {
	t.Parallel()
	linux, bsd := repo.Traits{OSGuess: "linux", TTL: 128}, repo.Traits{OSGuess: "bsd", TTL: 128}
	assert.Equal(t, "linux", traitsOf(t, linux, bsd, linux).OSGuess, "what most say")
	assert.Equal(t, "bsd", traitsOf(t, linux, bsd).OSGuess, "ties by name")
	assert.Equal(t, "windows", traitsOf(t, repo.Traits{OSGuess: "Unknown", TTL: 120}).OSGuess)
	assert.Equal(t, "linux", traitsOf(t,
		repo.Traits{TTL: 128}, repo.Traits{TTL: 60}, repo.Traits{TTL: 61}).OSGuess, "what most TTLs say")
	assert.Equal(t, "windows", traitsOf(t, repo.Traits{TTL: 250}, repo.Traits{TTL: 128}).OSGuess, "of two that as many say the more common one, in any order")
}

func TestHops_MedianOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	hops := func(distances ...int64) *int64 {
		var traits []repo.Traits
		for _, d := range distances {
			traits = append(traits, repo.Traits{HopDistance: &d})
		}
		return traitsOf(t, traits...).HopDistance
	}
	assert.Nil(t, hops())
	assert.Nil(t, hops(0, -3, 256, 1<<40), "impossible or untold distances")
	got := hops(12, 0, 3, 12, 11)
	require.NotNil(t, got)
	assert.Equal(t, int64(11), *got)
	got = hops(255, 1, 255)
	require.NotNil(t, got)
	assert.Equal(t, int64(255), *got, "the farthest that a packet comes")
	got = hops(1, 4)
	require.NotNil(t, got)
	assert.Equal(t, int64(2), *got, "rounded down")
}

func TestTraces_LatestTCPFingerprintAndRetransmits(t *testing.T) {
	t.Parallel()
	b := traitsOf(t,
		repo.Traits{TCPFingerprint: `{"window":1}`, Retransmits: 2},
		repo.Traits{TCPFingerprint: `{"window":2}`, Retransmits: -5},
		repo.Traits{Retransmits: 3})
	assert.JSONEq(t, `{"window":2}`, b.TCPFingerprint)
	assert.Equal(t, int64(5), b.RetransmitCount)

	late, early := at(time.Hour, "sniffer"), at(0, "sniffer")
	late.Traits.TCPFingerprint, early.Traits.TCPFingerprint = `{"window":2}`, `{"window":1}`
	assert.JSONEq(t, `{"window":2}`, fold(late, early).Attacker().Behavior.TCPFingerprint, "latest by event time")
}

// Attackers choose what a fingerprint says, so that each kind has a bound, and
// what is beyond it does not displace what was there.
func TestTraces_AreBounded(t *testing.T) {
	t.Parallel()
	long := `{"options":"` + strings.Repeat("x", 4<<10-14) + `"}`
	require.Len(t, long, 4<<10)
	b := traitsOf(t, repo.Traits{TCPFingerprint: long})
	assert.Equal(t, long, b.TCPFingerprint)
	b = traitsOf(t, repo.Traits{TCPFingerprint: `{"window":1}`}, repo.Traits{TCPFingerprint: long + " "})
	assert.JSONEq(t, `{"window":1}`, b.TCPFingerprint)

	var traits []repo.Traits
	for i := range 18 { // the first once, all others twice
		name := repo.Traits{OSGuess: fmt.Sprintf("os-%02d", i)}
		traits = append(traits, name, name)
	}
	assert.Equal(t, "os-01", traitsOf(t, traits[1:]...).OSGuess)
	assert.Equal(t, "os-15", traitsOf(t, append(traits, repo.Traits{OSGuess: "os-15"})...).OSGuess, "the sixteenth is counted")
	late := repo.Traits{OSGuess: "os-16"}
	assert.Equal(t, "os-00", traitsOf(t, append(traits, late, late)...).OSGuess, "the seventeenth is not")
}

// Two fingerprints of one instant: what came last is what is shown.
func TestTraces_OfOneInstantTheLastHolds(t *testing.T) {
	t.Parallel()
	first, second := at(time.Hour, "sniffer"), at(time.Hour, "sniffer")
	first.Traits.TCPFingerprint, second.Traits.TCPFingerprint = `{"window":1}`, `{"window":2}`
	assert.JSONEq(t, `{"window":2}`, fold(first, second).Attacker().Behavior.TCPFingerprint)
	assert.JSONEq(t, `{"window":1}`, fold(second, first).Attacker().Behavior.TCPFingerprint)
}
