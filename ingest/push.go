package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"decnet/repo"
)

// The bounds of what is pushed and not committed yet, and what one who comes
// while they are reached is told.
const (
	// DefaultMaxPushes is how many pushes may be under way.
	DefaultMaxPushes = 32
	// DefaultMaxPushBytes is how many bytes of lines all of them may have; parsed
	// they take a few times as much memory. It is also the size of the largest push.
	DefaultMaxPushBytes = 16 << 20
	busyWait            = time.Second
	troubleWait         = 10 * time.Second
)

// The errors of [Ingester.Push]; it may also return that of its context, when it
// is not known whether the lines were stored: the same push under the same key
// tells.
var (
	// ErrBusy is what a *[BusyError] is.
	ErrBusy = errors.New("no more lines can be taken at the moment")
	// ErrKeyReused says that the key was used for another body.
	ErrKeyReused = errors.New("the key was used for a batch with another content")
	// ErrPushTooLarge says that a push alone is beyond [Options.MaxPushBytes].
	ErrPushTooLarge = errors.New("the batch is too large")
	// ErrUnknownFormat says that no format has the name that was given.
	ErrUnknownFormat = errors.New("unknown format")
)

// BusyError says that nothing of a push was taken, and when to try again.
type BusyError struct {
	After time.Duration
	// Reason is a sentence for the one who pushes.
	Reason string
}

// Error implements error.
func (e *BusyError) Error() string { return ErrBusy.Error() + ": " + e.Reason }

// Is makes it an [ErrBusy].
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// push is one under way, from its entry until its batch is stored.
type push struct {
	key     pushKey
	bytes   int64
	receipt repo.Receipt
	// done is closed once receipt or err is there.
	done chan struct{}
	err  error
}

type pushKey struct{ sensor, key string }

// gate counts what is under way, so that memory is bounded, and sees to it that
// a key is used by one push at a time.
type gate struct {
	mu       sync.Mutex
	open     bool
	pushes   int
	bytes    int64
	byKey    map[pushKey]*push
	senders  sync.WaitGroup
	maxBytes int64
	max      int
}

// Push stores lines that somebody sends, with everything else in one batch, and
// returns the answer once they are committed. It may be called by many at once,
// while Run runs. Lines are recognised one by one unless the push names a format.
//
// A line that is a JSON object with a top-level event_id, a string or a number,
// is stored once for each id and sensor. In a push with a key all other lines
// have such an id too, made of the key and the line's number. A push whose key
// is known is answered with what was answered then.
func (in *Ingester) Push(ctx context.Context, p repo.Push) (repo.Receipt, error) {
	format, known := formatNamed(in.formats, p.Format)
	if p.Format != "" && !known {
		return repo.Receipt{}, fmt.Errorf("%w: %q", ErrUnknownFormat, p.Format)
	}
	if reason := in.status.trouble(); reason != "" {
		return repo.Receipt{}, &BusyError{troubleWait, reason}
	}
	w, mine, err := in.gate.enter(&p)
	if err != nil {
		return repo.Receipt{}, err
	}
	if mine {
		if receipt, sent, err := in.send(ctx, w, &p, &format); !sent {
			in.gate.leave(w, receipt, err)
		}
		in.gate.senders.Done()
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		return repo.Receipt{}, fmt.Errorf("wait for the commit of a batch: %w", ctx.Err())
	}
	if w.err == nil && !bytes.Equal(w.receipt.BodyHash, p.BodyHash) {
		return repo.Receipt{}, ErrKeyReused
	}
	return w.receipt, w.err
}

// enter counts a push in. Where its key is under way already, mine is false and
// the push is the other one.
func (g *gate) enter(p *repo.Push) (w *push, mine bool, err error) {
	w = &push{key: pushKey{p.Sensor, p.Key}, done: make(chan struct{})}
	for _, line := range p.Lines {
		w.bytes += int64(len(line))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	other := g.byKey[w.key]
	switch {
	case w.bytes > g.maxBytes:
		return nil, false, fmt.Errorf("%w: it has %d bytes, and the limit is %d", ErrPushTooLarge, w.bytes, g.maxBytes)
	case !g.open:
		return nil, false, &BusyError{busyWait, "the service is starting or stopping"}
	case p.Key != "" && other != nil:
		return other, false, nil
	case g.pushes >= g.max || g.bytes+w.bytes > g.maxBytes:
		return nil, false, &BusyError{busyWait, "too many lines wait to be stored"}
	}
	g.pushes++
	g.bytes += w.bytes
	if p.Key != "" {
		g.byKey[w.key] = w
	}
	g.senders.Add(1)
	return w, true, nil
}

// leave answers a push and counts it out.
func (g *gate) leave(w *push, receipt repo.Receipt, err error) {
	w.receipt, w.err = receipt, err
	g.mu.Lock()
	g.pushes--
	g.bytes -= w.bytes
	if g.byKey[w.key] == w {
		delete(g.byKey, w.key)
	}
	g.mu.Unlock()
	close(w.done)
}

func (g *gate) setOpen(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = open
}

// send answers a push whose key is stored, and else gives its lines to the
// committer, which answers it later.
func (in *Ingester) send(ctx context.Context, w *push, p *repo.Push, format *Format) (receipt repo.Receipt, sent bool, err error) {
	if p.Key != "" {
		receipt, err := in.opt.Sink.Receipt(ctx, p.Sensor, p.Key)
		if err == nil {
			return receipt, false, nil
		}
		if !errors.Is(err, repo.ErrNotFound) {
			return receipt, false, in.asBusy(fmt.Errorf("look for the receipt of a batch: %w", err))
		}
	}
	c := in.parsePush(p, format)
	w.receipt = repo.Receipt{
		Sensor: p.Sensor, Key: p.Key, BodyHash: p.BodyHash, Rejects: receiptRejects(c.rejects),
	}
	c.push = w
	select {
	case in.chunks <- c:
		return repo.Receipt{}, true, nil
	case <-ctx.Done():
		return repo.Receipt{}, false, fmt.Errorf("wait for other batches: %w", ctx.Err())
	}
}

// asBusy makes of an engine's trouble what the one who pushes can do about it.
func (in *Ingester) asBusy(err error) error {
	if sentence := troubleWith(err); sentence != "" {
		return &BusyError{troubleWait, sentence}
	}
	return err
}

// parsePush makes a chunk of all lines of a push.
func (in *Ingester) parsePush(p *repo.Push, format *Format) chunk {
	now := in.opt.Now()
	id := in.status.stream(KindSensor, p.Source)
	c := chunk{source: id, readAt: now}
	name := format.Name
	for i, text := range p.Lines {
		// Lines keep their place in the push: see receiptRejects.
		place := repo.Reject{Source: p.Source, Path: p.Source, Offset: int64(i), SeenAt: now}
		text = bytes.TrimRight(text, "\r\n")
		line := rawLine{text: text, size: int64(len(text)), long: len(text) > in.opt.MaxLine}
		first := len(c.records)
		c.takeLine(&line, in.opt.MaxLine, &place, func(line []byte) ([]Record, error) {
			if format.Parse != nil {
				return format.parseAt(line, now)
			}
			var records []Record
			var err error
			var found string
			if found, records, err = in.parseAny(line, now); found != "" {
				name = found
			}
			return records, err
		})
		identifyEvents(c.records[first:], p, i, text)
	}
	in.status.source(id, func(s *SourceStatus) { s.Format = name })
	return c
}

// identifyEvents gives the events of a line the keys under which their sender
// knows them, and keeps its sessions apart from those of others.
func identifyEvents(records []Record, p *repo.Push, index int, line []byte) {
	id, hasID := eventID(line)
	for part := range records {
		rec := &records[part]
		if rec.Session.Key != "" {
			rec.Session.Key = "sensor " + p.Sensor + " " + rec.Session.Key
		}
		switch {
		case hasID:
			rec.Event.Key = eventKey(p.Sensor, "event", id, 0, part)
		case p.Key != "":
			rec.Event.Key = eventKey(p.Sensor, "batch", p.Key, index, part)
		}
	}
}

// eventID is the id that the sender of a line gave it.
func eventID(line []byte) (string, bool) {
	if !bytes.Contains(line, []byte(`"event_id"`)) {
		return "", false
	}
	o, err := parseObject(line)
	if err != nil {
		return "", false
	}
	raw := o.get("event_id")
	if len(raw) == 0 || raw[0] == 't' || raw[0] == 'f' {
		return "", false
	}
	id, ok := scalarText(raw)
	return id, ok && id != ""
}

// eventKey is a hash over all that makes an event the one it is. Lengths stand
// before the texts, so that no two of them can be read as one another.
func eventKey(sensor, kind, id string, index, part int) []byte {
	h := sha256.New()
	for _, s := range [...]string{sensor, kind, id} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	// The first event of a line with an id has the key that needs no more than that.
	if index > 0 || part > 0 {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(index)))
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(part)))
	}
	return h.Sum(nil)[:16]
}

func receiptRejects(rejects []repo.Reject) []repo.ReceiptReject {
	list := make([]repo.ReceiptReject, 0, min(len(rejects), repo.MaxReceiptRejects))
	for i := range rejects[:cap(list)] {
		r := &rejects[i]
		list = append(list, repo.ReceiptReject{Line: int(r.Offset), Reason: r.Reason, Detail: r.Detail})
	}
	return list
}
