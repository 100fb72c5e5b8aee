package sqlite

// countRollups counts an event in its minute.
func (w *batchWriter) countRollups(nanos int64) { w.minutes[nanos/minute]++ }

func (w *batchWriter) writeMinutes() error {
	for at, n := range w.minutes {
		_, err := w.exec(`INSERT INTO minutes (minute, count) VALUES (?, ?)
			ON CONFLICT (minute) DO UPDATE SET count = count + excluded.count`, at, n)
		if err != nil {
			return err
		}
	}
	return nil
}

// lowerMinutes moves what was counted from the minutes of the rows to those of
// the past.
func (w *batchWriter) lowerMinutes() error {
	for at, n := range w.minutes {
		_, err := w.exec(`INSERT INTO expired_minutes (minute, count) VALUES (?, ?)
			ON CONFLICT (minute) DO UPDATE SET count = count + excluded.count`, at, n)
		if err != nil {
			return err
		}
		if _, err = w.exec("UPDATE minutes SET count = count - ? WHERE minute = ?", n, at); err != nil {
			return err
		}
		if _, err = w.exec("DELETE FROM minutes WHERE minute = ? AND count <= 0", at); err != nil {
			return err
		}
	}
	return nil
}
