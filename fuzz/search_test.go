//go:build fuzz

package fuzz

import (
	"time"

	"decnet/contract"
	"decnet/fuzz/engine"
	"decnet/repo"
)

// searchAgrees wants that a filtered list is what a naive filter in Go chooses
// from the unfiltered one.
func searchAgrees(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() {
		return nil
	}
	all := p.Send(with(p.Case(), map[string]any{"limit": int64(1000), "offset": int64(0), "search": nil, "start_time": nil, "end_time": nil, "cursor": nil}))
	chosen := p.Send(with(p.Case(), map[string]any{"limit": int64(1000), "offset": int64(0), "cursor": nil}))
	search := repo.ParseSearch(given(p.Case(), "search"))
	start, _, hasStart := contract.ParseTimeBound(given(p.Case(), "start_time"))
	_, end, hasEnd := contract.ParseTimeBound(given(p.Case(), "end_time"))
	var want []int64
	for _, r := range rows(all) {
		row, _ := r.(map[string]any)
		l := logOf(row)
		if (search == nil || search.Match(&l)) && (!hasStart || !l.Time.Before(start)) && (!hasEnd || !l.Time.After(end)) {
			want = append(want, l.ID)
		}
	}
	var got []int64
	for _, r := range rows(chosen) {
		row, _ := r.(map[string]any)
		id, _ := row["id"].(int64)
		got = append(got, id)
	}
	switch {
	case len(got) > len(want):
		return []string{"the list has rows that the filter does not choose"}
	case len(got) < len(want):
		return []string{"the list lacks rows that the filter chooses"}
	}
	for i := range got {
		if got[i] != want[i] {
			return []string{"the list has other rows than the filter chooses"}
		}
	}
	if count(main) != int64(len(want)) {
		return []string{"the total is not the number of rows that the filter chooses"}
	}
	return nil
}

// given is the text of a parameter, "" where it means "not given".
func given(c *engine.Case, name string) string {
	v, _ := c.Arg("query", name)
	s, _ := v.(string)
	switch s {
	case "null", "NULL", "undefined":
		return ""
	}
	return s
}

func logOf(row map[string]any) repo.Log {
	id, _ := row["id"].(int64)
	at, _ := time.Parse(time.RFC3339Nano, textOf(row, "timestamp"))
	return repo.Log{
		ID: id, Time: at, Decky: textOf(row, "decky"), Service: textOf(row, "service"), EventType: textOf(row, "event_type"),
		AttackerIP: textOf(row, "attacker_ip"), RawLine: textOf(row, "raw_line"), Fields: textOf(row, "fields"),
	}
}
