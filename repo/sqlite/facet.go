package sqlite

import (
	"time"

	"decnet/repo"
)

// facetKey is a column of the search language and a value in it. Attackers have
// no facets: there is no bound on their number, and they have profiles.
type facetKey struct {
	kind  repo.Column
	value string
}

type facet struct{ count, first, last int64 }

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
	quarter := nanos / int64(15*time.Minute)
	for _, k := range [...]facetKey{
		{repo.ColumnDecky, l.Decky}, {repo.ColumnService, l.Service}, {repo.ColumnEvent, l.EventType},
	} {
		f := w.facets[k]
		if f == nil {
			f = &facetInBatch{facet: facet{0, nanos, nanos}, quarter: quarter}
			w.facets[k] = f
		}
		f.facet = facet{f.count + 1, min(f.first, nanos), max(f.last, nanos)}
		if f.quarter != quarter {
			w.endRun(k, f)
			f.quarter = quarter
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

// facetResolutions are those of the facets' rollups in minutes, coarsest first. The
// finest is the interval of the default histogram.
func facetResolutions() [2]int64 { return [2]int64{1440, 15} }

type facetRollupKey struct {
	facetKey
	rollupKey
}

// facetRollups is what was counted of each facet in each bucket.
func (w *batchWriter) facetRollups() map[facetRollupKey]int64 {
	for k, f := range w.facets {
		w.endRun(k, f)
	}
	all := make(map[facetRollupKey]int64, 2*len(w.facetQuarters))
	for k, n := range w.facetQuarters {
		for _, r := range facetResolutions() {
			all[facetRollupKey{k.facetKey, rollupKey{r, k.quarter * 15 / r}}] += n
		}
	}
	return all
}

func (w *batchWriter) writeFacetRollups() error {
	for k, n := range w.facetRollups() {
		_, err := w.exec(`INSERT INTO facet_rollups (kind, resolution, bucket, value, count) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (kind, resolution, bucket, value) DO UPDATE SET count = count + excluded.count`,
			string(k.kind), k.resolution, k.bucket, k.value, n)
		if err != nil {
			return err
		}
	}
	return nil
}

// lowerFacetRollups takes what was counted from the facets by time.
func (w *batchWriter) lowerFacetRollups() error {
	const which = " WHERE kind = ? AND resolution = ? AND bucket = ? AND value = ?"
	for k, n := range w.facetRollups() {
		_, err := w.exec("UPDATE facet_rollups SET count = count - ?"+which, n, string(k.kind), k.resolution, k.bucket, k.value)
		if err != nil {
			return err
		}
		_, err = w.exec("DELETE FROM facet_rollups"+which+" AND count <= 0", string(k.kind), k.resolution, k.bucket, k.value)
		if err != nil {
			return err
		}
	}
	return nil
}
