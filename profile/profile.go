// Package profile folds an attacker's events into a profile: where the attacker
// was, what was typed, how the timing looks. It is pure: no clock, no storage,
// no goroutine. It imports only package repo.
package profile

import "decnet/repo"

// State is all that must be remembered of one attacker so that one more event
// can be folded in, in bounded memory however many events there are.
type State struct{}

// New returns the state of an attacker that was never seen.
func New() *State { return &State{} }

// Unmarshal reads what Marshal wrote, also by an older version of this package.
func Unmarshal(b []byte) (*State, error) { return &State{}, nil }

// Marshal writes the state.
func (s *State) Marshal() ([]byte, error) { return nil, nil }

// Add folds in one event.
func (s *State) Add(e *repo.Event) {}

// AddBounty folds in a bounty that was not known before.
func (s *State) AddBounty(b *repo.Bounty) {}

// Attacker fills in all but UUID, IP and UpdatedAt of the profile.
func (s *State) Attacker() repo.Attacker { return repo.Attacker{} }
