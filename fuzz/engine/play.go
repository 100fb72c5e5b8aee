//go:build fuzz

package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Finding is one way in which a check was broken by a step.
type Finding struct {
	Check, Operation, Reason string
	// Step is the index of the step in its trial.
	Step int
}

// key is what findings are counted by.
func (f Finding) key() string { return f.Check + "\x00" + f.Operation + "\x00" + f.Reason }

// Outcome is what came of a trial.
type Outcome struct {
	Findings []Finding
	// Steps are those that were made, those of a relation included.
	Steps []Step
	// Calls counts all requests, those sent again included.
	Calls int
	// Skipped says that a reference led nowhere, so that the trial says nothing.
	Skipped bool
}

// player plays one trial in one world.
type player struct {
	ctx    context.Context
	config *Config
	world  *World
	trial  *Trial
	out    *Outcome
	// answers are the decoded bodies by step of the trial, for references.
	answers []any
	// main is where the step under a relation went.
	history []Step
}

// Play runs a trial in a fresh world and all checks on its answers.
func (c *Config) Play(ctx context.Context, t *Trial) (*Outcome, error) {
	world, err := c.newWorld(ctx, t.World)
	if err != nil {
		return nil, fmt.Errorf("make a world: %w", err)
	}
	if world.Close != nil {
		defer world.Close()
	}
	p := &player{ctx: ctx, config: c, world: world, trial: t, out: &Outcome{}}
	for i, step := range t.Steps {
		if i == len(t.Steps)-1 && t.Relation != "" {
			err = p.relate(i, step)
		} else {
			_, err = p.step(i, step, i == len(t.Steps)-1)
		}
		if errors.Is(err, errUnresolved) {
			p.out.Skipped = true
			return p.out, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return p.out, nil
}

// step makes one step of the trial. last says that the world may be disturbed
// after it.
func (p *player) step(i int, c *Case, last bool) (*Step, error) {
	for len(p.answers) <= i {
		p.answers = append(p.answers, nil)
	}
	if c.Do != "" {
		if p.world.Do != nil {
			p.world.Do(c.Do)
		}
		return nil, nil //nolint:nilnil // an action has no answer
	}
	s, err := p.send(c)
	if err != nil {
		return nil, err
	}
	if v, err := parseJSON(s.Exchange.Body); err == nil && success(s.Exchange.Status) {
		p.answers[i] = v
	}
	in := p.input(*s)
	if last && success(s.Exchange.Status) && s.Verdict.Operation != nil && s.Verdict.Operation.Secured && !in.Anonymous && !in.BadCredential {
		in.Resent = p.resend(s)
	}
	p.check(i, in)
	p.history = append(p.history, *s)
	return s, nil
}

func (p *player) input(s Step) *Input {
	in := &Input{
		Spec: p.config.Spec, Step: s, History: p.history, Slow: p.config.Slow,
		Anonymous: s.Case.Actor == Anonymous || s.Case.Actor == "", BadCredential: isForged(s.Case.Actor),
		Tolerated: p.config.plan(s.Operation).Tolerated,
	}
	for name, secret := range p.world.Secrets {
		if !strings.HasPrefix(name, "SENT_") {
			in.Secrets = append(in.Secrets, secret)
		}
	}
	slices.Sort(in.Secrets)
	return in
}

func (p *player) check(i int, in *Input) {
	for _, check := range p.config.checks() {
		for _, reason := range check.Run(in) {
			p.out.Findings = append(p.out.Findings, Finding{check.Name, in.Operation.ID, reason, i})
		}
	}
}

func (c *Config) checks() []Check {
	if c.Checks == nil {
		return Checks()
	}
	return c.Checks
}

// lookup finds what a reference names.
func (p *player) lookup(ref Ref) (any, bool) {
	rest, ok := strings.CutPrefix(string(ref), "#")
	if !ok {
		v, ok := p.world.Symbols[string(ref)]
		return v, ok
	}
	number, pointer, _ := strings.Cut(rest, "/")
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(p.answers) || p.answers[i] == nil {
		return nil, false
	}
	v, ok := at(p.answers[i], "/"+pointer)
	return v, ok && v != nil
}

// send builds, judges and sends a case.
func (p *player) send(c *Case) (*Step, error) {
	req, body, err := p.request(c, c.Actor)
	if err != nil {
		return nil, err
	}
	op := p.config.Spec.Operation(c.Operation)
	s := &Step{Case: c, Operation: op, Verdict: p.config.Spec.Judge(p.ctx, req, body)}
	s.Exchange = p.world.send(req, body, s.streams())
	p.out.Calls++
	p.out.Steps = append(p.out.Steps, *s)
	return s, nil
}

func (s *Step) streams() bool { return s.Verdict.Operation != nil && s.Verdict.Operation.Streams }

func (p *player) request(c *Case, actor string) (*http.Request, []byte, error) {
	base := p.world.BaseURL
	if p.world.Handler != nil {
		base = baseURL
	}
	req, body, err := p.config.Spec.Build(p.ctx, c, base, p.lookup)
	if err != nil {
		return nil, nil, err
	}
	token := ""
	if strings.HasPrefix(actor, "#") {
		v, ok := p.lookup(Ref(actor))
		if token, _ = v.(string); !ok || token == "" {
			return nil, nil, fmt.Errorf("%w: %s", errUnresolved, actor)
		}
	}
	if p.world.Authorize != nil && actor != Anonymous {
		p.world.Authorize(req, actor, token)
	}
	return req, body, nil
}

// resend sends a successful request again, without a credential and with bad
// ones.
func (p *player) resend(s *Step) []Resent {
	var out []Resent
	for _, actor := range append([]string{Anonymous}, p.config.Forged...) {
		req, body, err := p.request(s.Case, actor)
		if err != nil {
			continue
		}
		out = append(out, Resent{actor, p.world.send(req, body, s.streams())})
		p.out.Calls++
	}
	return out
}

// Probe is what a relation works with.
type Probe struct {
	player *player
	index  int
	c      *Case
	main   *Step
	err    error
}

// Case is the step that the relation is about; a relation must not change it.
func (p *Probe) Case() *Case { return p.c }

// Main sends the step itself, once; later calls return the same answer.
func (p *Probe) Main() *Step {
	if p.main == nil {
		s, err := p.player.step(p.index, p.c, false)
		if err != nil || s == nil {
			p.err = err
			return &Step{Case: p.c, Exchange: &Exchange{}}
		}
		p.main = s
	}
	return p.main
}

// Send sends another request, whose answer is checked as any is.
func (p *Probe) Send(c *Case) *Step {
	c.Phase, c.Scenario = p.c.Phase, ScenarioProbe
	s, err := p.player.send(c)
	if err != nil {
		p.err = err
		return &Step{Case: c, Exchange: &Exchange{}}
	}
	p.player.check(p.index, p.player.input(*s))
	return s
}

// Together sends several requests at once; their answers are checked as any are.
// What it finds depends on who comes first, so it may not show again.
func (p *Probe) Together(cases ...*Case) []*Step {
	type sending struct {
		req  *http.Request
		body []byte
	}
	steps, ready := make([]*Step, len(cases)), make([]sending, len(cases))
	for i, c := range cases {
		c.Phase, c.Scenario = p.c.Phase, ScenarioProbe
		steps[i] = &Step{Case: c, Exchange: &Exchange{}}
		req, body, err := p.player.request(c, c.Actor)
		if err != nil {
			p.err = err
			return steps
		}
		steps[i].Operation = p.player.config.Spec.Operation(c.Operation)
		steps[i].Verdict = p.player.config.Spec.Judge(p.player.ctx, req, body)
		ready[i] = sending{req, body}
	}
	var all sync.WaitGroup
	for i, s := range ready {
		all.Go(func() { steps[i].Exchange = p.player.world.send(s.req, s.body, steps[i].streams()) })
	}
	all.Wait()
	for _, s := range steps {
		p.player.out.Calls++
		p.player.out.Steps = append(p.player.out.Steps, *s)
		p.player.check(p.index, p.player.input(*s))
	}
	return steps
}

// Do performs an action of the world.
func (p *Probe) Do(action string) {
	if p.player.world.Do != nil {
		p.player.world.Do(action)
	}
}

// Resolve returns the value that a reference has in this world.
func (p *Probe) Resolve(v any) any {
	found, err := resolve(v, p.player.lookup)
	if err != nil {
		p.err = err
		return nil
	}
	return found
}

// JSON is the decoded body of an answer; nil where it is none.
func (s *Step) JSON() any {
	v, err := parseJSON(s.Exchange.Body)
	if err != nil {
		return nil
	}
	return v
}

// At returns the value at a pointer of the answer's body; nil where there is none.
func (s *Step) At(pointer string) any {
	v, _ := at(s.JSON(), pointer)
	return v
}

// OK reports a success.
func (s *Step) OK() bool { return success(s.Exchange.Status) }

// relate runs a relation around the last step.
func (p *player) relate(i int, c *Case) error {
	op := p.config.Spec.Operation(c.Operation)
	k := slices.IndexFunc(p.config.Relations, func(r Relation) bool {
		return r.Name == p.trial.Relation && op != nil && r.Applies(op, c)
	})
	if k < 0 { // the case has changed since, or the relation is gone
		p.out.Skipped = true
		return nil
	}
	rel := p.config.Relations[k]
	probe := &Probe{player: p, index: i, c: c}
	reasons := rel.Check(probe)
	if probe.err == nil {
		probe.Main()
	}
	if probe.err != nil {
		return probe.err
	}
	for _, reason := range reasons {
		p.out.Findings = append(p.out.Findings, Finding{rel.Name, c.Operation, reason, i})
	}
	return nil
}
