package ingest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/ingest"
	"decnet/repo"
)

// TestPush_IsAnsweredWhenTheServiceStops without having stored it: nobody hangs.
func TestPush_IsAnsweredWhenTheServiceStops(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newHeldSink() // and never let go
		p := accepting(t, sink, nil)
		answers := make(chan error, 3)
		for n := range 3 { // one in the batch, two in the queue
			go func() {
				_, err := p.in.Push(t.Context(), pushOf("", event(n)))
				answers <- err
			}()
			synctest.Wait()
		}
		p.stop()
		require.ErrorIs(t, <-p.done, context.Canceled)
		for range 3 {
			assertBusy(t, <-answers)
		}
		assert.Empty(t, sink.events)
	})
}

// troubledSink can't tell the receipts.
type troubledSink struct {
	*memSink
	err error
}

func (s *troubledSink) Receipt(context.Context, string, string) (repo.Receipt, error) {
	return repo.Receipt{}, s.err
}

func TestPush_WhoseReceiptCantBeLookedUp(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := &troubledSink{newMemSink(), fmt.Errorf("read: %w", repo.ErrLocked)}
		p := accepting(t, sink, nil)
		_, err := p.in.Push(t.Context(), pushOf("k1", event(1)))
		assertBusy(t, err)
		sink.err = errSink
		_, err = p.in.Push(t.Context(), pushOf("k1", event(1)))
		require.ErrorIs(t, err, errSink)
		assert.NotErrorIs(t, err, ingest.ErrBusy, "waiting won't help")
		assert.Empty(t, sink.events, "it may be stored already")
		sink.err = repo.ErrNotFound
		assert.EqualValues(t, 1, p.push(t, pushOf("k1", event(1))).Accepted, "the key is free again")
		p.finish(t)
	})
}

// TestPush_InAFormatThatItNames: then nothing is recognised, and nothing else taken.
func TestPush_InAFormatThatItNames(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, _ string) {
		t.Helper()
		sink := newMemSink()
		p := accepting(t, sink, nil)
		push := pushOf("", event(1), cowrieLine("s1", "session.connect", "", 1), event(2))
		push.Format = "cowrie"
		receipt := p.push(t, push)
		assert.EqualValues(t, 1, receipt.Accepted)
		assert.EqualValues(t, 2, receipt.Rejected)
		assert.Equal(t, "cowrie", p.in.IngestStatus().Sources[0].Format)
		p.finish(t)
	})
}
