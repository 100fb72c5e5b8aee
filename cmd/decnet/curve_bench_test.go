package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"decnet"
	"decnet/api"
	"decnet/auth"
	"decnet/contract"
	"decnet/fleet"
	"decnet/repo"
	"decnet/repo/sqlite"
)

// curveRows are the sizes of the curves, up to DECNET_BENCH_ROWS events, which is
// a million when it says nothing: ten take ten gigabytes and some minutes to make.
func curveRows(b *testing.B) []int {
	b.Helper()
	largest := 1_000_000
	if text := os.Getenv("DECNET_BENCH_ROWS"); text != "" {
		var err error
		largest, err = strconv.Atoi(text)
		require.NoError(b, err, "DECNET_BENCH_ROWS")
	}
	rows := []int{10_000, 100_000, 1_000_000, 10_000_000}
	return slices.DeleteFunc(rows, func(n int) bool { return n > largest || (testing.Short() && n > 10_000) })
}

// seededDir is a data directory with so many events, below DECNET_BENCH_DIR or in
// the user's cache. It is made once and stays for the next run.
func seededDir(b *testing.B, rows int) string {
	b.Helper()
	root := os.Getenv("DECNET_BENCH_DIR")
	if root == "" {
		cache, err := os.UserCacheDir()
		require.NoError(b, err)
		root = filepath.Join(cache, "decnet-bench")
	}
	dir := filepath.Join(root, fmt.Sprintf("rows-%d", rows))
	require.NoError(b, os.MkdirAll(dir, 0o700))
	var said lockedBuffer
	code := run(process{
		args:   []string{"bench", "seed", "--rows", strconv.Itoa(rows), "--data-dir", dir},
		getenv: env(nil), stdout: &said, stderr: &said, signals: make(chan os.Signal), bcryptCost: bcrypt.MinCost,
	})
	require.Equal(b, exitOK, code, said.String())
	return dir
}

// curveStore is a database with its search index at its end and one user, who is
// not stored.
type curveStore struct {
	*sqlite.Store
	user repo.User
}

// Users implements [api.Store].
func (s *curveStore) Users(context.Context) ([]repo.User, error) { return []repo.User{s.user}, nil }

func openCurve(b *testing.B, rows int) *curveStore {
	b.Helper()
	store, err := sqlite.Open(b.Context(), sqlite.Options{Path: filepath.Join(seededDir(b, rows), "decnet.db")})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	indexer := store.NewIndexer()
	for more := true; more; {
		more, err = indexer.Step(b.Context())
		require.NoError(b, err)
	}
	return &curveStore{Store: store, user: repo.User{UUID: uuid.NewString(), Username: "curve", Role: repo.RoleViewer}}
}

// curveServer answers from the store, past the network.
type curveServer struct {
	*api.Server
	token string
}

func newCurveServer(b *testing.B, store *curveStore, admission api.Admission) *curveServer {
	b.Helper()
	spec, err := contract.Load(decnet.OpenAPI())
	require.NoError(b, err)
	passwords, err := auth.NewPasswords(bcrypt.MinCost, nil)
	require.NoError(b, err)
	secret := []byte(auth.NewSecret())
	tokens, err := auth.NewTokens(secret, nil)
	require.NoError(b, err)
	token, err := tokens.Issue(store.user.UUID, 0)
	require.NoError(b, err)
	server, err := api.New(api.Options{
		Store: store, Fleet: fleet.NewStateFile(filepath.Join(b.TempDir(), "none.json")), Contract: spec,
		Secret: secret, Passwords: passwords, Log: slog.New(slog.DiscardHandler), Admission: admission,
	})
	require.NoError(b, err)
	b.Cleanup(server.Close)
	return &curveServer{Server: server, token: token}
}

// cold makes every cache cold but that of the users, whom every request needs.
func (s *curveServer) cold() {
	for name, cached := range s.Cached() {
		if name != "users" {
			cached.Reset()
		}
	}
}

// curveRead is a read that no cache answers, as the store knows it and as the API does.
type curveRead struct {
	name string
	// store is nil where the API puts several calls together.
	store func(ctx context.Context, s *curveStore) error
	path  string
}

// page reads the newest page of a search with its total, as the API does. A total
// that says that it is only a lower bound is one.
func page(f repo.LogFilter) func(ctx context.Context, s *curveStore) error {
	return func(ctx context.Context, s *curveStore) error {
		if _, err := s.Logs(ctx, repo.LogQuery{LogFilter: f, Limit: 50}); err != nil {
			return err
		}
		if _, err := s.CountLogs(ctx, f); err != nil && !errors.Is(err, repo.ErrTooBroad) {
			return err
		}
		return nil
	}
}

func searchRead(name, search string) curveRead {
	return curveRead{name, page(repo.LogFilter{Search: repo.ParseSearch(search)}), "/api/v1/logs?search=" + url.QueryEscape(search)}
}

// curveReads are the reads that are measured. Addresses and times are those of
// events that the database has.
func curveReads(b *testing.B, s *curveStore) []curveRead {
	b.Helper()
	newest, err := s.Logs(b.Context(), repo.LogQuery{Limit: 1})
	require.NoError(b, err)
	require.NotEmpty(b, newest)
	busy, err := s.Attackers(b.Context(), repo.AttackerQuery{Sort: repo.SortActive, Limit: 1})
	require.NoError(b, err)
	require.NotEmpty(b, busy)
	begin := newest[0].Time.Add(-15 * 24 * time.Hour).Truncate(time.Second)
	hour := repo.LogFilter{Start: begin, End: begin.Add(time.Hour)}
	times := url.Values{"start_time": {hour.Start.Format(time.RFC3339)}, "end_time": {hour.End.Format(time.RFC3339)}}
	ssh := repo.LogFilter{Search: repo.ParseSearch("service:ssh")}
	return []curveRead{
		{"stats", func(ctx context.Context, s *curveStore) error { _, err := s.Stats(ctx); return err }, "/api/v1/stats"},
		{"totals", func(ctx context.Context, s *curveStore) error {
			_, errLogs := s.CountLogs(ctx, repo.LogFilter{})
			_, errAttackers := s.CountAttackers(ctx, repo.AttackerFilter{})
			return errors.Join(errLogs, errAttackers)
		}, ""},
		{"histogram", func(ctx context.Context, s *curveStore) error {
			_, err := s.Histogram(ctx, repo.LogFilter{}, 15*time.Minute)
			return err
		}, "/api/v1/logs/histogram"},
		{"newest-page", page(repo.LogFilter{}), "/api/v1/logs"},
		{"attackers-page", func(ctx context.Context, s *curveStore) error {
			_, err := s.Attackers(ctx, repo.AttackerQuery{Sort: repo.SortRecent, Limit: 50})
			return err
		}, "/api/v1/attackers"},
		searchRead("service-common", "service:ssh"),
		searchRead("service-rare", "service:mysql"),
		searchRead("attacker-newest", "attacker:"+newest[0].AttackerIP),
		searchRead("attacker-busiest", "attacker:"+busy[0].IP),
		{"time-range", page(hour), "/api/v1/logs?" + times.Encode()},
		searchRead("substring-common", "login"),
		searchRead("substring-rare", "wget"),
		searchRead("substring-miss", "no such text anywhere"),
		searchRead("field-hit", "username:root"),
		searchRead("field-miss", "username:nobody-has-this-name"),
		{"histogram-of-service", func(ctx context.Context, s *curveStore) error {
			_, err := s.Histogram(ctx, ssh, 15*time.Minute)
			return err
		}, "/api/v1/logs/histogram?search=service:ssh"},
	}
}

// BenchmarkCurve is what each read that no cache of the API answers costs while the
// database grows: the first time, when the store remembers nothing of it; again, which
// is how a service that runs is asked; and through the API with cold caches. p50-µs and p99-µs, and growth, the factor between the median and that of the
// smallest database. The databases are made by bench seed, once.
func BenchmarkCurve(b *testing.B) {
	smallest := map[string]time.Duration{}
	for _, rows := range curveRows(b) {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			store := openCurve(b, rows)
			server := newCurveServer(b, store, api.Admission{})
			for _, read := range curveReads(b, store) {
				if read.store != nil {
					ask := func() error { return read.store(b.Context(), store) }
					b.Run(read.name+"/first", func(b *testing.B) { measureCurve(b, smallest, read.name+"/first", ask, store.Forget) })
					b.Run(read.name+"/again", func(b *testing.B) { measureCurve(b, smallest, read.name+"/again", ask, func() {}) })
				}
				if read.path != "" {
					b.Run(read.name+"/api", func(b *testing.B) {
						measureCurve(b, smallest, read.name+"/api", func() error { return server.get(b, read.path) }, server.cold)
					})
				}
			}
		})
	}
}

// get asks for a path and checks the status.
func (s *curveServer) get(b *testing.B, path string) error {
	b.Helper()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+s.token)
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, r)
	if answer.Code == http.StatusUnprocessableEntity {
		return fmt.Errorf("GET %s: %w", path, repo.ErrTooBroad)
	}
	if answer.Code != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, answer.Code, answer.Body)
	}
	return nil
}

// measureCurve reports the quantiles of do, each time after prepare, and their
// growth against those of the first database. cut is the share of calls that gave up
// because they would have read too much: no answer, however fast that was.
func measureCurve(b *testing.B, smallest map[string]time.Duration, name string, do func() error, prepare func()) {
	b.Helper()
	_ = do() // the pages that it needs are in memory, as they are in a service that runs
	var took []time.Duration
	cut := 0
	for b.Loop() {
		prepare()
		began := time.Now()
		err := do()
		took = append(took, time.Since(began))
		if errors.Is(err, repo.ErrTooBroad) {
			cut++
			continue
		}
		require.NoError(b, err)
	}
	slices.Sort(took)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	if _, ok := smallest[name]; !ok {
		smallest[name] = p50
	}
	b.ReportMetric(0, "ns/op") // means nothing: it counts prepare, too
	b.ReportMetric(float64(p50)/1e3, "p50-µs")
	b.ReportMetric(float64(p99)/1e3, "p99-µs")
	b.ReportMetric(float64(p50)/float64(smallest[name]), "growth")
	if cut > 0 {
		b.ReportMetric(float64(cut)/float64(len(took)), "cut")
	}
}
