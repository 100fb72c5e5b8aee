package fleet_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"decnet/fleet"
)

func TestRegistries_HoldTogether(t *testing.T) {
	t.Parallel()
	assert.Len(t, fleet.Services(), 30)
	assert.True(t, slices.IsSortedFunc(fleet.Services(), func(a, b fleet.Service) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	}))
	assert.Len(t, fleet.Archetypes(), 15)
	for _, a := range fleet.Archetypes() {
		assert.Contains(t, fleet.OSFamilies(), a.NmapOS, a.Slug)
		for _, name := range a.Services {
			s, ok := fleet.ServiceNamed(name)
			assert.True(t, ok && !s.FleetWide, "%s has %s", a.Slug, name)
		}
		for _, slug := range a.Distros {
			_, ok := fleet.DistroNamed(slug)
			assert.True(t, ok, "%s has %s", a.Slug, slug)
		}
	}
	assert.Len(t, fleet.Distros(), 9)
}

func TestListeners_APortHasOneOwner(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		services []string
		want     []fleet.Listener
	}{
		{[]string{"http"}, []fleet.Listener{{"http", fleet.Port{"tcp", 80}}, {"http", fleet.Port{"tcp", 443}}}},
		{[]string{"http", "https"}, []fleet.Listener{{"http", fleet.Port{"tcp", 80}}, {"https", fleet.Port{"tcp", 443}}}},
		{[]string{"https", "http", "http"}, []fleet.Listener{{"https", fleet.Port{"tcp", 443}}, {"http", fleet.Port{"tcp", 80}}}},
		{[]string{"smtp_relay", "smtp"}, []fleet.Listener{{"smtp_relay", fleet.Port{"tcp", 25}}, {"smtp_relay", fleet.Port{"tcp", 587}}}},
		{[]string{"sip"}, []fleet.Listener{{"sip", fleet.Port{"udp", 5060}}, {"sip", fleet.Port{"tcp", 5060}}}},
		{[]string{"gopher", "sniffer"}, nil},
	} {
		assert.Equal(t, c.want, fleet.Listeners(c.services), "%v", c.services)
	}
}
