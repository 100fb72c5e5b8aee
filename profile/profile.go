// Package profile folds an attacker's events into a profile: where the attacker
// was, what was typed, how the timing looks. It is pure: no clock, no storage,
// no goroutine. It imports only package repo.
//
// A [State] is bounded however many events there are and whatever an attacker
// sends; DESIGN.md says by what, and how much of the answer depends on the
// order in which events arrive.
package profile

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"decnet/repo"
)

// The bounds of a state. Lists of names stop growing at their bound, so that
// their length reads "at least" there; the events hold everything.
const (
	// MaxServices is how many names of services are kept: those that came first.
	MaxServices = 256
	// MaxDeckies is how many names of deckies are kept: those of earliest contact.
	MaxDeckies = 256
	// MaxName is how many bytes of the name of a service or a decky are kept.
	MaxName = 255
	// MaxCommandText is how many bytes of one command the recent ones show.
	MaxCommandText = 4 << 10
	// MaxCommandBytes bounds the recent commands together, names included: beyond
	// it the oldest go.
	MaxCommandBytes = 64 << 10
	// MaxFingerprintSize is the size from which on a fingerprint's payload stays
	// out of the profile, in bytes; it remains a bounty.
	MaxFingerprintSize = 8 << 10
	// MaxFingerprintBytes bounds the fingerprints together: beyond it the oldest go.
	MaxFingerprintBytes = 64 << 10
)

// State is all that must be remembered of one attacker so that one more event
// can be folded in, in bounded memory however many events there are. It is not
// safe for concurrent use.
type State struct {
	events      int64
	first, last int64 // Unix nanoseconds, meaningful while events > 0
	services    []string
	deckies     []contact
	commands    recent[command]
	prints      recent[json.RawMessage]
	bounties    int64
	credentials int64
	beat        beat
	traces      traces
	phases      phases
}

// contact is the first time that a decky was met.
type contact struct {
	at   int64
	name string
}

type command struct {
	service, decky, text string
}

// New returns the state of an attacker that was never seen.
func New() *State { return &State{} }

// Add folds in one event. It keeps nothing of e alive.
func (s *State) Add(e *repo.Event) {
	t := nanos(e.Time)
	if s.events == 0 || t < s.first {
		s.first = t
	}
	if s.events == 0 || t > s.last {
		s.last = t
	}
	s.events++
	s.addService(e.Service)
	s.addDecky(t, e.Decky)
	if e.Command != "" {
		s.addCommand(t, e)
	}
	s.beat.add(t)
	s.traces.add(t, &e.Traits)
	s.phases.add(t, e)
}

// AddBounty folds in a bounty that was not known before.
func (s *State) AddBounty(b *repo.Bounty) {
	s.bounties++
	switch b.Type {
	case repo.BountyCredential:
		s.credentials++
	case repo.BountyFingerprint:
		if n := len(b.Payload); n > 0 && n < MaxFingerprintSize {
			s.prints.add(nanos(b.Time), json.RawMessage(b.Payload), n,
				repo.MaxFingerprints, MaxFingerprintBytes)
		}
	}
}

// Attacker fills in all but UUID, IP and UpdatedAt of the profile. Lists are
// never nil. The caller must not change the bytes of the fingerprints.
func (s *State) Attacker() repo.Attacker {
	shown := s.behavior()
	return s.attacker(&shown)
}

func (s *State) attacker(shown *behavior) repo.Attacker {
	a := repo.Attacker{
		EventCount:      s.events,
		Services:        append(make([]string, 0, len(s.services)), s.services...),
		Deckies:         make([]string, 0, len(s.deckies)),
		BountyCount:     s.bounties,
		CredentialCount: s.credentials,
		Fingerprints:    make([]json.RawMessage, 0, len(s.prints.items)),
		Commands:        make([]repo.Command, 0, len(s.commands.items)),
		Behavior:        shown.Behavior,
	}
	if s.events > 0 {
		a.FirstSeen, a.LastSeen = instant(s.first), instant(s.last)
	}
	for _, d := range s.deckies {
		a.Deckies = append(a.Deckies, d.name)
	}
	for _, p := range s.prints.items {
		a.Fingerprints = append(a.Fingerprints, p.value)
	}
	for _, c := range s.commands.items {
		a.Commands = append(a.Commands, repo.Command{
			Time: instant(c.at), Service: c.value.service, Decky: c.value.decky, Text: c.value.text,
		})
	}
	return a
}

func (s *State) addService(name string) {
	name = clip(name, MaxName)
	i, known := slices.BinarySearch(s.services, name)
	if known || name == "" || len(s.services) == MaxServices {
		return
	}
	s.services = slices.Insert(s.services, i, strings.Clone(name))
}

// addDecky keeps the deckies in the order of first contact, ties by name, and of
// too many those of earliest contact: both do not depend on the order of arrival.
func (s *State) addDecky(t int64, name string) {
	name = clip(name, MaxName)
	if name == "" {
		return
	}
	i := slices.IndexFunc(s.deckies, func(c contact) bool { return c.name == name })
	switch {
	case i >= 0 && s.deckies[i].at <= t:
		return
	case i >= 0:
		s.deckies = slices.Delete(s.deckies, i, i+1)
	default:
		name = strings.Clone(name)
	}
	c := contact{at: t, name: name}
	i, _ = slices.BinarySearchFunc(s.deckies, c, compareContacts)
	s.deckies = slices.Insert(s.deckies, i, c)
	if len(s.deckies) > MaxDeckies {
		s.deckies = s.deckies[:MaxDeckies]
	}
}

func compareContacts(a, b contact) int {
	if a.at != b.at {
		if a.at < b.at {
			return -1
		}
		return 1
	}
	return strings.Compare(a.name, b.name)
}

func (s *State) addCommand(t int64, e *repo.Event) {
	if s.commands.outdated(t, repo.RecentCommands) {
		return
	}
	c := command{
		service: strings.Clone(clip(e.Service, MaxName)),
		decky:   strings.Clone(clip(e.Decky, MaxName)),
		text:    strings.Clone(clip(e.Command, MaxCommandText)),
	}
	s.commands.add(t, c, c.size(), repo.RecentCommands, MaxCommandBytes)
}

func (c command) size() int { return len(c.service) + len(c.decky) + len(c.text) }

// clip cuts s to at most n bytes, not inside a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for back := 0; back < utf8.UTFMax-1 && n > 0 && !utf8.RuneStart(s[n]); back++ {
		n--
	}
	return s[:n]
}

// nanos is the time in Unix nanoseconds; times that an event cannot have
// ([repo.ValidTime]) become the nearest that it can.
func nanos(t time.Time) int64 {
	switch {
	case t.Unix() < 0:
		return 0
	case !repo.ValidTime(t):
		return repo.MaxUnixNano
	}
	return t.UnixNano()
}

func instant(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }

// seconds turns nanoseconds into seconds.
func seconds(nanos float64) float64 { return nanos / float64(time.Second) }

// addCapped adds to a counter that stays at its highest value instead of
// wrapping around.
func addCapped(a, b int64) int64 {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}
