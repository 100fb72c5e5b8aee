//go:build fuzz

package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Case is one request, before a world has filled in what only it knows. It can
// be stored as JSON.
type Case struct {
	// Operation is the operation that the request is made for.
	Operation string `json:"operation,omitempty"`
	// Do is an action of the world in place of a request; "" means a request.
	Do string `json:"do,omitempty"`
	// Method and Path differ from the operation's own; "" means its own. Path is
	// sent as it is.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Actor is who calls, by a name that the world knows, or the place of a token
	// in an earlier answer, "#0/access_token".
	Actor string `json:"actor,omitempty"`
	Args  []Arg  `json:"args,omitempty"`
	Body  *Body  `json:"body,omitempty"`
	// Phase, Scenario and Mutation say what the case is for.
	Phase    string    `json:"phase,omitempty"`
	Scenario string    `json:"scenario,omitempty"`
	Mutation *Mutation `json:"mutation,omitempty"`
}

// Arg is a value of a parameter, documented or not.
type Arg struct {
	In    string
	Name  string
	Value any
}

// Body is what is sent as the request's body.
type Body struct {
	// Media is the Content-Type, "" for none.
	Media string
	// Value is encoded as the media type wants it, unless Raw is given.
	Value any
	Raw   *string
}

// Mutation is the one thing that is wrong with a case.
type Mutation struct {
	// In is path, query, header, cookie or body.
	In string `json:"in"`
	// Name is the parameter; Pointer the place in its value or in the body.
	Name    string `json:"name,omitempty"`
	Pointer string `json:"pointer,omitempty"`
	// Keyword is that of JSON Schema, or json, encoding, contentType, duplicate.
	Keyword string `json:"keyword"`
}

type argJSON struct {
	In    string `json:"in"`
	Name  string `json:"name"`
	Value any    `json:"value"`
}

type bodyJSON struct {
	Media string `json:"media"`
	Value any    `json:"value,omitempty"`
	Raw   any    `json:"raw,omitempty"`
}

// MarshalJSON keeps references and bytes that aren't UTF-8.
func (a Arg) MarshalJSON() ([]byte, error) {
	return marshal(argJSON{a.In, a.Name, encodeValue(a.Value)})
}

// UnmarshalJSON undoes MarshalJSON.
func (a *Arg) UnmarshalJSON(raw []byte) error {
	var in argJSON
	if err := unmarshal(raw, &in); err != nil {
		return err
	}
	*a = Arg{in.In, in.Name, decodeValue(in.Value)}
	return nil
}

// MarshalJSON keeps references and bytes that aren't UTF-8.
func (b Body) MarshalJSON() ([]byte, error) {
	out := bodyJSON{Media: b.Media, Value: encodeValue(b.Value)}
	if b.Raw != nil {
		out.Raw = encodeValue(*b.Raw)
	}
	return marshal(out)
}

// UnmarshalJSON undoes MarshalJSON.
func (b *Body) UnmarshalJSON(raw []byte) error {
	var in bodyJSON
	if err := unmarshal(raw, &in); err != nil {
		return err
	}
	*b = Body{Media: in.Media, Value: decodeValue(in.Value)}
	if text, ok := decodeValue(in.Raw).(string); ok {
		b.Raw = &text
	}
	return nil
}

func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode a case: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func unmarshal(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("decode a case: %w", err)
	}
	return nil
}

// Clone copies a case so that a change of the copy is not one of the original.
func (c *Case) Clone() *Case {
	out := *c
	out.Args = slices.Clone(c.Args)
	for i := range out.Args {
		out.Args[i].Value = clone(out.Args[i].Value)
	}
	if c.Body != nil {
		body := *c.Body
		body.Value = clone(body.Value)
		out.Body = &body
	}
	if c.Mutation != nil {
		m := *c.Mutation
		out.Mutation = &m
	}
	return &out
}

// Arg returns the first value of a parameter.
func (c *Case) Arg(in, name string) (any, bool) {
	for _, a := range c.Args {
		if a.In == in && a.Name == name {
			return a.Value, true
		}
	}
	return nil, false
}

// Set gives a parameter one value, in place of those that it had.
func (c *Case) Set(in, name string, value any) {
	for i := range c.Args {
		if c.Args[i].In == in && c.Args[i].Name == name {
			c.Args[i].Value = value
			return
		}
	}
	c.Args = append(c.Args, Arg{in, name, value})
}

// Unset removes a parameter.
func (c *Case) Unset(in, name string) {
	c.Args = slices.DeleteFunc(c.Args, func(a Arg) bool { return a.In == in && a.Name == name })
}

// Trial is what is done in one world: requests in their order, and a relation
// that holds around the last of them.
type Trial struct {
	// World names the kind of world; what names there are is the caller's matter.
	World string  `json:"world"`
	Steps []*Case `json:"steps"`
	// Relation is checked around the last step; "" means none.
	Relation string `json:"relation,omitempty"`
	// Seed and Index say how the trial was made.
	Seed  uint64 `json:"seed"`
	Index int    `json:"index"`
}

// Clone copies a trial.
func (t *Trial) Clone() *Trial {
	out := *t
	out.Steps = make([]*Case, len(t.Steps))
	for i, c := range t.Steps {
		out.Steps[i] = c.Clone()
	}
	return &out
}

// Last is the step that the trial is about.
func (t *Trial) Last() *Case { return t.Steps[len(t.Steps)-1] }

// canonical is equal for equal values.
func canonical(v any) (string, error) {
	raw, err := marshal(encodeValue(v))
	return string(raw), err
}
