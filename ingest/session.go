package ingest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"decnet/repo"
)

// joiner tells later lines of a session what only its first line knew. Its
// memory is bounded: beyond it the session that was silent the longest is
// forgotten, here and in the store. What changed is handed out with the batch
// that holds the lines it came from, so a crash forgets neither too much nor
// too little. Not safe for concurrent use.
type joiner struct {
	open *simplelru.LRU[string, repo.Session]
	// changed are open sessions that the store must be told of; the value says
	// that the store does not have them yet.
	changed map[string]bool
	// closed are sessions that the store must forget.
	closed map[string]struct{}
}

func newJoiner(limit int, stored []repo.Session) *joiner {
	j := &joiner{changed: map[string]bool{}, closed: map[string]struct{}{}}
	// The only error is a limit below one, which Options exclude.
	j.open, _ = simplelru.NewLRU[string, repo.Session](limit, func(key string, _ repo.Session) {
		j.forget(key)
	})
	for _, s := range stored {
		j.open.Add(s.Key, s)
	}
	return j
}

// join completes the service, and the attacker if the line tells none, of a
// record from its session. It returns the decoy's
// port, 0 when neither the record nor its session tells it.
func (j *joiner) join(rec *Record) (port int) {
	ref := &rec.Session
	port = ref.DstPort
	if ref.Key == "" {
		return port
	}
	known, isKnown := j.open.Get(ref.Key)
	switch {
	case ref.Opens:
		j.remember(rec, isKnown)
	case isKnown:
		rec.Event.Service = known.Service
		if port == 0 {
			port = known.DstPort
		}
		if rec.Event.AttackerIP == repo.UnknownAttacker && known.Attacker != "" {
			rec.Event.AttackerIP = known.Attacker
		}
	case ref.Service != "" && !ref.Closes:
		// The session began before the file did; this line tells what it is.
		j.remember(rec, false)
	}
	if ref.Closes {
		j.open.Remove(ref.Key)
	}
	return port
}

func (j *joiner) remember(rec *Record, isKnown bool) {
	key := rec.Session.Key
	if _, stored := j.closed[key]; stored {
		delete(j.closed, key)
		isKnown = true
	}
	if _, dirty := j.changed[key]; !dirty {
		j.changed[key] = !isKnown
	}
	attacker := rec.Event.AttackerIP
	if attacker == repo.UnknownAttacker {
		attacker = ""
	}
	j.open.Add(key, repo.Session{
		Key: key, Service: rec.Session.Service, DstPort: rec.Session.DstPort, Attacker: attacker, OpenedAt: rec.Event.Time,
	})
}

func (j *joiner) forget(key string) {
	isNew, dirty := j.changed[key]
	delete(j.changed, key)
	if !dirty || !isNew {
		j.closed[key] = struct{}{}
	}
}

// take returns what changed since the last call, in a stable order.
func (j *joiner) take() (opened []repo.Session, closed []string) {
	for key := range j.changed {
		if s, ok := j.open.Peek(key); ok {
			opened = append(opened, s)
		}
	}
	slices.SortFunc(opened, func(a, b repo.Session) int {
		return cmp.Or(a.OpenedAt.Compare(b.OpenedAt), cmp.Compare(a.Key, b.Key))
	})
	closed = slices.Sorted(maps.Keys(j.closed))
	clear(j.changed)
	clear(j.closed)
	return opened, closed
}
