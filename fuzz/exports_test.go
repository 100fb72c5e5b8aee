//go:build fuzz

package fuzz

import (
	"encoding/json"
	"strings"

	"decnet/fuzz/engine"
)

// The relations of what is told over all events at once: rankings and exports.
func wholeRelations() []engine.Relation {
	return []engine.Relation{
		{Name: "ranking_counts_the_list", Applies: is("getRanking"), Check: rankingCounts},
		{Name: "export_is_the_list", Applies: is("exportLogs"), Check: exportIsList},
	}
}

// rankingCounts wants that a ranking counts the events of the list in the range
// that it names, and those of a value as the list does that is searched for it.
func rankingCounts(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() {
		return nil
	}
	ask := func(search any) int64 {
		query := map[string]any{"limit": int64(1), "by": nil, "window": nil, "search": search}
		if at, ok := main.At("/start_time").(string); ok && given(p.Case(), "start_time") == "" {
			query["start_time"] = at
		}
		c := with(p.Case(), query)
		c.Operation = "listLogs"
		c.Unset("header", "If-None-Match")
		return count(p.Send(c))
	}
	var out []string
	events, _ := main.At("/events").(int64)
	if events != ask(nil) {
		out = append(out, "a ranking has other events than the list")
	}
	by, _ := main.At("/by").(string)
	key := map[string]string{"attacker": "attacker", "service": "service", "decky": "decky", "event_type": "event"}[by]
	last := int64(-1)
	for i, row := range rows(main) {
		r, _ := row.(map[string]any)
		n, _ := r["count"].(int64)
		value, _ := r["value"].(string)
		if last >= 0 && n > last {
			out = append(out, "a ranking is not in its order")
		}
		if last = n; i < 2 && plainWord(value) && n != ask(key+":"+value) {
			out = append(out, "a ranking counts a value otherwise than the list")
		}
	}
	return out
}

// plainWord reports whether the search language needs no quotes for a value.
func plainWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(".:-_", r)
	})
}

// exportIsList wants that an export has the events of the list in its order.
func exportIsList(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() || !strings.HasPrefix(main.Exchange.Header.Get("Content-Type"), "application/x-ndjson") {
		return nil
	}
	c := with(p.Case(), map[string]any{"limit": int64(1000), "format": nil})
	c.Operation = "listLogs"
	list := p.Send(c)
	var ids []int64
	for line := range strings.Lines(string(main.Exchange.Body)) {
		var row struct{ ID int64 }
		if json.Unmarshal([]byte(line), &row) != nil {
			return []string{"a line of an export is no JSON"}
		}
		ids = append(ids, row.ID)
	}
	if int64(len(ids)) != count(list) {
		return []string{"an export has not as many events as the list"}
	}
	for i, row := range rows(list) {
		if r, _ := row.(map[string]any); r["id"] != ids[i] {
			return []string{"an export has other events than the list"}
		}
	}
	return nil
}
