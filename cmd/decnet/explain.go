package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"decnet/ingest"
	"decnet/repo"
)

type explainCommand struct {
	Text   string `arg:"" optional:"" name:"line" help:"The line; quote it. Read from standard input when neither it nor --file is given."`
	File   string `placeholder:"FILE" help:"File that the line is in."`
	Line   int    `default:"1" help:"Number of the line in the file, from 1."`
	Format string `placeholder:"FORMAT" help:"Format of the line, instead of recognising it."`
	lineOptions
}

func (c *explainCommand) validate(bad *faults) {
	bad.check(c.Text == "" || c.File == "", "Give a line or --file, not both.")
	bad.check(c.Line >= 1, "--line must be at least 1, not %d.", c.Line)
	c.lineOptions.validate(bad)
}

// explain tells what becomes of one line.
func (p process) explain(ctx context.Context, c *explainCommand) error {
	options := ingest.Options{Sink: explainSink{}, Now: p.now}
	if err := c.apply(&options); err != nil {
		return err
	}
	in, err := ingest.New(options)
	if err != nil {
		return err
	}
	line, err := p.lineToExplain(ctx, c)
	if err != nil {
		return err
	}
	format := c.Format
	if format == "" {
		format = c.IngestFormat
	}
	return p.printExplanation(in.Explain(line, format))
}

// explainSink stands for the store, since nothing is stored.
type explainSink struct{ ingest.Sink }

// maxExplained is how long a line may be, a little more than the longest that is
// parsed, so that it is told why.
const maxExplained = ingest.DefaultMaxLine + 1

func (p process) lineToExplain(ctx context.Context, c *explainCommand) ([]byte, error) {
	if c.Text != "" {
		return []byte(c.Text), nil
	}
	from := p.stdin
	if c.File != "" {
		f, err := os.Open(filepath.Clean(c.File))
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		if from, err = unpacked(f); err != nil {
			return nil, fmt.Errorf("%s: %w", c.File, err)
		}
	}
	r := bufio.NewReaderSize(from, 64<<10)
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		line, err := readLine(r)
		if n == c.Line && (err == nil || len(line) > 0) {
			return line, nil
		}
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("there is no line %d", c.Line)
		}
		if err != nil {
			return nil, err
		}
	}
}

// readLine reads a line of any length and keeps maxExplained bytes of it.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part[:min(len(part), maxExplained-len(line))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return []byte(strings.TrimSuffix(string(line), "\n")), err
		}
	}
}

func (p process) printExplanation(x repo.Explanation) error {
	var b strings.Builder
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-10s %s\n", name+":", printable(text))
		}
	}
	row("format", orNone(x.Format))
	switch {
	case x.Reason != "":
		row("result", "rejected as "+x.Reason)
	case x.Ignored != "":
		row("result", "ignored as "+x.Ignored)
	case len(x.Events) == 1:
		row("result", "one event")
	default:
		row("result", fmt.Sprintf("%d events", len(x.Events)))
	}
	row("because", x.Detail)
	for i := range x.Events {
		b.WriteByte('\n')
		explainEvent(row, &x.Events[i])
	}
	if len(x.Notes) > 0 {
		b.WriteByte('\n')
	}
	for _, note := range x.Notes {
		row("note", note)
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
}

func explainEvent(row func(name, text string), e *repo.Event) {
	row("time", e.Time.Format(time.RFC3339Nano))
	row("decky", e.Decky)
	row("service", e.Service)
	row("event", e.EventType)
	row("attacker", e.AttackerIP)
	row("fields", e.Fields)
	row("message", e.Msg)
	row("command", e.Command)
	for _, bounty := range e.Bounties {
		row("bounty", bounty.Type+" "+bounty.Payload)
	}
	row("agent", e.Traits.UserAgent)
	row("mailer", e.Traits.Mailer)
	row("system", e.Traits.OSGuess)
	if e.Traits.PayloadBytes > 0 {
		row("payload", sizeText(e.Traits.PayloadBytes))
	}
	row("tcp", e.Traits.TCPFingerprint)
	if e.Original != nil {
		row("original", "kept beside, since it is not wholly in the columns")
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
