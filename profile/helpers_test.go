package profile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"decnet/profile"
	"decnet/repo"
)

// start is the time that the events of tests are counted from.
func start() time.Time { return time.Date(2026, 4, 14, 9, 0, 0, 0, time.UTC) }

// at is an event of a service, some time after start.
func at(after time.Duration, service string) repo.Event {
	return repo.Event{Log: repo.Log{
		Time: start().Add(after), Decky: "decky-01", Service: service, EventType: "connect",
		AttackerIP: "203.0.113.7",
	}}
}

// fold adds events in their order.
func fold(events ...repo.Event) *profile.State {
	s := profile.New()
	for i := range events {
		s.Add(&events[i])
	}
	return s
}

// stored is the state after a trip through the store.
func stored(t *testing.T, s *profile.State) *profile.State {
	t.Helper()
	b := s.Marshal()
	back, err := profile.Unmarshal(b)
	require.NoError(t, err)
	return back
}

// gapsOf is a series of events with these gaps between them, in one service.
func gapsOf(service string, gaps ...time.Duration) []repo.Event {
	events := []repo.Event{at(0, service)}
	var t time.Duration
	for _, g := range gaps {
		t += g
		events = append(events, at(t, service))
	}
	return events
}
