package sqlite

import "time"

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
