package ingest_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
)

// heldSink commits when it is let to.
type heldSink struct {
	*memSink
	free chan struct{}
	// blind makes Receipt forget so many times that there is one.
	blind atomic.Int32
}

func newHeldSink() *heldSink { return &heldSink{memSink: newMemSink(), free: make(chan struct{})} }

func (s *heldSink) Commit(ctx context.Context, b *repo.Batch) error {
	select {
	case <-s.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.memSink.Commit(ctx, b)
}

func (s *heldSink) Receipt(ctx context.Context, sensor, key string) (repo.Receipt, error) {
	if s.blind.Add(-1) >= 0 {
		return repo.Receipt{}, repo.ErrNotFound
	}
	return s.memSink.Receipt(ctx, sensor, key)
}

// pushOf is what a sensor sends.
func pushOf(key string, lines ...string) repo.Push {
	p := repo.Push{Sensor: "5e2f", Source: "edge-1", Key: key, BodyHash: []byte(strings.Join(lines, "\n"))}
	for _, line := range lines {
		p.Lines = append(p.Lines, []byte(line))
	}
	return p
}

// withID is event(n) with an id of its sender.
func withID(n int, id string) string {
	return strings.Replace(event(n), "{", `{"event_id":`+id+",", 1)
}

// accepting runs an ingester that takes pushes, inside a bubble.
func accepting(t *testing.T, sink ingest.Sink, change func(*ingest.Options)) *process {
	t.Helper()
	opt := ingest.Options{Sink: sink, AcceptPushes: true, BatchWait: testWait, PollInterval: testPoll, NoJitter: true}
	if change != nil {
		change(&opt)
	}
	p := startWith(t, opt)
	synctest.Wait()
	return p
}

// push pushes and wants it to go well.
func (p *process) push(t *testing.T, push repo.Push) repo.Receipt {
	t.Helper()
	receipt, err := p.in.Push(t.Context(), push)
	require.NoError(t, err)
	return receipt
}

// pushLater pushes at the same time as others.
func (p *process) pushLater(t *testing.T, answers chan<- repo.Receipt, push repo.Push) {
	t.Helper()
	go func() {
		receipt, err := p.in.Push(t.Context(), push)
		assert.NoError(t, err)
		answers <- receipt
	}()
}

func TestPush_TellsWhatBecameOfEachLine(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newMemSink()
		p := accepting(t, sink, nil)
		receipt := p.push(t, pushOf("", event(1), "hello", "", cowrieLine("s1", "session.connect", `,"protocol":"telnet"`, 1),
			`{"eventid":"cowrie.x"`, strings.Repeat("x", ingest.DefaultMaxLine+1)))
		assert.EqualValues(t, 2, receipt.Accepted, "lines of two formats in one push")
		assert.EqualValues(t, 1, receipt.Ignored)
		assert.EqualValues(t, 3, receipt.Rejected)
		var where []int
		for _, r := range receipt.Rejects {
			where = append(where, r.Line)
			assert.NotEmpty(t, r.Reason)
			assert.NotEmpty(t, r.Detail)
		}
		assert.Equal(t, []int{1, 4, 5}, where)
		stored, rejects := sink.stored()
		require.Len(t, stored, 2, "an answer means that it is stored")
		require.Len(t, rejects, 3)
		assert.Equal(t, "edge-1", rejects[0].Path)
		assert.EqualValues(t, 1, rejects[0].Offset, "the line's place in the push")
		assert.Equal(t, "hello", string(rejects[0].Line))
		assert.Len(t, rejects[2].Line, repo.MaxRejectLine)
		status := p.in.IngestStatus()
		require.Len(t, status.Sources, 1)
		src := status.Sources[0]
		assert.Equal(t, "edge-1", src.Name)
		assert.Equal(t, ingest.KindSensor, src.Kind)
		assert.Equal(t, "cowrie", src.Format)
		assert.EqualValues(t, 6, src.Lines)
		assert.EqualValues(t, 1, src.RejectedBy["line_too_long"])
		p.finish(t)
	})
}

func TestPush_TheLongestLineIsTaken(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		p := accepting(t, newMemSink(), func(o *ingest.Options) { o.MaxLine = len(event(1)) })
		receipt := p.push(t, pushOf("", event(1), event(2)))
		assert.EqualValues(t, 1, receipt.Accepted)
		require.Len(t, receipt.Rejects, 1)
		assert.Equal(t, ingest.ReasonLineTooLong, receipt.Rejects[0].Reason)
		p.finish(t)
	})
}

// TestPush_IsAnsweredAtOnce: one who pushes waits for the answer, so that the
// batch waits for no company.
func TestPush_IsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := accepting(t, newMemSink(), func(o *ingest.Options) { o.BatchWait = time.Hour })
		begin := time.Now()
		assert.EqualValues(t, 2, p.push(t, pushOf("", event(1), event(2))).Accepted)
		assert.Zero(t, time.Since(begin))
		p.finish(t)
	})
}

func TestPush_AnEventIsStoredOnceForItsID(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newMemSink()
		p := accepting(t, sink, nil)
		p.push(t, pushOf("", withID(1, `"a"`), withID(2, "18446744073709551617"), event(3)))
		receipt := p.push(t, pushOf("", withID(1, `"a"`), withID(2, "18446744073709551617"), event(3), withID(4, `""`), withID(4, "null")))
		assert.EqualValues(t, 2, receipt.Duplicate)
		assert.EqualValues(t, 3, receipt.Accepted, "what has no id can't be known again")
		other := pushOf("", withID(1, `"a"`))
		other.Sensor = "77aa"
		assert.EqualValues(t, 1, p.push(t, other).Accepted, "another sensor's ids are its own")
		assert.Len(t, sink.events, 7)
		st := p.in.Status()
		assert.Equal(t, ingest.Counts{Lines: 9, Accepted: 7, Duplicate: 2}, st.Counts)
		p.finish(t)
	})
}

func TestPush_ALineOfSeveralEventsCountsOnce(t *testing.T) {
	t.Parallel()
	line := `{"event_id": 7, "timestamp": "2020-02-22 03:58:44.448227", "duration": 1, "session_id": "0ccf3beb-6c08-44e8-bae4-841c99850b8a", ` +
		`"source_ip": "203.0.113.66", "source_port": 23060, "destination_ip": "192.0.2.10", "destination_port": 5900, "protocol": "ssh", "num_auth_attempts": 2, ` +
		`"auth_attempts": [{"timestamp": "2020-02-22 03:58:45", "username": "root", "password": "a"}, {"timestamp": "2020-02-22 03:58:46", "username": "root", "password": "b"}], ` +
		`"session_ended": true, "auxiliary_data": {}}`
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newMemSink()
		p := accepting(t, sink, nil)
		assert.EqualValues(t, 1, p.push(t, pushOf("", line)).Accepted)
		assert.Len(t, sink.events, 3)
		again := p.push(t, pushOf("", line))
		assert.EqualValues(t, 1, again.Duplicate)
		assert.EqualValues(t, 0, again.Accepted)
		assert.Len(t, sink.events, 3, "each of its events has a key of its own")
		assert.Equal(t, ingest.Counts{Lines: 2, Accepted: 1, Duplicate: 1}, p.in.Status().Counts)
		p.finish(t)
	})
}

func TestPush_AKeyIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newMemSink()
		p := accepting(t, sink, nil)
		first := p.push(t, pushOf("k1", event(1), "hello"))
		assert.Equal(t, first, p.push(t, pushOf("k1", event(1), "hello")), "the answer of the first time")
		_, err := p.in.Push(t.Context(), pushOf("k1", event(2)))
		require.ErrorIs(t, err, ingest.ErrKeyReused)
		assert.Len(t, sink.events, 1)
		assert.Len(t, sink.rejects, 1)

		// After the receipt has expired the events are still known.
		clear(sink.receipts)
		assert.EqualValues(t, 1, p.push(t, pushOf("k1", event(1), "hello")).Duplicate)
		assert.Len(t, sink.events, 1)
		p.finish(t)
	})
}

func TestPush_TheSameKeyAtTheSameTime(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newHeldSink()
		p := accepting(t, sink, nil)
		answers := make(chan repo.Receipt, 4)
		for range 4 {
			p.pushLater(t, answers, pushOf("k1", event(1), event(2)))
		}
		synctest.Wait()
		_, err := p.in.Push(canceled(t), pushOf("k1", event(3)))
		require.ErrorIs(t, err, context.Canceled)
		close(sink.free)
		for range 4 {
			assert.EqualValues(t, 2, (<-answers).Accepted)
		}
		assert.Len(t, sink.events, 2)
		assert.Zero(t, p.in.Status().Retries, "no batch holds the key twice")
		p.finish(t)
	})
}

func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestPush_OneWhoGoesAwayLosesNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newHeldSink()
		p := accepting(t, sink, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.in.Push(ctx, pushOf("k1", event(1)))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		close(sink.free)
		assert.EqualValues(t, 1, p.push(t, pushOf("k1", event(1))).Accepted)
		assert.Len(t, sink.events, 1)
		p.finish(t)
	})
}

func TestPush_IsRefusedBeyondItsBounds(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newHeldSink()
		p := accepting(t, sink, func(o *ingest.Options) { o.MaxPushes, o.MaxPushBytes = 2, 1000 })
		_, err := p.in.Push(t.Context(), pushOf("", strings.Repeat("x", 1001)))
		require.ErrorIs(t, err, ingest.ErrPushTooLarge)
		unknown := pushOf("", event(1))
		unknown.Format = "cowry"
		_, err = p.in.Push(t.Context(), unknown)
		require.ErrorIs(t, err, ingest.ErrUnknownFormat)

		answers := make(chan error, 2)
		go func() {
			_, err := p.in.Push(t.Context(), pushOf("", event(1)))
			answers <- err
		}()
		synctest.Wait()
		_, err = p.in.Push(t.Context(), pushOf("", strings.Repeat("x", 900)))
		assertBusy(t, err)
		go func() {
			_, err := p.in.Push(t.Context(), pushOf("", event(2)))
			answers <- err
		}()
		synctest.Wait()
		_, err = p.in.Push(t.Context(), pushOf("", event(3)))
		assertBusy(t, err)
		close(sink.free)
		require.NoError(t, <-answers)
		require.NoError(t, <-answers)
		p.push(t, pushOf("", strings.Repeat("x", 1000))) // as much as may be
		p.finish(t)
		_, err = p.in.Push(t.Context(), pushOf("", event(4)))
		assertBusy(t, err)
		assert.Len(t, sink.events, 2)
	})
}

func assertBusy(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, ingest.ErrBusy)
	var busy *ingest.BusyError
	require.ErrorAs(t, err, &busy)
	assert.GreaterOrEqual(t, busy.After, time.Second)
	assert.NotEmpty(t, busy.Reason)
}

func TestPush_AnAnswerThatWasLostDoublesNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newMemSink()
		sink.lie = func(int) error {
			sink.lie = nil
			return errSink
		}
		p := accepting(t, sink, nil)
		receipt := p.push(t, pushOf("", event(1), withID(2, "2")))
		assert.EqualValues(t, 2, receipt.Accepted)
		assert.Len(t, sink.events, 2)
		p.finish(t)
	})
}

func TestPush_AKeyThatIsStoredAfterAllBlocksNobody(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newHeldSink()
		p := accepting(t, sink, nil)
		go func() { sink.free <- struct{}{} }()
		first := p.push(t, pushOf("k1", event(1)))
		sink.blind.Store(1)
		answers := make(chan repo.Receipt, 4)
		p.pushLater(t, answers, pushOf("", event(2)))
		synctest.Wait()
		p.pushLater(t, answers, pushOf("", event(5), event(6), event(7)))
		synctest.Wait()
		p.pushLater(t, answers, pushOf("k1", event(1)))
		synctest.Wait()
		p.pushLater(t, answers, pushOf("k2", event(3), event(4)))
		synctest.Wait()
		close(sink.free)
		var accepted []int64
		for range 4 {
			r := <-answers
			accepted = append(accepted, r.Accepted)
			if r.Key == "k1" {
				assert.Equal(t, first.At, r.At)
			}
		}
		assert.ElementsMatch(t, []int64{1, 3, 1, 2}, accepted)
		assert.Len(t, sink.events, 7)
		p.finish(t)
	})
}

func TestPush_SessionsAreEachSensorsOwn(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newMemSink()
		p := accepting(t, sink, nil)
		p.push(t, pushOf("", cowrieLine("s1", "session.connect", `,"protocol":"telnet"`, 1)))
		p.push(t, pushOf("", cowrieLine("s1", "login.failed", `,"username":"a","password":"b"`, 2)))
		other := pushOf("", cowrieLine("s1", "login.failed", `,"username":"a","password":"b"`, 2))
		other.Sensor = "77aa"
		p.push(t, other)
		require.Len(t, sink.events, 3)
		assert.Equal(t, "telnet", sink.events[1].Service, "joined with the push before")
		assert.Equal(t, "ssh", sink.events[2].Service, "not with another sensor's session of that name")
		p.finish(t)
	})
}

func TestDiskTrouble_IsToldWaitedOutAndLosesNothing(t *testing.T) {
	t.Parallel()
	for sentence, trouble := range map[string]error{
		"free some space":      repo.ErrDiskFull,
		"remounted read-only":  repo.ErrReadOnly,
		"Another program":      repo.ErrLocked,
		"disk or its connec":   repo.ErrDisk,
		"run decnet check, or": repo.ErrCorrupt,
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, dir string) {
				t.Helper()
				path := dir + "/log.json"
				write(t, path, text(0, 1000))
				sink := newMemSink()
				var full atomic.Bool
				full.Store(true)
				sink.fail = func(int) error {
					if full.Load() {
						return fmt.Errorf("commit: %w", trouble)
					}
					return nil
				}
				p := accepting(t, sink, func(o *ingest.Options) {
					o.Sources = []ingest.Source{{Path: path, Follow: true}}
				})
				time.Sleep(time.Hour) //nolint:forbidigo // in a bubble
				require.ErrorContains(t, p.in.Health(), sentence)
				assert.Contains(t, p.in.IngestStatus().Problem, sentence)
				_, err := p.in.Push(t.Context(), pushOf("", event(2000)))
				assertBusy(t, err)
				add(t, path, text(1000, 1100))
				full.Store(false)
				time.Sleep(time.Minute) //nolint:forbidigo // in a bubble
				require.NoError(t, p.in.Health())
				p.push(t, pushOf("", event(2000)))
				assert.Len(t, sink.events, 1101)
				assert.Greater(t, p.in.Status().Retries, int64(300), "it was tried all the time")
				p.finish(t)
			})
		})
	}
}

// The sum holds in every snapshot, over all ways in and whatever the lines are.
func TestStatus_LinesAreTheSumOfWhatBecameOfThem(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, dir string) {
		t.Helper()
		path := dir + "/log.json"
		write(t, path, text(0, 50)+"hello\n\n"+strings.ReplaceAll(text(50, 60), "203.0.113.45", "10.0.0.1"))
		rule, err := ingest.ParseIgnoreRule("10.0.0.0/8")
		require.NoError(t, err)
		sink := newMemSink()
		p := accepting(t, sink, func(o *ingest.Options) {
			o.Sources = []ingest.Source{{Path: path}}
			o.Ignore = []ingest.IgnoreRule{rule}
		})
		<-p.in.CaughtUp()
		p.push(t, pushOf("k", withID(1, "1"), withID(1, "1"), "x", "", strings.ReplaceAll(withID(2, "2"), "203.0.113.45", "10.9.9.9")))
		st := p.in.IngestStatus()
		assert.EqualValues(t, 62+5, st.Lines)
		assert.Equal(t, st.Lines, st.Accepted+st.Duplicate+st.Rejected+st.Ignored)
		var all int64
		for _, s := range st.Sources {
			assert.Equalf(t, s.Lines, s.Accepted+s.Duplicate+s.Rejected+s.Ignored, "%s", s.Name)
			all += s.Lines
			assert.EqualValues(t, 0, s.LagBytes)
			assert.Positive(t, s.Rate)
		}
		assert.Equal(t, st.Lines, all)
		assert.EqualValues(t, 10, st.Sources[0].IgnoredBy["rule 10.0.0.0/8"])
		assert.EqualValues(t, 1, st.Sources[1].IgnoredBy["rule 10.0.0.0/8"])
		assert.EqualValues(t, 1, st.Duplicate)
		assert.Len(t, sink.events, 51)
		p.push(t, pushOf("", event(3))) // with which the count of the duplicate is stored
		for _, pos := range sink.positions {
			assert.Equal(t, pos.Lines, pos.Accepted+pos.Duplicate+pos.Rejected+pos.Ignored, pos.Source)
		}
		time.Sleep(2 * time.Minute) //nolint:forbidigo // in a bubble
		assert.Zero(t, p.in.IngestStatus().Sources[0].Rate, "over the last minute")
		p.finish(t)
	})
}
