package decoy_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy"
	"decnet/fleet"
)

// Every service that is imitated starts on every distribution, on all ports that
// the fleet has for it, twice: a second decoy and a restart need no more.
func TestMakers_EveryServiceStartsEverywhere(t *testing.T) {
	t.Parallel()
	for _, distro := range fleet.Distros() {
		t.Run(distro.Slug, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(o *decoy.Options) { o.Makers = decoy.Makers() })
			for range 2 {
				var deckies []fleet.Decky
				for _, name := range slices.Sorted(maps.Keys(decoy.Makers())) {
					d := decky("with-"+name, "192.0.2.7", name)
					d.Distro = distro.Slug
					deckies = append(deckies, d)
				}
				f.apply(deckies...)
				running := map[string]int{}
				for _, s := range f.Status() {
					require.Equal(t, fleet.Running, s.State)
					running[s.Service]++
				}
				for name := range decoy.Makers() {
					_, known := fleet.ServiceNamed(name)
					require.True(t, known, name)
					assert.Equal(t, len(fleet.Listeners([]string{name})), running[name], name)
				}
				f.apply()
			}
		})
	}
}

// There is no service of the fleet that nobody imitates.
func TestMakers_EveryServiceIsImitated(t *testing.T) {
	t.Parallel()
	var missing []string
	for _, s := range fleet.Services() {
		if _, made := decoy.Makers()[s.Name]; !made && !s.FleetWide {
			missing = append(missing, s.Name)
		}
	}
	assert.Empty(t, missing)
}
