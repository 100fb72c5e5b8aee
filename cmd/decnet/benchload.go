package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"decnet/bench/load"
	"decnet/bench/seed"
)

type benchLoadCommand struct {
	URL              string        `name:"url" default:"http://127.0.0.1:8000" help:"Root of the service."`
	Username         string        `default:"admin" help:"Account that asks; it need not be an administrator."`
	Password         secret        `kong:"-" secret:"" variable:"DECNET_BENCH_PASSWORD" help:"Password of the account."`
	PasswordFile     string        `placeholder:"FILE" help:"File to read the account's password from, instead of $$DECNET_BENCH_PASSWORD."`
	Mode             string        `default:"mix" enum:"mix,spike,sustained" help:"mix: a steady number of users. spike: few, then many within five seconds, then few again. sustained: so long that a drift would show."`
	Users            int           `default:"0" help:"How many users; when 0, 500 in a mix, 1000 at the top of a spike, 200 sustained."`
	Duration         time.Duration `default:"0s" help:"How long; when 0, 30 s in a mix, 60 s sustained, and in a spike 15 s after it."`
	Think            string        `default:"10ms-50ms" help:"Shortest and longest pause of a user before a request."`
	Seed             uint64        `default:"1" help:"Chooses who asks for what."`
	SampleEvery      int           `default:"16" help:"Of so many answers one is read whole and checked row by row."`
	Timeout          time.Duration `default:"10s" help:"Longest time for one answer."`
	JSON             string        `name:"json" placeholder:"FILE" help:"File to write the report to, as JSON; - for standard output, instead of the table."`
	PID              int           `name:"pid" default:"0" help:"Process of the service on this machine, to read its CPU and memory from; when 0 they come from /metrics."`
	MetricsTokenFile string        `placeholder:"FILE" help:"File to read the token of /metrics from."`
	Feed             string        `placeholder:"FILE" help:"File that the service follows, to write lines to while it is under load."`
	FeedRate         int           `default:"2000" help:"How many lines a second to write to it."`

	thinkMin, thinkMax time.Duration
}

func (c *benchLoadCommand) validate(bad *faults, getenv func(string) string) {
	c.Password = secret(getenv("DECNET_BENCH_PASSWORD"))
	bad.check((c.Password == "") != (c.PasswordFile == ""), "The password is needed, from $DECNET_BENCH_PASSWORD or from --password-file.")
	shortest, longest, _ := strings.Cut(c.Think, "-")
	var err, second error
	c.thinkMin, err = time.ParseDuration(shortest)
	c.thinkMax = c.thinkMin
	if longest != "" {
		c.thinkMax, second = time.ParseDuration(longest)
	}
	bad.check(errors.Join(err, second) == nil && c.thinkMin >= 0 && c.thinkMax >= c.thinkMin, "--think %q is not two durations such as 10ms-50ms.", c.Think)
	bad.check(c.Users >= 0, "--users must not be negative.")
	bad.check(c.Duration >= 0, "--duration must not be negative.")
	bad.check(c.SampleEvery >= 1, "--sample-every must be at least 1.")
	bad.check(c.FeedRate >= 1, "--feed-rate must be at least 1.")
	bad.check(c.Timeout > 0, "--timeout must be positive.")
}

// errLoad says that the service did not answer all that it was asked, or wrongly.
var errLoad = errors.New("the service gave wrong answers or none")

// benchLoad makes the load and writes the report.
func (p process) benchLoad(ctx context.Context, c *benchLoadCommand) error {
	options := load.Options{
		URL: c.URL, Username: c.Username, Password: string(c.Password), Mode: load.Mode(c.Mode), Users: c.Users, Duration: c.Duration,
		ThinkMin: c.thinkMin, ThinkMax: max(c.thinkMax, 1), Seed: c.Seed, SampleEvery: c.SampleEvery, Timeout: c.Timeout, PID: c.PID, Now: p.now,
	}
	for _, file := range []struct {
		to   *string
		path string
	}{{&options.Password, c.PasswordFile}, {&options.MetricsToken, c.MetricsTokenFile}} {
		if file.path == "" {
			continue
		}
		text, err := readSecretFile(file.path)
		if err != nil {
			return err
		}
		*file.to = text
	}
	if c.Feed != "" {
		file, err := os.OpenFile(filepath.Clean(c.Feed), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("feed: %w", err)
		}
		defer file.Close() //nolint:errcheck // its writes were checked
		next, err := p.feed(c.FeedRate)
		if err != nil {
			return err
		}
		options.Feed = &load.Feed{To: file, Rate: c.FeedRate, Next: next}
	}
	report, err := load.Run(ctx, options)
	if err != nil {
		return err
	}
	if err := p.writeReport(report, c.JSON); err != nil {
		return err
	}
	if report.Interrupted {
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	if !report.Fine() {
		return fmt.Errorf("%w: %d errors, %d of them wrong answers", errLoad, report.Total.Failed, report.Wrong)
	}
	return nil
}

// cowrieLine is how lines of Cowrie begin.
const cowrieLine = `{"eventid":`

// feed returns lines made up of the present: those of each second are of the second
// before it. All are in decnet's own form.
func (p process) feed(rate int) (next func() []byte, err error) {
	begin := func() (*seed.Generator, error) {
		now := p.now()
		return seed.New(seed.Config{Seed: uint64(now.UnixNano()), End: now, Span: time.Second})
	}
	lines, err := begin()
	if err != nil {
		return nil, err
	}
	return func() []byte {
		for {
			if lines.Row() >= int64(rate) {
				if again, err := begin(); err == nil {
					lines = again
				}
			}
			// A file has one form, which its first lines tell: Cowrie's would be another.
			if line := lines.Next(); !bytes.HasPrefix(line, []byte(cowrieLine)) {
				return line
			}
		}
	}, nil
}

func (p process) writeReport(report *load.Report, file string) error {
	if file == "" {
		return report.WriteTable(p.stdout)
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	text = append(text, '\n')
	if file == "-" {
		_, err = p.stdout.Write(text)
		return err
	}
	if err := os.WriteFile(filepath.Clean(file), text, 0o600); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return report.WriteTable(p.stdout)
}
