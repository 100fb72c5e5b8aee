package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"decnet/repo"
)

// attackersResource answers the profiles; only the total of the unfiltered list
// is cached.
type attackersResource struct {
	store    AttackerReader
	total    *cache[int64]
	profiles *profiles
	buffers  buffers
}

func newAttackers(o owner, store AttackerReader) *attackersResource {
	return &attackersResource{store: store, profiles: newProfiles(), total: newCache(o, string(cacheAttackersTotal), totalWindow, func(ctx context.Context) (int64, error) {
		return store.CountAttackers(ctx, repo.AttackerFilter{})
	})}
}

// Reset makes the cache cold.
func (a *attackersResource) Reset() { a.reset() }

func (a *attackersResource) reset() {
	a.total.reset()
	a.profiles.rendered.Purge()
}

func (a *attackersResource) counts() CacheCounts { return a.total.counts() }

// profiles remembers profiles as they are sent, by what changes whenever anything
// else of them does: encoding one takes longer than reading it.
type profiles struct {
	rendered *lru.Cache[profileVersion, []byte]
}

type profileVersion struct {
	uuid              string
	updatedAt, events int64
}

// keptProfiles is how many profiles are kept, those asked for last.
const keptProfiles = 1024

func newProfiles() *profiles {
	rendered, _ := lru.New[profileVersion, []byte](keptProfiles) // fails for a size below 1
	return &profiles{rendered: rendered}
}

// of returns the wire form of a profile, which the caller must not change.
func (p *profiles) of(row *repo.Attacker) []byte {
	version := profileVersion{row.UUID, row.UpdatedAt.UnixNano(), row.EventCount}
	if encoded, ok := p.rendered.Get(version); ok {
		return encoded
	}
	encoded := appendAttacker(nil, row)
	if len(encoded) <= largestKept {
		p.rendered.Add(version, encoded)
	}
	return encoded
}

func (a *attackersResource) list(c *call) (answer, error) {
	q := repo.AttackerQuery{
		AttackerFilter: repo.AttackerFilter{Search: c.params.String("search"), Service: c.params.String("service")},
		Sort:           sortOf(c.params.String("sort_by")),
	}
	q.Limit, q.Offset = pageOf(c)
	if err := c.work(q.Search != ""); err != nil {
		return answer{}, err
	}
	rows, err := a.store.Attackers(c.Context(), q)
	if err != nil {
		return answer{}, fmt.Errorf("attackers: %w", err)
	}
	var total int64
	if q.IsZero() {
		total, err = a.total.get(c.Context())
	} else {
		total, err = a.store.CountAttackers(c.Context(), q.AttackerFilter)
	}
	if err != nil {
		return answer{}, fmt.Errorf("count attackers: %w", err)
	}
	parts := make([][]byte, len(rows))
	for i := range rows {
		parts[i] = a.profiles.of(&rows[i])
	}
	return a.buffers.page(total, q.Limit, q.Offset, parts, nil), nil
}

func (a *attackersResource) get(c *call) (answer, error) {
	if err := c.work(false); err != nil {
		return answer{}, err
	}
	row, err := a.store.Attacker(c.Context(), attackerID(c))
	if errors.Is(err, repo.ErrNotFound) {
		return answer{}, errNoAttacker.because(err)
	}
	if err != nil {
		return answer{}, fmt.Errorf("attacker: %w", err)
	}
	return answer{body: appendAttacker(nil, &row)}, nil
}

func (a *attackersResource) commands(c *call) (answer, error) {
	q := repo.CommandQuery{Service: c.params.String("service")}
	q.Limit, q.Offset = pageOf(c)
	if err := c.work(false); err != nil {
		return answer{}, err
	}
	rows, total, err := a.store.Commands(c.Context(), attackerID(c), q)
	if errors.Is(err, repo.ErrNotFound) {
		return answer{}, errNoAttacker.because(err)
	}
	if err != nil {
		return answer{}, fmt.Errorf("commands: %w", err)
	}
	return answer{body: appendPage(nil, total, q.Limit, q.Offset, func(b []byte) []byte { return appendCommands(b, rows) })}, nil
}

// attackerID is the id of the path; UUIDs are equal in either case (RFC 9562).
func attackerID(c *call) string { return strings.ToLower(c.PathValue("uuid")) }

func sortOf(name string) repo.AttackerSort {
	switch name {
	case "active":
		return repo.SortActive
	case "traversals":
		return repo.SortTraversals
	default: // "recent"; the contract lets no other word in
		return repo.SortRecent
	}
}

func appendCommands(b []byte, rows []repo.Command) []byte {
	return appendArray(b, len(rows), func(b []byte, i int) []byte { return appendCommand(b, &rows[i]) })
}

func appendCommand(b []byte, r *repo.Command) []byte {
	b = append(b, `{"service":`...)
	b = appendString(b, r.Service)
	b = append(b, `,"decky":`...)
	b = appendString(b, r.Decky)
	b = append(b, `,"command":`...)
	b = appendString(b, r.Text)
	b = append(b, `,"timestamp":`...)
	b = appendTime(b, r.Time)
	return append(b, '}')
}

// text is a string that attackers may have made; see appendString.
type text string

// MarshalJSON implements [json.Marshaler].
func (t text) MarshalJSON() ([]byte, error) { return appendString(nil, string(t)), nil }

// wireTime is a time in UTC, or null.
type wireTime time.Time

// MarshalJSON implements [json.Marshaler].
func (t wireTime) MarshalJSON() ([]byte, error) { return appendTime(nil, time.Time(t)), nil }

func texts(list []string) []text {
	t := make([]text, len(list))
	for i, s := range list {
		t[i] = text(s)
	}
	return t
}

// objectText is a stored JSON object; "" is an empty one.
type objectText string

// MarshalJSON implements [json.Marshaler].
func (o objectText) MarshalJSON() ([]byte, error) { return appendObject(nil, string(o)), nil }
