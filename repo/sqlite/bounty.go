package sqlite

import (
	"context"

	"decnet/repo"
)

func bountiesWhere(f repo.BountyFilter) conditions {
	var c conditions
	if f.Type != "" {
		c.add("type = ?", f.Type)
	}
	if f.Search != "" {
		c.add("contains_fold(?, decky, service, attacker_ip, type, payload)", f.Search)
	}
	return c
}

// pageOfBounties is the query of a page, newest first.
func pageOfBounties(q repo.BountyQuery) (string, []any) {
	c := bountiesWhere(q.BountyFilter)
	return "SELECT id, time, decky, service, attacker_ip, type, payload FROM bounties" + c.where() +
		" ORDER BY time DESC, id DESC LIMIT ? OFFSET ?", append(c.args, q.Limit, q.Offset)
}

// Bounties returns a page, newest first.
func (s *Store) Bounties(ctx context.Context, q repo.BountyQuery) ([]repo.Bounty, error) {
	query, args := pageOfBounties(q)
	return listed(ctx, s, "bounties", func(scan func(...any) error) (b repo.Bounty, err error) {
		var nanos int64
		err = scan(&b.ID, &nanos, &b.Decky, &b.Service, &b.AttackerIP, &b.Type, &b.Payload)
		b.Time = fromNanos(nanos)
		return b, err
	}, query, args...)
}

// CountBounties returns how many bounties the filter chooses. Without a search
// its cost does not depend on their number.
func (s *Store) CountBounties(ctx context.Context, f repo.BountyFilter) (int64, error) {
	switch {
	case f.IsZero():
		return s.count(ctx, "bounties", selectCounter, counterBounties)
	case f.Search == "":
		return s.count(ctx, "bounties", selectCounter, counterBountyType+f.Type)
	}
	c := bountiesWhere(f)
	return s.count(ctx, "bounties", "SELECT count(*) FROM bounties"+c.where(), c.args...)
}
