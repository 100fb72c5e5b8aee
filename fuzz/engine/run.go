//go:build fuzz

package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Report is what came of a run.
type Report struct {
	Seed uint64
	// Trials and Calls count what was done, Skipped the trials that said nothing.
	Trials, Calls, Skipped int
	Elapsed                time.Duration
	// Failures are the distinct findings, in the order in which they were found.
	Failures []*Failure
	Ledger   *Ledger
}

// Failure is a distinct finding with the smallest trial that shows it.
type Failure struct {
	Check     string `json:"check"`
	Operation string `json:"operation"`
	Reason    string `json:"reason"`
	// Trial is the smallest that was found, Original the first.
	Trial    *Trial `json:"trial"`
	Original *Trial `json:"-"`
	// Calls were needed to find it; Shrinks trials were made to shrink it.
	Calls   int `json:"-"`
	Shrinks int `json:"-"`
	// Size is the number of bytes of the trial's steps as JSON.
	Size int `json:"-"`
	// Count is how often it was seen.
	Count int `json:"-"`
	// Curl does the last step with a shell.
	Curl string `json:"curl"`
	// Answer is the status, and the body's beginning with secrets masked.
	Answer string `json:"answer"`
}

// key is what failures are counted by.
func (f *Failure) key() string {
	return Finding{Check: f.Check, Operation: f.Operation, Reason: f.Reason}.key()
}

// job makes and plays one trial. A sequence makes its trial while it is played.
type job func(ctx context.Context) (*Trial, *Outcome, error)

// played is a job's result, at the job's place.
type played struct {
	trial *Trial
	out   *Outcome
	err   error
}

// Run plays all phases. The error is about the run itself; what was found is in
// the report.
func Run(ctx context.Context, c Config) (*Report, error) {
	if c.Spec == nil || c.New == nil {
		return nil, errors.New("engine.Config needs Spec and New")
	}
	c.closing = &sync.WaitGroup{}
	defer c.closing.Wait()
	begin := time.Now()
	report := &Report{Seed: c.Seed, Ledger: newLedger(c.Spec, c.plan)}
	for _, phase := range []string{PhaseExamples, PhaseCoverage, PhaseRandom, PhaseStateful} {
		if len(c.Phases) > 0 && !slices.Contains(c.Phases, phase) {
			continue
		}
		if err := c.runPhase(ctx, phase, report); err != nil {
			return report, fmt.Errorf("phase %s: %w", phase, err)
		}
		if c.enough(report) {
			break
		}
	}
	for _, f := range report.Failures {
		if err := c.finish(ctx, f); err != nil {
			return report, fmt.Errorf("shrink a failure: %w", err)
		}
	}
	report.Elapsed = time.Since(begin)
	return report, nil
}

func (c *Config) enough(r *Report) bool { return c.Enough > 0 && len(r.Failures) >= c.Enough }

// batch is how many jobs are played before their results are looked at.
const batch = 256

func (c *Config) runPhase(ctx context.Context, phase string, report *Report) error {
	jobs := c.jobs(phase)
	for chunk := range slices.Chunk(jobs, batch) {
		for _, result := range c.playAll(ctx, chunk) {
			if result.err != nil {
				return result.err
			}
			c.note(report, phase, result)
			if c.enough(report) {
				return nil
			}
		}
	}
	return nil
}

// jobs lists what a phase does, in an order that depends on nothing but the
// document.
func (c *Config) jobs(phase string) []job {
	var out []job
	fixed := func(t *Trial) {
		out = append(out, func(ctx context.Context) (*Trial, *Outcome, error) {
			o, err := c.Play(ctx, t)
			return t, o, err
		})
	}
	if phase == PhaseStateful {
		for i := range c.Sequences {
			out = append(out, func(ctx context.Context) (*Trial, *Outcome, error) { return c.walk(ctx, i) })
		}
		return out
	}
	for _, op := range c.Spec.Operations {
		if c.plan(op).Skip {
			continue
		}
		switch phase {
		case PhaseExamples:
			for _, t := range c.examples(op) {
				fixed(t)
			}
		case PhaseCoverage:
			for _, t := range c.coverage(op) {
				fixed(t)
			}
		case PhaseRandom:
			for i := range c.Examples {
				out = append(out, func(ctx context.Context) (*Trial, *Outcome, error) {
					t := c.random(op, i)
					o, err := c.Play(ctx, t)
					return t, o, err
				})
			}
		}
	}
	return out
}

// playAll plays jobs side by side and returns their results in their order.
func (c *Config) playAll(ctx context.Context, jobs []job) []played {
	results := make([]played, len(jobs))
	next := make(chan int)
	workers := c.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				if err := ctx.Err(); err != nil {
					results[i].err = fmt.Errorf("stopped: %w", err)
					continue
				}
				t, o, err := jobs[i](ctx)
				results[i] = played{t, o, err}
			}
		})
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	wg.Wait()
	return results
}

// note counts a result and keeps what is new in it.
func (c *Config) note(report *Report, phase string, p played) {
	report.Trials++
	report.Calls += p.out.Calls
	if p.out.Skipped {
		report.Skipped++
	}
	for _, s := range p.out.Steps {
		report.Ledger.add(phase, s)
	}
	for _, f := range p.out.Findings {
		i := slices.IndexFunc(report.Failures, func(known *Failure) bool { return known.key() == f.key() })
		if i >= 0 {
			report.Failures[i].Count++
			continue
		}
		t := p.trial.Clone()
		t.Steps = t.Steps[:f.Step+1]
		if f.Step+1 < len(p.trial.Steps) {
			t.Relation = ""
		}
		report.Failures = append(report.Failures, &Failure{
			Check: f.Check, Operation: f.Operation, Reason: f.Reason,
			Trial: t, Original: p.trial, Calls: report.Calls, Count: 1,
		})
	}
}

// Replay plays the trial of a failure and reports whether it still fails.
func (c *Config) Replay(ctx context.Context, f *Failure) (bool, *Outcome, error) {
	out, err := c.Play(ctx, f.Trial)
	if err != nil {
		return false, nil, err
	}
	return shows(out, f.key()), out, nil
}

func shows(out *Outcome, key string) bool {
	return slices.ContainsFunc(out.Findings, func(f Finding) bool { return f.key() == key })
}

// Ledger counts what a run has reached.
type Ledger struct {
	spec *Spec
	plan func(op *Operation) Plan
	// Scenarios and Statuses count by operation. Verdicts counts by kind.
	Scenarios map[string]map[string]int
	Statuses  map[string]map[int]int
	Verdicts  map[string]int
	Phases    map[string]int
}

func newLedger(s *Spec, plan func(op *Operation) Plan) *Ledger {
	return &Ledger{
		spec: s, plan: plan, Scenarios: map[string]map[string]int{}, Statuses: map[string]map[int]int{},
		Verdicts: map[string]int{}, Phases: map[string]int{},
	}
}

func (l *Ledger) add(phase string, s Step) {
	id := s.Operation.ID
	if l.Scenarios[id] == nil {
		l.Scenarios[id] = map[string]int{}
	}
	l.Scenarios[id][s.Case.Scenario]++
	l.Verdicts[s.Verdict.Kind.String()]++
	l.Phases[phase]++
	// A status counts for the operation that the request reached.
	if reached := s.Verdict.Operation; reached != nil {
		if l.Statuses[reached.ID] == nil {
			l.Statuses[reached.ID] = map[int]int{}
		}
		l.Statuses[reached.ID][s.Exchange.Status]++
	}
}

// Gaps lists what a run should have reached and has not: operations that were
// never called, and documented successes that were never seen.
func (l *Ledger) Gaps() []string {
	var out []string
	for _, op := range l.spec.Operations {
		if l.plan(op).Skip {
			continue
		}
		if len(l.Statuses[op.ID]) == 0 {
			out = append(out, op.ID+" was never called")
			continue
		}
		for code := range op.Responses {
			var status int
			if _, err := fmt.Sscanf(code, "%d", &status); err != nil || len(code) != 3 || status >= 400 {
				continue
			}
			if l.Statuses[op.ID][status] == 0 {
				out = append(out, op.ID+" never answered "+code)
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(a, b) })
	return out
}
