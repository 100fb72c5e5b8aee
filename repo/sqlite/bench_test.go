package sqlite_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // The bare driver to compare with.

	"decnet/repo"
	"decnet/repo/sqlite"
)

// benchBatch makes a batch as a busy honeypot gives it: attackers come in bursts
// of about 20 events, one event in ten has a command, one in six a credential;
// as in three months of a real one, some 600 of 830 pairs in a batch are distinct.
func benchBatch(r *rand.Rand, start time.Time, n int) *repo.Batch {
	b := &repo.Batch{Events: make([]repo.Event, 0, n)}
	services := []string{"ssh", "telnet", "http", "ftp", "smb", "mysql", "rdp", "redis"}
	var ip, service, decky string
	for i := range n {
		if i%20 == 0 {
			ip = fmt.Sprintf("198.51.%d.%d", r.IntN(256), r.IntN(256))
			service = services[r.IntN(len(services))]
			decky = fmt.Sprintf("decky-%02d", r.IntN(40))
		}
		at := start.Add(time.Duration(i) * 40 * time.Millisecond)
		pair := int(20_000 * math.Pow(r.Float64(), 4))
		user, pass := fmt.Sprintf("user%d", pair%50), fmt.Sprintf("pass%d", pair)
		fields := fmt.Sprintf(`{"dst_port":22,"password":%q,"session":"%08x","src_ip":%q,"src_port":%d,"username":%q}`,
			pass, r.Uint32(), ip, r.IntN(65536), user)
		e := repo.Event{Log: repo.Log{
			Time: at, Decky: decky, Service: service, EventType: "login_attempt", AttackerIP: ip, Fields: fields,
			RawLine: fmt.Sprintf(`<134>1 %s %s %s - login_attempt [decnet@55555 src_ip="%s" username="%s" password="%s"] login attempt from %s`,
				at.Format(time.RFC3339Nano), decky, service, ip, user, pass, ip),
			Msg: "login attempt from " + ip,
		}}
		if i%6 == 0 {
			e.Bounties = []repo.Bounty{{Type: repo.BountyCredential, Payload: fmt.Sprintf(`{"password":%q,"username":%q}`, pass, user)}}
		}
		if i%10 == 0 {
			e.Command = "cat /proc/cpuinfo; uname -a"
		}
		b.Events = append(b.Events, e)
	}
	return b
}

func benchStart() time.Time { return time.Date(2026, 4, 17, 0, 0, 0, 0, time.UTC) }

// BenchmarkCommit measures batches of 5000 into an empty file and into one with
// a million rows, with all that a commit keeps, beside a bare driver that inserts
// the same rows into a table with the same indexes.
func BenchmarkCommit(b *testing.B) {
	for name, rows := range map[string]int{"empty": 0, "million": 1_000_000} {
		if rows > 0 && testing.Short() {
			continue
		}
		b.Run(name+"/store", func(b *testing.B) {
			benchCommits(b, rows, func(b *testing.B) func(*repo.Batch) {
				b.Helper()
				s, err := sqlite.Open(b.Context(), sqlite.Options{Path: filepath.Join(b.TempDir(), "x.db")})
				require.NoError(b, err)
				b.Cleanup(func() { require.NoError(b, s.Close()) })
				return func(batch *repo.Batch) { require.NoError(b, s.Commit(b.Context(), batch)) }
			})
		})
		b.Run(name+"/keys", func(b *testing.B) {
			benchCommits(b, rows, func(b *testing.B) func(*repo.Batch) {
				b.Helper()
				s, err := sqlite.Open(b.Context(), sqlite.Options{Path: filepath.Join(b.TempDir(), "x.db")})
				require.NoError(b, err)
				b.Cleanup(func() { require.NoError(b, s.Close()) })
				key := rand.New(rand.NewPCG(3, 4))
				return func(batch *repo.Batch) {
					for i := range batch.Events {
						batch.Events[i].Key = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, key.Uint64()), key.Uint64())
					}
					require.NoError(b, s.Commit(b.Context(), batch))
				}
			})
		})
		b.Run(name+"/bare", func(b *testing.B) { benchCommits(b, rows, bareCommit) })
	}
}

// benchCommits commits the same batches to a new database each round, which
// holds so many rows before.
func benchCommits(b *testing.B, before int, open func(*testing.B) func(*repo.Batch)) {
	b.Helper()
	const rows, batches = 5000, 20
	var spent time.Duration
	for b.Loop() {
		b.StopTimer()
		r := rand.New(rand.NewPCG(1, 2))
		at := benchStart()
		next := func() *repo.Batch {
			batch := benchBatch(r, at, rows)
			at = at.Add(rows * 40 * time.Millisecond)
			return batch
		}
		commit := open(b)
		for range before / rows {
			commit(next())
		}
		for range batches {
			batch := next()
			b.StartTimer()
			began := time.Now()
			commit(batch)
			spent += time.Since(began)
			b.StopTimer()
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*rows*batches)/spent.Seconds(), "rows/s")
}

func bareCommit(b *testing.B) func(*repo.Batch) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "x.db")+
		"?_busy_timeout=5000&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"+
		"&_pragma=wal_autocheckpoint(16384)&_pragma=cache_size(-65536)")
	require.NoError(b, err)
	db.SetMaxOpenConns(1)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	_, err = db.ExecContext(b.Context(), `CREATE TABLE logs (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, decky TEXT NOT NULL,
		service TEXT NOT NULL, event_type TEXT NOT NULL, attacker_ip TEXT NOT NULL, raw_line TEXT NOT NULL, fields TEXT NOT NULL,
		msg TEXT NOT NULL, trace_id TEXT NOT NULL, span_id TEXT NOT NULL, original BLOB) STRICT;
		CREATE INDEX logs_time ON logs (time); CREATE INDEX logs_attacker ON logs (attacker_ip, time);
		CREATE INDEX logs_service ON logs (service, time); CREATE INDEX logs_decky ON logs (decky, time); CREATE INDEX logs_event ON logs (event_type, time);`)
	require.NoError(b, err)
	return func(batch *repo.Batch) {
		ctx := context.Background() //nolint:usetesting // A context that can end costs the driver a goroutine a row.
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(b, err)
		st, err := tx.PrepareContext(ctx, `INSERT INTO logs (time, decky, service, event_type, attacker_ip, raw_line, fields,
			msg, trace_id, span_id, original) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
		require.NoError(b, err)
		defer func() { require.NoError(b, st.Close()) }()
		for i := range batch.Events {
			l := &batch.Events[i].Log
			_, err := st.ExecContext(ctx, l.Time.UnixNano(), l.Decky, l.Service, l.EventType, l.AttackerIP,
				l.RawLine, l.Fields, l.Msg, l.TraceID, l.SpanID, l.Original)
			require.NoError(b, err)
		}
		require.NoError(b, tx.Commit())
	}
}

// BenchmarkClone measures what a test pays for its own database: cloned, read,
// written, closed.
func BenchmarkClone(b *testing.B) {
	tp, err := sqlite.NewTemplate(b.Context(), func(ctx context.Context, s *sqlite.Store) error {
		return s.CreateUser(ctx, repo.User{UUID: "u", Username: "admin", Role: repo.RoleAdmin})
	})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, tp.Close()) })
	for _, use := range []bool{false, true} {
		for _, kind := range []string{"memory", "file"} {
			b.Run(fmt.Sprintf("%s/used=%v", kind, use), func(b *testing.B) {
				dir := b.TempDir()
				for i := 0; b.Loop(); i++ {
					var o sqlite.Options
					if kind == "file" {
						o.Path = filepath.Join(dir, fmt.Sprintf("%d.db", i))
					}
					s, err := tp.Clone(b.Context(), o)
					require.NoError(b, err)
					if use {
						_, err = s.Users(b.Context())
						require.NoError(b, err)
						require.NoError(b, s.SetState(b.Context(), "k", "v"))
					}
					require.NoError(b, s.Close())
				}
			})
		}
	}
}

// BenchmarkRanking ranks in a week in which there were as many attackers as half
// of the events, some of whom come again and again, and were busy before.
func BenchmarkRanking(b *testing.B) {
	if testing.Short() {
		b.Skip("it needs two million events")
	}
	const events, perBatch = 2_000_000, 5000
	s, err := sqlite.Open(b.Context(), sqlite.Options{Path: filepath.Join(b.TempDir(), "x.db")})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	r := rand.New(rand.NewPCG(1, 2))
	at, step := benchStart(), 14*24*time.Hour/events
	for range events / perBatch {
		batch := benchBatch(r, at, perBatch)
		for i := range batch.Events {
			e := &batch.Events[i]
			e.Time = at
			at = at.Add(step)
			n := r.IntN(1_000_000)
			if i%2 == 0 { // the loud ones
				n = int(3000 * math.Pow(r.Float64(), 3))
			}
			e.AttackerIP = fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)
			e.Bounties, e.Command = nil, ""
		}
		require.NoError(b, s.Commit(b.Context(), batch))
	}
	for _, by := range []repo.Column{repo.ColumnService, repo.ColumnDecky, repo.ColumnAttacker} {
		for name, since := range map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "all": 0} {
			b.Run(string(by)+"/"+name, func(b *testing.B) {
				q := repo.RankingQuery{By: by, Limit: 10}
				if since > 0 {
					q.Start = at.Add(-since)
				}
				for b.Loop() {
					got, err := s.Ranking(b.Context(), q)
					require.NoError(b, err)
					require.True(b, got.Exact)
				}
			})
		}
	}
}
