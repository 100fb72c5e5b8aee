//go:build fuzz

package fuzz

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/repo"
	"decnet/repo/sqlite"
)

// storeCase is a store's content, the order in which it came, and a question.
type storeCase struct {
	Events []repo.Event
	// Batch is how many events are committed at once.
	Batch int
	// Search is in the search language; Start and End are 0 for no bound, in
	// nanoseconds.
	Search     string
	Start, End int64
	// Minutes is the interval of a histogram, Page the size of a page.
	Minutes, Page int
	// Order chooses among the orders of a list.
	Order int
	// Text and Service filter attackers and credentials.
	Text, Service string
}

func (c storeCase) filter() repo.LogFilter {
	f := repo.LogFilter{Search: repo.ParseSearch(c.Search)}
	if c.Start != 0 {
		f.Start = time.Unix(0, c.Start).UTC()
	}
	if c.End != 0 {
		f.End = time.Unix(0, c.End).UTC()
	}
	return f
}

// drawStore draws few and like values, so that filters meet rows and rows meet
// each other: times that are equal or lie at the edge of a bucket, texts that
// differ in case or hold what is special to SQL.
func drawStore(r *rand.Rand) storeCase {
	c := storeCase{
		Batch: 1 + r.IntN(9), Minutes: pick(r, 1, 5, 15, 60, 7, 1440, 100_000), Page: 1 + r.IntN(7), Order: r.IntN(3),
		Search: drawSearch(r), Text: pick(r, "", "", "A", "%", "_", "pw", "ssh", "\xff", "203.0.113.1"), Service: pick(r, "", "", "ssh", "SSH", "x"),
	}
	for range r.IntN(24) {
		c.Events = append(c.Events, drawEvent(r))
	}
	if r.IntN(2) == 0 {
		c.Start = drawTime(r)
	}
	if r.IntN(2) == 0 {
		c.End = drawTime(r)
	}
	return c
}

func drawTime(r *rand.Rand) int64 {
	at := began().UnixNano() + int64(r.IntN(5))*int64(15*time.Minute) + pick(r, 0, 0, 1, -1, int64(time.Second))
	return pick(r, at, at, at, at, at, 1, repo.MaxUnixNano, int64(time.Minute)-1)
}

func drawEvent(r *rand.Rand) repo.Event {
	e := repo.Event{Log: repo.Log{
		Time: time.Unix(0, drawTime(r)).UTC(), Decky: pick(r, "decky-1", "Decky-1", "é", "d_1"), Service: pick(r, "ssh", "SSH", "http%"),
		EventType: pick(r, "connect", "auth_attempt", "-"), AttackerIP: pick(r, "203.0.113.1", "203.0.113.10", "2001:db8::1", repo.UnknownAttacker),
		RawLine: pick(r, "", "a line", "A LINE %_\\", "'; DROP TABLE logs; --", "\x00\xff", "Ä"),
		Fields:  pick(r, `{}`, `{"port":443}`, `{"port":"443"}`, `{"port":[1,"a"],"decky":"decky-1"}`, `{"k":"a \"b\"","none":null}`, `{"k":{"port":443}}`),
	}}
	if e.AttackerIP == repo.UnknownAttacker {
		return e
	}
	for range r.IntN(3) {
		user, _ := json.Marshal(pick(r, "root", "ROOT", "a%", ""))
		password, _ := json.Marshal(pick(r, "pw", "PW", "a\"b"))
		e.Bounties = append(e.Bounties, pick(r,
			repo.Bounty{Type: repo.BountyCredential, Payload: fmt.Sprintf(`{"password":%s,"username":%s}`, password, user)},
			repo.Bounty{Type: repo.BountyFingerprint, Payload: fmt.Sprintf(`{"fingerprint_type":"x","value":%s}`, user)},
			repo.Bounty{Type: repo.BountyPayload, Payload: fmt.Sprintf(`{"value":%s}`, user)}))
	}
	return e
}

func drawSearch(r *rand.Rand) string {
	words := make([]string, r.IntN(3))
	for i := range words {
		words[i] = pick(r, "decky:decky-1", "service:SSH", "event:-", "attacker:203.0.113.1", "203.0.113.1", "2001:db8::1", "port:443", "de.cky:decky-1",
			`k:'a "b"'`, "none:null", `port:'[1,"a"]'`, "a", "LINE", "%", "_", `'\'`, "é", "ä", "\xff", "\x00", "'", `"; DROP"`, "x:y", ":")
	}
	return strings.Join(words, " ")
}

// smallerStore drops rows, then the conditions, then makes the numbers plain.
func smallerStore(c storeCase) []storeCase {
	var out []storeCase
	for _, events := range without(c.Events) {
		next := c
		next.Events = events
		out = append(out, next)
	}
	try := func(differs bool, change func(next *storeCase)) {
		if differs {
			next := c
			change(&next)
			out = append(out, next)
		}
	}
	try(c.Start != 0, func(n *storeCase) { n.Start = 0 })
	try(c.End != 0, func(n *storeCase) { n.End = 0 })
	try(c.Text != "", func(n *storeCase) { n.Text = "" })
	try(c.Service != "", func(n *storeCase) { n.Service = "" })
	try(c.Order != 0, func(n *storeCase) { n.Order = 0 })
	try(c.Batch > 1, func(n *storeCase) { n.Batch = 1 })
	try(c.Page > 1, func(n *storeCase) { n.Page = 1 })
	try(c.Minutes > 1, func(n *storeCase) { n.Minutes = 1 })
	for _, words := range without(strings.Fields(c.Search)) {
		try(true, func(n *storeCase) { n.Search = strings.Join(words, " ") })
	}
	for i := range c.Events {
		for _, bounties := range without(c.Events[i].Bounties) {
			try(true, func(n *storeCase) {
				n.Events = slices.Clone(n.Events)
				n.Events[i].Bounties = bounties
			})
		}
	}
	return out
}

// onStore is a property of a store that has taken a case's events. holds is
// given the rows as they must be listed, newest first.
func onStore(t *testing.T, holds func(ctx context.Context, s *sqlite.Store, c storeCase, rows []repo.Log) error) property[storeCase] {
	t.Helper()
	template, err := sqlite.NewTemplate(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, template.Close()) })
	return property[storeCase]{draw: drawStore, smaller: smallerStore, holds: func(c storeCase) (err error) {
		s, err := template.Clone(t.Context(), sqlite.Options{Readers: 1, Now: began})
		if err != nil {
			return err
		}
		defer func() {
			if closing := s.Close(); err == nil {
				err = closing
			}
		}()
		rows, err := fill(t.Context(), s, c)
		if err != nil {
			return err
		}
		return holds(t.Context(), s, c, rows)
	}}
}

// fill commits the events, batch by batch, and returns the rows newest first.
func fill(ctx context.Context, s *sqlite.Store, c storeCase) ([]repo.Log, error) {
	rows := make([]repo.Log, 0, len(c.Events))
	for batch := range slices.Chunk(slices.Clone(c.Events), c.Batch) {
		batch = slices.Clone(batch)
		if err := s.Commit(ctx, &repo.Batch{Events: batch}); err != nil {
			return nil, fmt.Errorf("commit: %w", err)
		}
		for i := range batch {
			rows = append(rows, batch[i].Log)
		}
	}
	slices.SortFunc(rows, func(a, b repo.Log) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID))
	})
	return rows, nil
}

// same compares two lists by what is in them.
func same(what string, got, want any) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return fmt.Errorf("%s: got %+v, want %+v", what, got, want)
}

// chosen are the rows that the naive filter chooses.
func chosen(rows []repo.Log, f repo.LogFilter) []repo.Log {
	want := []repo.Log{}
	for i := range rows {
		if f.Match(&rows[i]) {
			want = append(want, rows[i])
		}
	}
	return want
}

// TestProperty_SQLChoosesWhatMatchChooses compares the compiled filter with the
// meaning that package repo gives it.
func TestProperty_SQLChoosesWhatMatchChooses(t *testing.T) {
	t.Parallel()
	onStore(t, func(ctx context.Context, s *sqlite.Store, c storeCase, rows []repo.Log) error {
		want := chosen(rows, c.filter())
		got, err := s.Logs(ctx, repo.LogQuery{LogFilter: c.filter(), Limit: 1000})
		if err != nil {
			return err
		}
		if err := same("rows", got, want); err != nil {
			return err
		}
		n, err := s.CountLogs(ctx, c.filter())
		if err != nil {
			return err
		}
		if err := same("count", n, int64(len(want))); err != nil {
			return err
		}
		after := int64(len(rows) / 2)
		got, err = s.LogsAfter(ctx, after, c.filter(), 1000)
		if err != nil {
			return err
		}
		want = slices.DeleteFunc(want, func(l repo.Log) bool { return l.ID <= after })
		slices.SortFunc(want, func(a, b repo.Log) int { return cmp.Compare(a.ID, b.ID) })
		return same("rows after", got, want)
	}).check(t, 200)
}

// TestProperty_HistogramCounts compares a histogram with a naive count; its sum
// must be the total.
func TestProperty_HistogramCounts(t *testing.T) {
	t.Parallel()
	onStore(t, func(ctx context.Context, s *sqlite.Store, c storeCase, rows []repo.Log) error {
		interval := time.Duration(c.Minutes) * time.Minute
		want := []repo.Bucket{}
		list := chosen(rows, c.filter())
		for i := range slices.Backward(list) {
			start := time.Unix(0, list[i].Time.UnixNano()/int64(interval)*int64(interval)).UTC()
			if last := len(want) - 1; last >= 0 && want[last].Start.Equal(start) {
				want[last].Count++
			} else {
				want = append(want, repo.Bucket{Start: start, Count: 1})
			}
		}
		got, err := s.Histogram(ctx, c.filter(), interval)
		if err != nil {
			return err
		}
		if err := same("buckets", got, want); err != nil {
			return err
		}
		var sum int64
		for _, b := range got {
			sum += b.Count
		}
		n, err := s.CountLogs(ctx, c.filter())
		if err != nil {
			return err
		}
		return same("sum", sum, n)
	}).check(t, 200)
}

// TestProperty_PagesJoinToTheWhole reads every list page by page.
func TestProperty_PagesJoinToTheWhole(t *testing.T) {
	t.Parallel()
	onStore(t, func(ctx context.Context, s *sqlite.Store, c storeCase, _ []repo.Log) error {
		logs := func(limit, offset int) ([]repo.Log, error) {
			return s.Logs(ctx, repo.LogQuery{LogFilter: c.filter(), Limit: limit, Offset: offset})
		}
		if err := joins("logs", c.Page, logs, func() (int64, error) { return s.CountLogs(ctx, c.filter()) }); err != nil {
			return err
		}
		of := repo.AttackerFilter{Search: c.Text, Service: c.Service}
		attackers := func(limit, offset int) ([]repo.Attacker, error) {
			return s.Attackers(ctx, repo.AttackerQuery{AttackerFilter: of, Sort: repo.AttackerSort(c.Order), Limit: limit, Offset: offset})
		}
		if err := joins("attackers", c.Page, attackers, func() (int64, error) { return s.CountAttackers(ctx, of) }); err != nil {
			return err
		}
		found := repo.BountyFilter{Search: c.Text, Type: []string{"", repo.BountyCredential, repo.BountyFingerprint}[c.Order]}
		bounties := func(limit, offset int) ([]repo.Bounty, error) {
			return s.Bounties(ctx, repo.BountyQuery{BountyFilter: found, Limit: limit, Offset: offset})
		}
		if err := joins("bounties", c.Page, bounties, func() (int64, error) { return s.CountBounties(ctx, found) }); err != nil {
			return err
		}
		tried := repo.CredentialFilter{Search: c.Text, Service: c.Service}
		credentials := func(limit, offset int) ([]repo.Credential, error) {
			return s.Credentials(ctx, repo.CredentialQuery{CredentialFilter: tried, Sort: repo.CredentialSort(c.Order), Limit: limit, Offset: offset})
		}
		return joins("credentials", c.Page, credentials, func() (int64, error) { return s.CountCredentials(ctx, tried) })
	}).check(t, 100)
}

// joins wants that pages of a size, joined, are the whole list, and that it is
// as long as the count says.
func joins[E any](what string, size int, page func(limit, offset int) ([]E, error), count func() (int64, error)) error {
	whole, err := page(1000, 0)
	if err != nil {
		return err
	}
	joined := []E{}
	for {
		part, err := page(size, len(joined))
		if err != nil {
			return err
		}
		if part == nil || len(part) > size {
			return fmt.Errorf("%s: a page of %d has %d rows, nil is %t", what, size, len(part), part == nil)
		}
		if joined = append(joined, part...); len(part) < size {
			break
		}
	}
	if err := same(what, joined, whole); err != nil {
		return err
	}
	n, err := count()
	if err != nil {
		return err
	}
	return same(what+" counted", n, int64(len(whole)))
}

// TestProperty_ABountyIsStoredOnce wants the same bounties whatever the order
// and the batches in which events came, and the counts that follow from them.
func TestProperty_ABountyIsStoredOnce(t *testing.T) {
	t.Parallel()
	onStore(t, func(ctx context.Context, s *sqlite.Store, c storeCase, _ []repo.Log) error {
		want, ofAttacker, tries := map[string]int{}, map[string]int64{}, map[string]int64{}
		for i := range c.Events {
			once := map[string]bool{}
			for _, b := range c.Events[i].Bounties {
				key := c.Events[i].AttackerIP + " " + b.Type + " " + b.Payload
				if want[key] == 0 {
					want[key] = 1
					ofAttacker[c.Events[i].AttackerIP]++
				}
				if b.Type == repo.BountyCredential && !once[b.Payload] {
					once[b.Payload] = true
					tries[credentialOf(b.Payload)]++
				}
			}
		}
		list, err := s.Bounties(ctx, repo.BountyQuery{Limit: 1000})
		if err != nil {
			return err
		}
		got := map[string]int{}
		for _, b := range list {
			got[b.AttackerIP+" "+b.Type+" "+b.Payload]++
		}
		if err := same("bounties", got, want); err != nil {
			return err
		}
		attackers, err := s.Attackers(ctx, repo.AttackerQuery{Limit: 1000})
		if err != nil {
			return err
		}
		for i := range attackers {
			if err := same("bounties of "+attackers[i].IP, attackers[i].BountyCount, ofAttacker[attackers[i].IP]); err != nil {
				return err
			}
		}
		credentials, err := s.Credentials(ctx, repo.CredentialQuery{Limit: 1000})
		if err != nil {
			return err
		}
		counted := map[string]int64{}
		for _, one := range credentials {
			counted[one.Username+"\x00"+one.Password] = one.Attempts
		}
		if err := same("attempts", counted, tries); err != nil {
			return err
		}
		report, err := s.Check(ctx)
		if err != nil {
			return err
		}
		return same("findings of the store's own check", report.Total, int64(0))
	}).check(t, 100)
}

// credentialOf is the pair that a payload holds.
func credentialOf(payload string) string {
	var pair struct{ Username, Password string }
	if json.Unmarshal([]byte(payload), &pair) != nil {
		return payload
	}
	return pair.Username + "\x00" + pair.Password
}

// TestProperty_ShrinksToTheLeast plants a rule that fails with two events of one
// service, and wants nothing else in the least case.
func TestProperty_ShrinksToTheLeast(t *testing.T) {
	t.Parallel()
	p := property[storeCase]{draw: drawStore, smaller: smallerStore, holds: func(c storeCase) error {
		n := 0
		for i := range c.Events {
			if c.Events[i].Service == "ssh" {
				n++
			}
		}
		if n >= 2 && c.End != 0 {
			return fmt.Errorf("%d events", n)
		}
		return nil
	}}
	for s := range int64(10) {
		result := p.run(s, 1000)
		require.False(t, result.Passed())
		least, ok := result.Args[0].Arg.(storeCase)
		require.True(t, ok)
		require.Len(t, least.Events, 2)
		require.Equal(t, []any{"", int64(0), 1, 1, 1, "", ""}, []any{least.Search, least.Start, least.Batch, least.Page, least.Minutes, least.Text, least.Service})
		require.Empty(t, least.Events[0].Bounties)
	}
}
