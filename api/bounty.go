package api

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"decnet/repo"
)

// bountyWindow is how long the default page is served from memory.
const bountyWindow = 5 * time.Second

// bountyDefaultLimit is the limit of the default page.
const bountyDefaultLimit = 50

// bountyResource answers GET /bounty; only the default page is cached.
type bountyResource struct {
	store BountyReader
	page  *cache[rendered]
}

func newBounty(o owner, store BountyReader) *bountyResource {
	b := &bountyResource{store: store}
	b.page = newCache(o, string(cacheBountyPage), bountyWindow, func(ctx context.Context) (rendered, error) {
		body, err := b.load(ctx, repo.BountyQuery{Limit: bountyDefaultLimit})
		if err != nil {
			return rendered{}, err
		}
		return render(body), nil
	})
	return b
}

// Reset makes the cache cold.
func (b *bountyResource) Reset() { b.page.reset() }

func (b *bountyResource) list(c *call) (answer, error) {
	q := repo.BountyQuery{BountyFilter: repo.BountyFilter{
		Type: c.params.String("bounty_type"), Search: c.params.String("search"),
	}}
	q.Limit, q.Offset = pageOf(c)
	if q == (repo.BountyQuery{Limit: bountyDefaultLimit}) {
		page, err := b.page.get(c.Context())
		if err != nil {
			return answer{}, err
		}
		return page.answer(), nil
	}
	if err := c.work(q.Search != ""); err != nil {
		return answer{}, err
	}
	body, err := b.load(c.Context(), q)
	if err != nil {
		return answer{}, err
	}
	return answer{body: body}, nil
}

func (b *bountyResource) load(ctx context.Context, q repo.BountyQuery) ([]byte, error) {
	rows, err := b.store.Bounties(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("bounties: %w", err)
	}
	total, err := b.store.CountBounties(ctx, q.BountyFilter)
	if err != nil {
		return nil, fmt.Errorf("count bounties: %w", err)
	}
	return appendPage(nil, total, q.Limit, q.Offset, func(b []byte) []byte {
		return appendArray(b, len(rows), func(b []byte, i int) []byte { return appendBounty(b, &rows[i]) })
	}), nil
}

func appendBounty(b []byte, r *repo.Bounty) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, r.ID, 10)
	b = append(b, `,"timestamp":`...)
	b = appendTime(b, r.Time)
	b = append(b, `,"decky":`...)
	b = appendString(b, r.Decky)
	b = append(b, `,"service":`...)
	b = appendString(b, r.Service)
	b = append(b, `,"attacker_ip":`...)
	b = appendString(b, r.AttackerIP)
	b = append(b, `,"bounty_type":`...)
	b = appendString(b, r.Type)
	b = append(b, `,"payload":`...)
	b = appendObject(b, r.Payload)
	return append(b, '}')
}
