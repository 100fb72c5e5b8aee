//go:build fuzz

package fuzz

import (
	"maps"
	"slices"
	"time"

	"decnet/fuzz/engine"
)

// naiveRelations count by hand, over the rows of a list, what the service counts
// by its indexes and rollups.
func naiveRelations() []engine.Relation {
	return []engine.Relation{
		{Name: "bounds_are_inclusive", Applies: is("listLogs"), Check: boundsInclusive},
		{Name: "bars_hold_their_rows", Applies: is("getHistogram"), Check: barsHoldRows},
		{Name: "bounds_are_exact", Applies: is("listLogs"), Check: boundsExact},
		{Name: "stream_goes_on", Applies: is("openStream"), Check: streamGoesOn},
		{Name: "batch_adds_up", Applies: is("pushEvents"), Check: batchAddsUp},
		{Name: "attackers_have_the_service", Applies: is("listAttackers"), Check: attackersHaveService},
	}
}

// boundsInclusive wants the row whose time is both bounds of a range.
func boundsInclusive(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() || len(rows(main)) == 0 {
		return nil
	}
	row, _ := rows(main)[0].(map[string]any)
	at, _ := row["timestamp"].(string)
	var out []string
	for name, bounds := range map[string]map[string]any{
		"start_time": {"start_time": at, "end_time": nil}, "end_time": {"start_time": nil, "end_time": at},
		"both bounds": {"start_time": at, "end_time": at},
	} {
		bounds["limit"], bounds["offset"] = int64(1000), int64(0)
		got := p.Send(with(p.Case(), bounds))
		there := slices.ContainsFunc(rows(got), func(r any) bool {
			other, _ := r.(map[string]any)
			return other["id"] == row["id"]
		})
		if !there {
			out = append(out, "a row is missing whose time is "+name+" of the range")
		}
	}
	slices.Sort(out)
	return out
}

// boundsExact wants a row at the end of a range that ends at its very instant.
// Rows tell whole seconds; a row that a start on the second includes, and one a
// nanosecond later does not, is of exactly that second.
func boundsExact(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() || len(rows(main)) == 0 {
		return nil
	}
	row, _ := rows(main)[0].(map[string]any)
	second, err := time.Parse(time.RFC3339, textOf(row, "timestamp"))
	if err != nil {
		return nil
	}
	const nanos = "2006-01-02T15:04:05.000000000Z07:00"
	holds := func(start, end any) bool {
		got := p.Send(with(p.Case(), map[string]any{"start_time": start, "end_time": end, "limit": int64(1000), "offset": int64(0)}))
		return slices.ContainsFunc(rows(got), func(r any) bool {
			other, _ := r.(map[string]any)
			return other["id"] == row["id"]
		})
	}
	if !holds(second.Format(nanos), nil) || holds(second.Add(1).Format(nanos), nil) {
		return nil
	}
	if !holds(nil, second.Format(nanos)) {
		return []string{"a row is missing whose time is the exact end of the range"}
	}
	return nil
}

// barsHoldRows wants that each bar of the histogram counts the rows of its time.
func barsHoldRows(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() {
		return nil
	}
	interval, ok := minutesOf(p.Case())
	c := with(p.Case(), map[string]any{"limit": int64(1000), "interval_minutes": nil})
	c.Operation = "listLogs"
	c.Unset("header", "If-None-Match")
	list := p.Send(c)
	if !ok || !list.OK() || count(list) > 1000 {
		return nil
	}
	want := map[int64]int64{}
	for _, r := range rows(list) {
		row, _ := r.(map[string]any)
		text, _ := row["timestamp"].(string)
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return []string{"a row has a time that is none"}
		}
		want[at.Unix()/(60*interval)]++
	}
	got := map[int64]int64{}
	buckets, _ := main.JSON().([]any)
	for _, b := range buckets {
		bucket, _ := b.(map[string]any)
		text, _ := bucket["time"].(string)
		at, err := time.Parse(time.DateTime, text)
		if err != nil {
			return []string{"a bar has a time that is none"}
		}
		n, _ := bucket["count"].(int64)
		got[at.Unix()/(60*interval)] += n
	}
	if !maps.Equal(want, got) {
		return []string{"a bar does not count the rows of its time"}
	}
	return nil
}

// minutesOf is the width of a bar that a case asks for.
func minutesOf(c *engine.Case) (int64, bool) {
	value, given := c.Arg("query", "interval_minutes")
	if !given {
		return 15, true
	}
	n, ok := value.(int64)
	return n, ok && n > 0 && n < 1<<40
}

// attackersHaveService wants exactly those attackers that were seen at a service.
func attackersHaveService(p *engine.Probe) []string {
	main := p.Main()
	value, given := p.Case().Arg("query", "service")
	service, ok := value.(string)
	if !main.OK() || !given || !ok || slices.Contains([]string{"", "null", "NULL", "undefined"}, service) {
		return nil
	}
	all := p.Send(with(p.Case(), map[string]any{"service": nil, "limit": int64(1000), "offset": int64(0)}))
	var want int64
	for _, r := range rows(all) {
		row, _ := r.(map[string]any)
		services, _ := row["services"].([]any)
		if slices.Contains(services, any(service)) {
			want++
		}
	}
	if want != count(main) {
		return []string{"the attackers of a service are not those who were seen there"}
	}
	return nil
}
