//go:build fuzz

package engine

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// The phases of a run, in their order.
const (
	PhaseExamples = "examples"
	PhaseCoverage = "coverage"
	PhaseRandom   = "random"
	PhaseStateful = "stateful"
)

// Actors that every API has.
const (
	// Anonymous sends no credential.
	Anonymous = "anonymous"
	// ForgedPrefix begins the names of actors whose credential must not be taken.
	ForgedPrefix = "forged"
)

// Plan says how an operation is best called.
type Plan struct {
	// Skip leaves the operation out.
	Skip bool
	// Worlds are the kinds of worlds to call it in, the usual one first.
	Worlds []string
	// Actor may call it; Others are to be tried too, and may be refused.
	Actor  string
	Others []string
	// Hint returns values that are worth more than chance: for a parameter by its
	// place and name, for the body ("body", "") by the pointer. May be nil.
	Hint func(in, name, pointer string) []any
	// Tolerated are statuses that any valid request may get.
	Tolerated []int
	// Extra are cases that chance would not make; they run in the examples phase.
	Extra []Trial
}

// Relation is a rule between the answers to several requests.
type Relation struct {
	// Name is that of the check in findings.
	Name string
	// Applies says whether the rule has something to say about a case.
	Applies func(op *Operation, c *Case) bool
	// Check sends what it needs, the case itself by [Probe.Main], and returns the
	// ways in which the rule was broken.
	Check func(p *Probe) []string
}

// Config is what a run needs.
type Config struct {
	Spec *Spec
	// New makes a world of a kind; it is called once a trial, by many goroutines.
	New func(ctx context.Context, kind string) (*World, error)
	// Plan says how to call an operation; nil means as [Anonymous] in world "".
	Plan func(op *Operation) Plan
	// Checks are run on every answer; nil means [Checks].
	Checks []Check
	// Relations are tried around valid cases.
	Relations []Relation
	// Forged are actors whose credential must be refused with 401.
	Forged []string
	// Tokens says where the answer of an operation has a token, by operation.
	Tokens map[string]string
	// Actions are steps between requests in sequences.
	Actions []string
	// Dictionary are texts that are drawn as they are.
	Dictionary []string
	// Seed makes all choices.
	Seed uint64
	// Phases are those to run; nil means all.
	Phases []string
	// Examples is the number of random cases for each operation, Sequences that of
	// sequences, Steps the most steps of one (6 when 0).
	Examples, Sequences, Steps int
	// Workers bounds the trials at a time; 0 means one for each processor.
	Workers int
	// Shrink is the most trials that one finding is shrunk with; 0 means 400.
	Shrink int
	// Enough stops the run after that many distinct findings; 0 means never.
	Enough int
	// Slow is the limit of max_response_time; 0 means none.
	Slow time.Duration

	// closing are connections that servers are about to close; whoever runs waits
	// for them at the end, or each request does where it is nil.
	closing *sync.WaitGroup
}

// newWorld makes a world for a trial.
func (c *Config) newWorld(ctx context.Context, kind string) (*World, error) {
	w, err := c.New(ctx, kind)
	if err == nil {
		w.closing = c.closing
	}
	return w, err //nolint:wrapcheck // the caller says what failed
}

// plan returns the plan of an operation, made whole.
func (c *Config) plan(op *Operation) Plan {
	p := Plan{}
	if c.Plan != nil {
		p = c.Plan(op)
	}
	if len(p.Worlds) == 0 {
		p.Worlds = []string{""}
	}
	if p.Actor == "" {
		p.Actor = Anonymous
	}
	return p
}

// chance is the source of a trial's choices: (seed, operation, phase, index)
// and nothing else decides what it gives.
func chance(seed uint64, operation, phase string, index int) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(operation + "\x00" + phase))
	return rand.New(rand.NewPCG(seed, h.Sum64()+uint64(index)*0x9e3779b97f4a7c15)) //nolint:gosec // reproducible by intent
}

func isForged(actor string) bool { return strings.HasPrefix(actor, ForgedPrefix) }
