package sqlite

import (
	"time"

	"decnet/repo"
)

// resolutions of the rollups in minutes, coarsest first. Each divides the one
// before it, and the last is 1.
func resolutions() [3]int64 { return [3]int64{1440, 15, 1} }

type rollupKey struct{ resolution, bucket int64 }

// countRollups counts an event in its bucket of each resolution.
func (w *batchWriter) countRollups(nanos int64) {
	minute := nanos / int64(time.Minute)
	for _, r := range resolutions() {
		w.rollups[rollupKey{r, minute / r}]++
	}
}

func (w *batchWriter) writeRollups() error {
	for k, n := range w.rollups {
		_, err := w.exec(`INSERT INTO rollups (resolution, bucket, count) VALUES (?, ?, ?)
			ON CONFLICT (resolution, bucket) DO UPDATE SET count = count + excluded.count`,
			k.resolution, k.bucket, n)
		if err != nil {
			return err
		}
	}
	return nil
}

// facetKey is a column of the search language and a value in it. Attackers have
// no facets: there is no bound on their number, and they have profiles.
type facetKey struct {
	kind  repo.Column
	value string
}

type facet struct{ count, first, last int64 }

// countFacets counts an event under its decky, service and type.
func (w *batchWriter) countFacets(l *repo.Log, nanos int64) {
	for _, k := range [...]facetKey{
		{repo.ColumnDecky, l.Decky}, {repo.ColumnService, l.Service}, {repo.ColumnEvent, l.EventType},
	} {
		f, ok := w.facets[k]
		if !ok {
			f = facet{0, nanos, nanos}
		}
		w.facets[k] = facet{f.count + 1, min(f.first, nanos), max(f.last, nanos)}
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
