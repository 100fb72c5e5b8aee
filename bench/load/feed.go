package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Feed are lines that come in while the load goes on.
type Feed struct {
	// To is the file that the service follows.
	To io.Writer
	// Rate is how many lines a second are written; it is positive.
	Rate int
	// Next returns a line without its end, which is valid until the next call.
	Next func() []byte
}

// Fed is what became of the lines that came in.
type Fed struct {
	// Lines were written, Rate of them a second.
	Lines int64   `json:"lines"`
	Rate  float64 `json:"rate"`
	// Lag is how long a line waited for its commit at most, in seconds, as the service
	// tells of any of its sources four times a second.
	Lag float64 `json:"lag_seconds"`
	// Rejected is how many lines the service did not understand meanwhile: those were
	// not the load that was meant.
	Rejected int64 `json:"rejected"`
	// Problem is why lines could not be written, were rejected or their lag not told.
	Problem string `json:"problem,omitempty"`
}

const (
	feedPause = 20 * time.Millisecond
	lagPause  = 250 * time.Millisecond
)

// intake is what the service tells of the lines that it reads.
type intake struct {
	lag      float64 // the longest of its sources, in seconds
	rejected int64   // since the service was started
}

// start writes lines and watches what becomes of them until stop is called, which
// waits for both.
func (f *Feed) start(ctx context.Context, now func() time.Time, look func(context.Context) (intake, error)) (stop func() *Fed) {
	first, watched := look(ctx)
	ctx, cancel := context.WithCancel(ctx)
	var fed Fed
	var wrote error
	var both sync.WaitGroup
	began := now()
	both.Go(func() { fed.Lines, wrote = f.write(ctx, began, now) })
	if watched == nil {
		both.Go(func() {
			watched = every(ctx, lagPause, func() error {
				seen, err := look(ctx)
				if errors.Is(err, errRefused) {
					return nil // for overload, which tells nothing of the lines
				}
				if err != nil {
					return err
				}
				fed.Lag, fed.Rejected = max(fed.Lag, seen.lag), max(fed.Rejected, seen.rejected-first.rejected)
				return nil
			})
		})
	}
	return func() *Fed {
		took := now().Sub(began)
		cancel()
		both.Wait()
		fed.Rate = float64(fed.Lines) / max(took.Seconds(), 0.001)
		if fed.Rejected > 0 {
			watched = errors.Join(watched, fmt.Errorf("%d were rejected", fed.Rejected))
		}
		if err := errors.Join(wrote, watched); err != nil {
			fed.Problem = err.Error()
		}
		return &fed
	}
}

// write writes as many lines as there should be since the begin, again and again.
func (f *Feed) write(ctx context.Context, began time.Time, now func() time.Time) (lines int64, err error) {
	var some bytes.Buffer
	err = every(ctx, feedPause, func() error {
		some.Reset()
		n := lines
		for want := int64(now().Sub(began).Seconds() * float64(f.Rate)); n < want; n++ {
			some.Write(f.Next())
			some.WriteByte('\n')
		}
		if _, err := f.To.Write(some.Bytes()); err != nil {
			return fmt.Errorf("write lines: %w", err)
		}
		lines = n
		return nil
	})
	return lines, err
}

// every calls do again and again until ctx is done, or it fails for another reason.
func every(ctx context.Context, pause time.Duration, do func() error) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if err := do(); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// errRefused is a refusal for overload.
var errRefused = errors.New("ask for the lag: refused for overload")

// intake asks the service.
func (r *run) intake(ctx context.Context, client *http.Client) (intake, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(r.options.URL, "/")+"/api/v1/ingest/status", http.NoBody)
	if err != nil {
		return intake{}, fmt.Errorf("ask for the lag: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	resp, err := client.Do(req)
	if err != nil {
		return intake{}, fmt.Errorf("ask for the lag: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	switch resp.StatusCode {
	case http.StatusServiceUnavailable:
		return intake{}, errRefused
	case http.StatusOK:
	default:
		return intake{}, fmt.Errorf("ask for the lag: status %d", resp.StatusCode)
	}
	var status struct {
		Rejected int64 `json:"rejected"`
		Sources  []struct {
			Lag float64 `json:"lag_seconds"`
		} `json:"sources"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		return intake{}, fmt.Errorf("ask for the lag: %w", err)
	}
	seen := intake{rejected: status.Rejected}
	for _, s := range status.Sources {
		seen.lag = max(seen.lag, s.Lag)
	}
	return seen, nil
}
