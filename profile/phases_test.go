package profile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
)

// step is an event of a type, some seconds after start.
func step(after int, kind string) repo.Event {
	e := at(time.Duration(after)*time.Second, "ssh")
	e.EventType = kind
	return e
}

func TestPhases_FromLookingAroundToTakingOut(t *testing.T) {
	t.Parallel()
	typed := step(20, "cowrie.command.input")
	typed.Command = "scp loot out:"
	events := []repo.Event{
		step(0, "cowrie.session.connect"), step(10, "cowrie.login.success"), typed,
		step(25, "cowrie.session.file_download"), step(30, "cowrie.session.connect"), step(40, "upload"),
	}
	got := stored(t, fold(events...)).Attacker().Behavior.Phases
	assert.Equal(t, start().Add(10*time.Second), got.ReconEnd, "a command is no longer looking around")
	assert.Equal(t, start().Add(25*time.Second), got.ExfilStart, "the first transfer")
	require.NotNil(t, got.ExfilLatency)
	assert.InDelta(t, 15, *got.ExfilLatency, 1e-9)
	assert.Zero(t, got.LargePayloads)
}

func TestPhases_WhatIsATransfer(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]bool{
		"download_attempt": true, "cowrie.session.file_upload": true, "UPLOAD": true, "data_exfil": true,
		"file_transfer": true, "connect": false, "request": false, "cowrie.session.file_download.failed": false,
	} {
		got := fold(step(0, kind)).Attacker().Behavior.Phases
		assert.Equal(t, want, !got.ExfilStart.IsZero(), kind)
	}
}

func TestPhases_LargePayloads(t *testing.T) {
	t.Parallel()
	small, large := step(5, "data"), step(9, "data")
	small.Traits.PayloadBytes = 1<<20 - 1
	large.Traits.PayloadBytes = 1 << 20
	got := stored(t, fold(small, large, large)).Attacker().Behavior.Phases
	assert.Equal(t, int64(2), got.LargePayloads)
	assert.Equal(t, start().Add(9*time.Second), got.ExfilStart)
	assert.Equal(t, start().Add(5*time.Second), got.ReconEnd)
}

func TestPhases_UnknownWhileNothingWasTaken(t *testing.T) {
	t.Parallel()
	assert.Equal(t, repo.Phases{}, fold(step(0, "connect"), step(1, "auth")).Attacker().Behavior.Phases)
	only := fold(step(3, "download")).Attacker().Behavior.Phases
	assert.Equal(t, start().Add(3*time.Second), only.ExfilStart)
	assert.True(t, only.ReconEnd.IsZero())
	assert.Nil(t, only.ExfilLatency)
}

func TestPhases_TransfersThatComeToLightLate(t *testing.T) {
	t.Parallel()
	got := fold(step(0, "connect"), step(4, "auth"), step(8, "auth"), step(9, "download"),
		step(6, "upload"), step(5, "auth"), step(7, "auth")).Attacker().Behavior.Phases
	assert.Equal(t, start().Add(6*time.Second), got.ExfilStart)
	assert.Equal(t, start().Add(5*time.Second), got.ReconEnd)
}
