//go:build fuzz

package engine

import "context"

// Random makes the trial of an index; every second one is broken in one place.
// It depends on the seed, the operation and the index only.
func (c *Config) Random(op *Operation, index int) *Trial { return c.random(op, index) }

// Coverage lists the trials that cover the scenarios of an operation.
func (c *Config) Coverage(op *Operation) []*Trial { return c.coverage(op) }

// KindOf judges a case outside of any world, where references have some text for
// a value.
func (s *Spec) KindOf(one *Case) Kind {
	req, body, err := s.Build(context.Background(), one, baseURL, func(r Ref) (any, bool) { return "a" + string(r), true })
	if err != nil {
		return Unspecified
	}
	return s.Judge(context.Background(), req, body).Kind
}

// Cost orders cases: fewer bytes are better, and of equal length plain letters
// and zeros.
func Cost(c *Case) int { return cost(&Trial{Steps: []*Case{c}}) }

// Once sends one case into a world that stays, with a token that the caller
// knows ("" for none), and returns what came back. Nothing is checked.
func (s *Spec) Once(ctx context.Context, w *World, c *Case, token string) (*Step, error) {
	p := &player{ctx: ctx, config: &Config{Spec: s}, world: w, out: &Outcome{}}
	actor := Anonymous
	if token != "" {
		p.answers = []any{map[string]any{"token": token}}
		actor = "#0/token"
	}
	one := c.Clone()
	one.Actor = actor
	return p.send(one)
}
