package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process took while the load went on.
type Usage struct {
	// CPUSeconds is the time of all cores together, Cores how many of them were busy
	// on average.
	CPUSeconds float64 `json:"cpu_seconds"`
	Cores      float64 `json:"cores"`
	// RSS is resident memory in bytes: before the load, after it, and the most that
	// was seen once a second.
	RSSBefore int64 `json:"rss_before"`
	RSSAfter  int64 `json:"rss_after"`
	RSSMost   int64 `json:"rss_most"`
}

// reading is what a process took until now.
type reading struct {
	cpu float64
	rss int64
}

// ticksPerSecond is the unit of CPU time in /proc, which Linux keeps the same on all machines
// that Go runs on.
const ticksPerSecond = 100

// readProc reads what a process of this machine took.
func readProc(pid int) (reading, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return reading{}, fmt.Errorf("read what a process took: %w", err)
	}
	// The name, in brackets, may hold anything.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const user, system, pages = 11, 12, 21
	if len(fields) <= pages {
		return reading{}, errors.New("read what a process took: too few fields")
	}
	var sum reading
	for _, i := range [...]int{user, system} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return reading{}, fmt.Errorf("read what a process took: %w", err)
		}
		sum.cpu += float64(n) / ticksPerSecond
	}
	n, err := strconv.ParseInt(fields[pages], 10, 64)
	if err != nil {
		return reading{}, fmt.Errorf("read what a process took: %w", err)
	}
	sum.rss = n * int64(os.Getpagesize())
	return sum, nil
}

// scrape reads what the service tells of itself in /metrics.
func (r *run) scrape(ctx context.Context, client *http.Client) (reading, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(r.options.URL, "/")+"/metrics", http.NoBody)
	if err != nil {
		return reading{}, fmt.Errorf("ask for metrics: %w", err)
	}
	if r.options.MetricsToken != "" {
		req.Header.Set("Authorization", "Bearer "+r.options.MetricsToken)
	}
	resp, err := client.Do(req)
	if err != nil {
		return reading{}, fmt.Errorf("ask for metrics: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if resp.StatusCode != http.StatusOK {
		return reading{}, fmt.Errorf("ask for metrics: status %d", resp.StatusCode)
	}
	return readMetrics(resp.Body)
}

// readMetrics finds the two numbers in Prometheus' text form.
func readMetrics(from io.Reader) (reading, error) {
	var found reading
	seen := 0
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name != "process_cpu_seconds_total" && name != "process_resident_memory_bytes" {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return reading{}, fmt.Errorf("read metrics: %w", err)
		}
		seen++
		if name == "process_cpu_seconds_total" {
			found.cpu = v
		} else {
			found.rss = int64(v)
		}
	}
	if err := lines.Err(); err != nil {
		return reading{}, fmt.Errorf("read metrics: %w", err)
	}
	if seen != 2 {
		return reading{}, errors.New("the metrics tell nothing of the process")
	}
	return found, nil
}

// watch reads what a process takes, from now until the returned function is
// called, which tells it; nil when it can't be read.
func watch(ctx context.Context, now func() time.Time, read func(context.Context) (reading, error)) (stop func() (*Usage, error)) {
	first, err := read(ctx)
	if err != nil {
		return func() (*Usage, error) { return nil, err }
	}
	began := now()
	most := first.rss
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-quit:
				return
			}
			if next, err := read(ctx); err == nil {
				most = max(most, next.rss)
			}
		}
	}()
	return func() (*Usage, error) {
		close(quit)
		<-done
		last, err := read(context.WithoutCancel(ctx))
		if err != nil {
			return nil, err
		}
		u := &Usage{CPUSeconds: last.cpu - first.cpu, RSSBefore: first.rss, RSSAfter: last.rss, RSSMost: max(most, last.rss)}
		if took := now().Sub(began).Seconds(); took > 0 {
			u.Cores = u.CPUSeconds / took
		}
		return u, nil
	}
}
