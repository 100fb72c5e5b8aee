package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"decnet/decoy/trap"
)

// The exit codes, a promise to scripts and service managers.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// process is all that the program sees of the outside, so that a test can be it.
type process struct {
	args    []string
	getenv  func(string) string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	signals <-chan os.Signal
	// now is [time.Now] when nil.
	now func() time.Time
	// bcryptCost is [bcryptCost] when 0. Package auth refuses a low one outside tests.
	bcryptCost int
	// makers are those of package decoy when nil.
	makers map[string]trap.Maker
}

// errInterrupted says that a second signal came while the program was stopping,
// or one while it asked for a password.
var errInterrupted = errors.New("interrupted")

// run is the program: it returns the exit code.
func run(p process) int {
	if p.now == nil {
		p.now = time.Now
	}
	if p.bcryptCost == 0 {
		p.bcryptCost = bcryptCost
	}
	c, command, err := parse(p.args, p.getenv, p.stdout, p.stderr)
	var bad faults
	switch {
	case errors.Is(err, errHelpShown):
		return exitOK
	case errors.As(err, &bad):
		p.complain(err)
		return exitUsage
	case err != nil:
		p.complain(err)
		return exitFailed
	}
	err = p.dispatch(c, command)
	switch {
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case err != nil:
		p.complain(err)
		return exitFailed
	}
	return exitOK
}

func (p process) dispatch(c *cli, command string) error {
	switch command {
	case "serve":
		return p.serve(&c.Serve.config)
	case "version":
		return writeVersion(p.stdout)
	case "decoy":
		return p.decoy(&c.Decoy)
	}
	return p.interruptible(func(ctx context.Context) error {
		switch command {
		case "import":
			return p.importFiles(ctx, &c.Import)
		case "explain":
			return p.explain(ctx, &c.Explain)
		case "backup":
			return p.backup(ctx, &c.Backup)
		case "check":
			return p.check(ctx, &c.Check)
		case "bench seed":
			return p.benchSeed(ctx, &c.Bench.Seed)
		case "bench load":
			return p.benchLoad(ctx, &c.Bench.Load)
		case "fleet plan":
			return p.fleetPlan(ctx, &c.Fleet.Plan)
		case "user add":
			return p.userAdd(ctx, &c.User.Add)
		case "user reset":
			return p.userReset(ctx, &c.User.Reset)
		case "user list":
			return p.userList(ctx, &c.User.List)
		}
		return fmt.Errorf("no such command: %s", command)
	})
}

// interruptible runs a short command, whose context the first signal ends.
func (p process) interruptible(do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = do(ctx)
	}()
	select {
	case <-done:
		return err
	case <-p.signals:
		cancel(errInterrupted)
		<-done
		return errInterrupted
	}
}

// serve runs until a signal or a part's failure, and then stops within
// stopTimeout. A second signal ends it at once, whatever still runs.
func (p process) serve(c *config) error {
	log := newLogger(c.logOptions, p.stderr)
	a := newApp(c, appEnv{log: log, out: p.stdout, stdin: p.stdin, now: p.now, bcryptCost: p.bcryptCost, makers: p.makers})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.run(ctx) }()
	select {
	case err := <-done:
		return err
	case s := <-p.signals:
		log.Info("stopping; a second signal ends the program at once", slog.String("signal", s.String()))
		cancel()
	}
	select {
	case err := <-done:
		return err
	case <-p.signals:
		return errInterrupted
	}
}

// complain prints an error to standard error.
func (p process) complain(err error) {
	_, _ = fmt.Fprintln(p.stderr, "decnet:", err)
}

// newLogger trusts that the options were validated.
func newLogger(o logOptions, w io.Writer) *slog.Logger {
	level, _ := parseLevel(o.LogLevel)
	options := &slog.HandlerOptions{Level: level}
	if o.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
