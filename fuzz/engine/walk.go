//go:build fuzz

package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// defaultSteps is the most steps of a sequence.
const defaultSteps = 6

// follow is a link that an answer of the walk offers.
type follow struct {
	link Link
	step int
}

// walker makes a sequence while it is played, so that it can follow what the
// answers offer. The steps it leaves behind are a trial like any other.
type walker struct {
	config  *Config
	r       *rand.Rand
	player  *player
	index   int
	offers  []follow
	tokens  []string
	callees []*Operation
}

// walk plays one sequence.
func (c *Config) walk(ctx context.Context, index int) (*Trial, *Outcome, error) {
	w := &walker{config: c, r: chance(c.Seed, "", PhaseStateful, index), index: index}
	kinds := map[string]bool{}
	var worlds []string
	for _, op := range c.Spec.Operations {
		plan := c.plan(op)
		if plan.Skip || op.Streams {
			continue
		}
		w.callees = append(w.callees, op)
		for _, kind := range plan.Worlds {
			if !kinds[kind] {
				kinds[kind] = true
				worlds = append(worlds, kind)
			}
		}
	}
	if len(w.callees) == 0 {
		return &Trial{}, &Outcome{Skipped: true}, nil
	}
	trial := &Trial{World: worlds[w.r.IntN(len(worlds))], Seed: c.Seed, Index: index}
	world, err := c.newWorld(ctx, trial.World)
	if err != nil {
		return nil, nil, fmt.Errorf("make a world: %w", err)
	}
	if world.Close != nil {
		defer world.Close()
	}
	w.player = &player{ctx: ctx, config: c, world: world, trial: trial, out: &Outcome{}}
	most := c.Steps
	if most <= 0 {
		most = defaultSteps
	}
	for i := range 2 + w.r.IntN(most-1) {
		step := w.next(i)
		trial.Steps = append(trial.Steps, step)
		made, err := w.player.step(i, step, false)
		if errors.Is(err, errUnresolved) {
			trial.Steps = trial.Steps[:i]
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if made != nil && made.OK() {
			w.remember(i, made)
		}
	}
	return trial, w.player.out, nil
}

// remember keeps the links and tokens that an answer offers.
func (w *walker) remember(i int, s *Step) {
	body := s.JSON()
	for _, l := range s.Operation.Links {
		if l.Status != "" && l.Status != statusText(s.Exchange.Status) {
			continue
		}
		if _, ok := at(body, l.Pointer); ok {
			w.offers = append(w.offers, follow{l, i})
		}
	}
	if pointer, ok := w.config.Tokens[s.Operation.ID]; ok {
		w.tokens = append(w.tokens, fmt.Sprintf("#%d%s", i, pointer))
	}
}

// next makes the step at i: an action, a request that follows a link, or any.
func (w *walker) next(i int) *Case {
	if len(w.config.Actions) > 0 && w.r.IntN(8) == 0 {
		return &Case{Do: w.config.Actions[w.r.IntN(len(w.config.Actions))], Phase: PhaseStateful}
	}
	if len(w.offers) > 0 && w.r.IntN(3) > 0 {
		// The latest offers first: they are about what was just made.
		n := len(w.offers)
		offer := w.offers[n-1-w.r.IntN(min(n, 4))]
		if op := w.config.Spec.Operation(offer.link.Target); op != nil && !w.config.plan(op).Skip {
			one := w.request(op, i)
			if p := targetParam(op, offer.link); p != nil {
				one.Set(p.In, p.Name, Ref(fmt.Sprintf("#%d%s", offer.step, offer.link.Pointer)))
				one.Scenario = ScenarioLink
			}
			return one
		}
	}
	// What changes something comes more often than what does not.
	op := w.callees[w.r.IntN(len(w.callees))]
	for range 2 {
		if op.Method == http.MethodGet && w.r.IntN(2) == 0 {
			op = w.callees[w.r.IntN(len(w.callees))]
		}
	}
	return w.request(op, i)
}

func targetParam(op *Operation, l Link) *Param {
	i := slices.IndexFunc(op.Params, func(p *Param) bool { return p.Name == l.Param && (l.In == "" || p.In == l.In) })
	if i < 0 {
		return nil
	}
	return op.Params[i]
}

// request makes a case, mostly valid and by a caller who may.
func (w *walker) request(op *Operation, i int) *Case {
	a := w.config.author(op, PhaseStateful, w.index*64+i)
	one := a.positive(false)
	one.Phase, one.Scenario = PhaseStateful, ScenarioSequence
	switch {
	case len(w.tokens) > 0 && w.r.IntN(3) == 0:
		one.Actor = w.tokens[w.r.IntN(len(w.tokens))]
	case len(a.plan.Others) > 0 && w.r.IntN(8) == 0:
		one.Actor = a.plan.Others[w.r.IntN(len(a.plan.Others))]
	}
	if w.r.IntN(10) == 0 {
		if bad := a.negatives(one); len(bad) > 0 {
			actor := one.Actor
			one = bad[w.r.IntN(len(bad))]
			one.Actor = actor
		}
	}
	return one
}

// renumber makes the references of steps right after the step at gone was
// dropped. ok is false when one of them led to it.
func renumber(steps []*Case, gone int) (ok bool) {
	move := func(ref string) (string, bool) {
		rest, isStep := strings.CutPrefix(ref, "#")
		if !isStep {
			return ref, true
		}
		var n int
		if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
			return ref, true
		}
		_, pointer, _ := strings.Cut(rest, "/")
		switch {
		case n == gone:
			return ref, false
		case n > gone:
			return fmt.Sprintf("#%d/%s", n-1, pointer), true
		}
		return ref, true
	}
	var walk func(v any) (any, bool)
	walk = func(v any) (any, bool) {
		good := true
		switch v := v.(type) {
		case Ref:
			to, ok := move(string(v))
			return Ref(to), ok
		case []any:
			for i := range v {
				child, ok := walk(v[i])
				v[i], good = child, good && ok
			}
		case map[string]any:
			for k := range v {
				child, ok := walk(v[k])
				v[k], good = child, good && ok
			}
		}
		return v, good
	}
	ok = true
	for _, c := range steps {
		actor, good := move(c.Actor)
		c.Actor, ok = actor, ok && good
		for i := range c.Args {
			value, good := walk(c.Args[i].Value)
			c.Args[i].Value, ok = value, ok && good
		}
		if c.Body != nil {
			value, good := walk(c.Body.Value)
			c.Body.Value, ok = value, ok && good
		}
	}
	return ok
}
