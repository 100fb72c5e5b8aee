package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"decnet/ingest"
)

// event is a line of the collector that is unlike any other.
func event(n int) string {
	return fmt.Sprintf(`{"timestamp":"2026-04-14 09:00:00","decky":"web","service":"http","event_type":"request",`+
		`"attacker_ip":"203.0.113.45","fields":{"n":%d,"pad":"%s"},"msg":""}`, n, strings.Repeat("x", n%97))
}

func events(from, to int) []string {
	var lines []string
	for n := from; n < to; n++ {
		lines = append(lines, event(n))
	}
	return lines
}

func text(from, to int) string { return strings.Join(events(from, to), "\n") + "\n" }

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func add(t *testing.T, path, content string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	require.NoError(t, err)
	addTo(t, f, content)
	require.NoError(t, f.Close())
}

func addTo(t *testing.T, f io.Writer, content string) {
	t.Helper()
	_, err := io.WriteString(f, content)
	require.NoError(t, err)
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	require.NoError(t, os.Rename(from, to))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	write(t, to, string(content))
}

func zipped(t *testing.T, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	addTo(t, z, content)
	require.NoError(t, z.Close())
	return b.Bytes()
}

const (
	testPoll = time.Second
	testWait = 100 * time.Millisecond
)

// process is an ingester that runs in a bubble.
type process struct {
	in   *ingest.Ingester
	sink *memSink
	stop context.CancelFunc
	done chan error
}

// start runs an ingester over followed paths; inside a bubble.
func start(t *testing.T, sink *memSink, paths ...string) *process {
	t.Helper()
	opt := ingest.Options{Sink: sink, PollInterval: testPoll, BatchWait: testWait, NoJitter: true}
	for _, path := range paths {
		opt.Sources = append(opt.Sources, ingest.Source{Path: path, Follow: true})
	}
	return startWith(t, opt)
}

func startWith(t *testing.T, opt ingest.Options) *process {
	t.Helper()
	in, err := ingest.New(opt)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	p := &process{in: in, stop: cancel, done: make(chan error, 1)}
	p.sink, _ = opt.Sink.(*memSink)
	go func() { p.done <- in.Run(ctx) }()
	return p
}

// settle lets every followed file be polled a few times, and batches wait.
func (p *process) settle() {
	time.Sleep(4*testPoll + 2*testWait) //nolint:forbidigo // in a bubble
	synctest.Wait()
}

func (p *process) finish(t *testing.T) {
	t.Helper()
	p.stop()
	require.NoError(t, <-p.done)
}

// catchUp runs an ingester over followed paths until it has read what is there.
func catchUp(t *testing.T, sink *memSink, paths ...string) {
	t.Helper()
	p := start(t, sink, paths...)
	<-p.in.CaughtUp()
	p.settle()
	p.finish(t)
}

// bubble runs a test with fake time.
func bubble(t *testing.T, test func(t *testing.T, dir string)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { test(t, dir) })
}
