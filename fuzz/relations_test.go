//go:build fuzz

package fuzz

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"decnet/fuzz/engine"
)

// relations are the rules between answers that this API promises.
func relations() []engine.Relation {
	return slices.Concat(readRelations(), wholeRelations(), naiveRelations(), writeRelations(), accessRelations())
}

// lists are the operations that answer pages, and the key of their rows.
func lists() map[string]string {
	return map[string]string{"listLogs": "id", "listBounties": "id", "listAttackers": "uuid", "listCommands": "", "listRejects": "id"}
}

func isList(op *engine.Operation, _ *engine.Case) bool {
	_, ok := lists()[op.ID]
	return ok
}

func is(ids ...string) func(op *engine.Operation, c *engine.Case) bool {
	return func(op *engine.Operation, c *engine.Case) bool {
		return slices.Contains(ids, op.ID) && c.Mutation == nil && c.Method == "" && c.Path == ""
	}
}

func readRelations() []engine.Relation {
	return []engine.Relation{
		{Name: "filtered_is_subset", Applies: isList, Check: filteredIsSubset},
		{Name: "pages_join_to_whole", Applies: isList, Check: pagesJoin},
		{Name: "histogram_sums_to_total", Applies: is("getHistogram"), Check: histogramSums},
		{Name: "search_agrees_with_rows", Applies: is("listLogs"), Check: searchAgrees},
		{Name: "warm_answer_is_cold_answer", Applies: is(reads()...), Check: warmIsCold},
		{Name: "head_is_get_without_body", Applies: is(append(reads(), "getSpecYAML", "getSpecJSON", "getDocs", "getDocsStyle", "getLiveness", "getReadiness")...), Check: headIsGet},
		{Name: "etag_revalidates", Applies: is("getStats", "getHistogram", "getRanking", "listBounties", "listDeckies", "getSpecYAML", "getSpecJSON", "getDocs", "getDocsStyle"), Check: etagRevalidates},
		{Name: "absent_is_default", Applies: is("listLogs", "listBounties", "listAttackers", "listCommands", "listRejects", "getHistogram", "getRanking", "exportLogs"), Check: absentIsDefault},
	}
}

// reads are the operations that answer what the store holds.
func reads() []string {
	return []string{
		"getStats", "listLogs", "getLog", "exportLogs", "getHistogram", "getRanking", "listBounties", "listAttackers", "getAttacker", "listCommands", "listDeckies", "getConfig", "getHealth", "listSensors", "listRejects", "getIngestStatus", "listCredentials",
	}
}

// with copies a case and gives the copy other query parameters; nil removes one.
func with(c *engine.Case, query map[string]any) *engine.Case {
	out := c.Clone()
	out.Mutation = nil
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if query[name] == nil {
			out.Unset("query", name)
		} else {
			out.Set("query", name, query[name])
		}
	}
	return out
}

// filters are the parameters that choose rows.
func filters() []string {
	return []string{"search", "service", "bounty_type", "start_time", "end_time", "reason", "source"}
}

func rows(s *engine.Step) []any {
	list, _ := s.At("/data").([]any)
	return list
}

func count(s *engine.Step) int64 {
	n, _ := s.At("/total").(int64)
	return n
}

// filteredIsSubset wants that a filter only takes away.
func filteredIsSubset(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() {
		return nil
	}
	open := map[string]any{"limit": int64(1000), "offset": int64(0)}
	if main.Operation.ID == "listCommands" {
		open["limit"] = int64(200)
	}
	for _, name := range filters() {
		open[name] = nil
	}
	all := p.Send(with(p.Case(), open))
	if !all.OK() {
		return []string{"the unfiltered list was answered " + http.StatusText(all.Exchange.Status)}
	}
	var out []string
	if count(main) > count(all) {
		out = append(out, "a filter raises the total")
	}
	for _, row := range rows(main) {
		if !slices.ContainsFunc(rows(all), func(r any) bool { return reflect.DeepEqual(r, row) }) {
			out = append(out, "a filtered row is not among the unfiltered ones")
			break
		}
	}
	return out
}

// walk follows the cursor from page to page.
func walk(p *engine.Probe, step int64) (joined []any) {
	var cursor any
	for range 1000 {
		page := p.Send(with(p.Case(), map[string]any{"limit": step, "offset": int64(0), "cursor": cursor}))
		joined = append(joined, rows(page)...)
		if cursor, _ = page.At("/next_cursor").(string); cursor == "" {
			break
		}
	}
	return joined
}

// pagesJoin wants that pages joined are the whole, and that the total, which no
// page may exceed, is the number of rows.
func pagesJoin(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() {
		return nil
	}
	if given(p.Case(), "cursor") != "" { // the total is of the list without it
		main = p.Send(with(p.Case(), map[string]any{"cursor": nil}))
	}
	most := int64(1000)
	if main.Operation.ID == "listCommands" {
		most = 200
	}
	whole := p.Send(with(p.Case(), map[string]any{"limit": most, "offset": int64(0), "cursor": nil}))
	var out []string
	if int64(len(rows(whole))) != min(count(whole), most) {
		out = append(out, "the total is not the number of rows")
	}
	limit, _ := main.At("/limit").(int64)
	offset, _ := main.At("/offset").(int64)
	if want := cut(rows(whole), offset, limit); !reflect.DeepEqual(want, rows(main)) {
		out = append(out, "a page is not a part of the whole")
	}
	var joined []any
	const step = 7
	for at := int64(0); at < int64(len(rows(whole))); at += step {
		joined = append(joined, rows(p.Send(with(p.Case(), map[string]any{"limit": int64(step), "offset": at, "cursor": nil})))...)
	}
	if main.Operation.ID == "listLogs" && !reflect.DeepEqual(walk(p, step), joined) {
		out = append(out, "pages by cursor are not the whole")
	}
	if len(joined) != len(rows(whole)) || len(joined) > 0 && !reflect.DeepEqual(joined, rows(whole)) {
		out = append(out, "pages joined are not the whole")
	}
	if key := lists()[main.Operation.ID]; key != "" {
		seen := map[string]bool{}
		for _, row := range rows(whole) {
			id := fmt.Sprint(row.(map[string]any)[key]) //nolint:forcetypeassert // the schema was checked
			if seen[id] {
				out = append(out, "a row comes twice")
				break
			}
			seen[id] = true
		}
	}
	return out
}

func cut(list []any, offset, limit int64) []any {
	from := min(max(offset, 0), int64(len(list)))
	return list[from:min(from+limit, int64(len(list)))]
}

// histogramSums wants that the buckets count the events of the list, each once,
// in ascending order and at multiples of the interval.
func histogramSums(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() {
		return nil
	}
	c := with(p.Case(), map[string]any{"limit": int64(1), "interval_minutes": nil})
	c.Operation = "listLogs"
	c.Unset("header", "If-None-Match")
	list := p.Send(c)
	buckets, _ := main.JSON().([]any)
	sum, last := int64(0), ""
	var out []string
	for _, b := range buckets {
		bucket, _ := b.(map[string]any)
		n, _ := bucket["count"].(int64)
		at, _ := bucket["time"].(string)
		sum += n
		if at <= last {
			out = append(out, "the buckets are not in ascending order")
		}
		last = at
	}
	if sum != count(list) {
		out = append(out, "the sum of the histogram is not the total of the list")
	}
	return out
}

// warmIsCold wants that asking twice gives the same answer.
func warmIsCold(p *engine.Probe) []string {
	if !p.Main().OK() {
		return nil
	}
	again := p.Send(with(p.Case(), nil))
	p.Do("reset")
	cold := p.Send(with(p.Case(), nil))
	var out []string
	for how, s := range map[string]*engine.Step{"again": again, "with cold caches": cold} {
		if !reflect.DeepEqual(p.Main().JSON(), s.JSON()) || s.Exchange.Status != p.Main().Exchange.Status {
			out = append(out, "the same request "+how+" has another answer")
		}
	}
	slices.Sort(out)
	return out
}

// headIsGet wants the status and headers of GET, and no body.
func headIsGet(p *engine.Probe) []string {
	head := with(p.Case(), nil)
	head.Method = http.MethodHead
	without := p.Send(head)
	main := p.Main()
	if main.Exchange.Broken != "" {
		return nil
	}
	var out []string
	if without.Exchange.Status != main.Exchange.Status {
		out = append(out, "HEAD has another status than GET")
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Cache-Control", "Etag"} {
		if without.Exchange.Header.Get(name) != main.Exchange.Header.Get(name) {
			out = append(out, "HEAD has another "+name+" than GET")
		}
	}
	return out
}

// etagRevalidates wants an empty 304 for the ETag that was just given.
func etagRevalidates(p *engine.Probe) []string {
	main := p.Main()
	tag := main.Exchange.Header.Get("Etag")
	if !main.OK() || tag == "" {
		return nil
	}
	c := with(p.Case(), nil)
	c.Set("header", "If-None-Match", tag)
	if again := p.Send(c); again.Exchange.Status != http.StatusNotModified {
		return []string{"the ETag that was just given is not taken"}
	}
	return nil
}

// absentIsDefault wants that a text for "not given" means just that.
func absentIsDefault(p *engine.Probe) []string {
	main := p.Main()
	if !main.OK() {
		return nil
	}
	var out []string
	for _, param := range main.Operation.Params {
		if len(param.Absent) == 0 {
			continue
		}
		without := p.Send(with(p.Case(), map[string]any{param.Name: nil}))
		for _, text := range param.Absent {
			if got := p.Send(with(p.Case(), map[string]any{param.Name: text})); !reflect.DeepEqual(got.JSON(), without.JSON()) {
				out = append(out, "a text for not given at "+param.Name+" is not the same as none")
				break
			}
		}
	}
	return out
}

// textOf reads a string out of a row.
func textOf(row map[string]any, key string) string {
	s, _ := row[key].(string)
	return strings.Clone(s)
}
