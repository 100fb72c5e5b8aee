package profile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/profile"
	"decnet/repo"
)

// TestClass_EachThreshold stands on both sides of every threshold.
func TestClass_EachThreshold(t *testing.T) {
	t.Parallel()
	const none = 99.0 // a CV that matters to no rule but interactive
	for _, c := range []struct {
		name     string
		mean, cv float64
		events   int64
		services int
		want     string
	}{
		{"too few events", 60, 0, 2, 1, profile.ClassUnknown},
		{"enough events", 60, 0, 3, 1, profile.ClassMixed},

		{"slow scan", 10, none, 4, 2, profile.ClassSlowScan},
		{"slow scan before beaconing", 60, 0, 4, 2, profile.ClassSlowScan},
		{"slow scan: one service", 10, none, 4, 1, profile.ClassMixed},
		{"slow scan: faster", 9.999, none, 4, 2, profile.ClassMixed},
		{"slow scan: fewer events", 10, none, 3, 2, profile.ClassMixed},

		{"sweep", 9.999, none, 3, 3, profile.ClassScanning},
		{"sweep: slower", 10, none, 3, 3, profile.ClassMixed},
		{"sweep: fewer services", 9.999, none, 3, 2, profile.ClassMixed},
		{"burst", 1.999, none, 3, 2, profile.ClassScanning},
		{"burst before interactive", 1.999, none, 6, 2, profile.ClassScanning},
		{"burst: slower", 2, none, 3, 2, profile.ClassMixed},
		{"burst: one service", 1.999, none, 3, 1, profile.ClassMixed},

		{"brute force", 4.999, 0.5999, 8, 1, profile.ClassBruteForce},
		{"brute force: fewer events", 4.999, 0.4999, 7, 1, profile.ClassMixed},
		{"brute force: slower", 5, 0.5999, 8, 1, profile.ClassMixed},
		{"brute force: less steady", 4.999, 0.6, 8, 1, profile.ClassInteractive},
		{"brute force: two services", 4.999, 0.4999, 8, 2, profile.ClassMixed},
		{"brute force: no service", 4.999, 0.4999, 8, 0, profile.ClassMixed},

		{"beaconing", 5, 0.3499, 4, 1, profile.ClassBeaconing},
		{"beaconing: two services that are no scan", 9.999, 0.3499, 4, 2, profile.ClassBeaconing},
		{"beaconing: less steady", 5, 0.35, 4, 1, profile.ClassMixed},
		{"beaconing: faster", 4.999, 0.3499, 4, 1, profile.ClassMixed},
		{"beaconing: fewer events", 5, 0.3499, 3, 1, profile.ClassMixed},

		{"interactive", 4.999, 0.5, 6, 1, profile.ClassInteractive},
		{"interactive: steadier", 4.999, 0.4999, 6, 1, profile.ClassMixed},
		{"interactive: slower", 5, 0.5, 6, 1, profile.ClassMixed},
		{"interactive: fewer events", 4.999, 0.5, 5, 1, profile.ClassMixed},

		// The old API rounds before it compares.
		{"mean by a hair", 9.9996, none, 4, 2, profile.ClassSlowScan},
		{"cv by a hair", 5, 0.34996, 4, 1, profile.ClassMixed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, profile.ClassOf(c.mean, c.cv, c.events, c.services))
		})
	}
}

func repeat(n int, gaps ...time.Duration) []time.Duration {
	var all []time.Duration
	for range n {
		all = append(all, gaps...)
	}
	return all
}

func TestClass_OfEvents(t *testing.T) {
	t.Parallel()
	services := func(events []repo.Event, names ...string) []repo.Event {
		for i := range events {
			events[i].Service = names[i%len(names)]
		}
		return events
	}
	for want, events := range map[string][]repo.Event{
		profile.ClassUnknown:     gapsOf("ssh", time.Second),
		profile.ClassBeaconing:   gapsOf("https", repeat(5, 54*time.Second, 66*time.Second)...),
		profile.ClassBruteForce:  gapsOf("ssh", repeat(10, time.Second)...),
		profile.ClassInteractive: gapsOf("ssh", repeat(5, time.Second, 7*time.Second)...),
		profile.ClassMixed:       gapsOf("ssh", repeat(5, time.Second, time.Hour)...),
		profile.ClassScanning:    services(gapsOf("", repeat(3, time.Second)...), "ssh", "http", "redis"),
		profile.ClassSlowScan:    services(gapsOf("", repeat(4, time.Minute)...), "ssh", "http"),
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			b := fold(events...).Attacker().Behavior
			assert.Equal(t, want, b.Class)
			if want != profile.ClassBeaconing {
				assert.Nil(t, b.BeaconInterval)
				assert.Nil(t, b.BeaconJitter)
				return
			}
			require.NotNil(t, b.BeaconInterval)
			require.NotNil(t, b.BeaconJitter)
			assert.InDelta(t, 60, *b.BeaconInterval, 1e-9)
			assert.InDelta(t, 10, *b.BeaconJitter, 1e-9)
		})
	}
}

func TestClass_AllAtOneInstant(t *testing.T) {
	t.Parallel()
	one := gapsOf("ssh", repeat(20, 0)...)
	assert.Equal(t, profile.ClassMixed, fold(one...).Attacker().Behavior.Class, "a beat without CV is not steady")
	one[3].Service = "http"
	assert.Equal(t, profile.ClassScanning, fold(one...).Attacker().Behavior.Class)
}
