package sqlite

import "decnet/repo"

// facetKey is a column of the search language and a value in it. Attackers have
// no facets: there is no bound on their number, and they have profiles.
type facetKey struct {
	kind  repo.Column
	value string
}

type facet struct {
	count, first, last int64
	// vague says that count is only good to compare.
	vague bool
}

// facetInBatch is what a batch adds to a facet.
type facetInBatch struct {
	facet
	// run events of quarter are not in the batch's facetQuarters yet: consecutive
	// events mostly share their quarter, and a map is asked once for all of them.
	quarter, run int64
}

// facetQuarter is a facet in a quarter of an hour, counted since 1970.
type facetQuarter struct {
	facetKey
	quarter int64
}

// countFacets counts an event under its decky, service and type.
func (w *batchWriter) countFacets(l *repo.Log, nanos int64) {
	at := nanos / quarter
	for _, k := range [...]facetKey{
		{repo.ColumnDecky, l.Decky}, {repo.ColumnService, l.Service}, {repo.ColumnEvent, l.EventType},
	} {
		f := w.facets[k]
		if f == nil {
			f = &facetInBatch{facet: facet{first: nanos, last: nanos}, quarter: at}
			w.facets[k] = f
		}
		f.facet = facet{count: f.count + 1, first: min(f.first, nanos), last: max(f.last, nanos)}
		if f.quarter != at {
			w.endRun(k, f)
			f.quarter = at
		}
		f.run++
	}
}

func (w *batchWriter) endRun(k facetKey, f *facetInBatch) {
	if f.run > 0 {
		w.facetQuarters[facetQuarter{k, f.quarter}] += f.run
		f.run = 0
	}
}

func (w *batchWriter) writeFacets() error {
	for k, f := range w.facets {
		n, err := w.exec(`UPDATE facets SET count = count + ?, first_time = min(first_time, ?),
			last_time = max(last_time, ?) WHERE kind = ? AND value = ?`,
			f.count, f.first, f.last, string(k.kind), k.value)
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		_, err = w.exec("INSERT INTO facets (kind, value, count, first_time, last_time) VALUES (?, ?, ?, ?, ?)",
			string(k.kind), k.value, f.count, f.first, f.last)
		if err != nil {
			return err
		}
		if k.kind == repo.ColumnDecky {
			w.add(counterDeckies, 1)
		}
	}
	return nil
}

// lowerFacets takes what was counted from the facets. One without events stays:
// it remembers that the decky was active. All events of a facet up to the last one
// removed are gone, since the oldest go first, so that its first time moves up.
func (w *batchWriter) lowerFacets() error {
	for k, f := range w.facets {
		_, err := w.exec("UPDATE facets SET count = count - ?, first_time = max(first_time, ?) WHERE kind = ? AND value = ?",
			f.count, f.last, string(k.kind), k.value)
		if err != nil {
			return err
		}
	}
	return nil
}
