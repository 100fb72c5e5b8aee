package contract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
)

// Contract is the compiled OpenAPI document.
type Contract struct {
	doc   *openapi3.T
	json  []byte
	ops   []*Operation
	byKey map[string]*Operation
}

// Operation is one method of one path.
type Operation struct {
	// Method is in capitals, Path as in the document: /config/users/{uuid}.
	Method, Path string
	// ID is the operationId.
	ID string
	// Tags group the operations; there is at least one.
	Tags []string
	// Role is the extension x-role: none, any (of whatever role, also with the
	// password to be changed), viewer or admin.
	Role string
	// Statuses are the documented statuses, ascending.
	Statuses []int
	// HasBody says that the operation takes a body; Raw that no schema describes it
	// (extension x-raw), so that Body cannot check it.
	HasBody, Raw bool

	spec      *openapi3.Operation
	params    []param
	defaults  []value
	mustCheck bool               // also without a query
	bodies    map[string]*schema // by media type
}

// Load parses, validates and compiles an OpenAPI 3.0 document. It also checks
// the document's own examples against their schemas.
func Load(spec []byte) (*Contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	if !doc.IsOpenAPI30() {
		return nil, fmt.Errorf("the document is OpenAPI %s, not 3.0", doc.OpenAPI)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("validate the OpenAPI document: %w", err)
	}
	c := &Contract{doc: doc, byKey: map[string]*Operation{}}
	if c.json, err = doc.MarshalJSON(); err != nil {
		return nil, fmt.Errorf("render the OpenAPI document: %w", err)
	}
	for path, item := range doc.Paths.Map() {
		for method, spec := range item.Operations() {
			op, err := compileOperation(method, path, item, spec)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", method, path, err)
			}
			c.ops = append(c.ops, op)
			c.byKey[method+" "+path] = op
		}
	}
	slices.SortFunc(c.ops, func(a, b *Operation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(methodRank(a.Method), methodRank(b.Method)))
	})
	return c, nil
}

// methodRank orders the operations of a path as a person would list them.
func methodRank(method string) int {
	return slices.Index([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, method)
}

func compileOperation(method, path string, item *openapi3.PathItem, spec *openapi3.Operation) (*Operation, error) {
	op := &Operation{Method: method, Path: path, ID: spec.OperationID, Tags: spec.Tags, spec: spec}
	if op.ID == "" || len(op.Tags) == 0 {
		return nil, errors.New("operationId and tags are needed")
	}
	var ok bool
	if op.Role, ok = spec.Extensions["x-role"].(string); !ok {
		return nil, errors.New("x-role is needed")
	}
	for _, refs := range []openapi3.Parameters{item.Parameters, spec.Parameters} {
		for _, ref := range refs {
			if err := op.addParam(ref.Value); err != nil {
				return nil, err
			}
		}
	}
	for _, code := range slices.Sorted(maps.Keys(spec.Responses.Map())) {
		status, err := strconv.Atoi(code)
		if err != nil {
			return nil, fmt.Errorf("response %s: only exact statuses are supported", code)
		}
		op.Statuses = append(op.Statuses, status)
	}
	return op, op.addBody(spec.RequestBody)
}

// addParam compiles parameters of query and path; headers are left to the handler.
func (o *Operation) addParam(p *openapi3.Parameter) error {
	if p.In != InQuery && p.In != InPath {
		return nil
	}
	c, def, err := compileParam(p)
	if err != nil {
		return err
	}
	o.params = append(o.params, *c)
	o.defaults = append(o.defaults, def)
	o.mustCheck = o.mustCheck || p.Required // those of a path always are
	return nil
}

func (o *Operation) addBody(ref *openapi3.RequestBodyRef) error {
	if ref == nil {
		return nil
	}
	if !ref.Value.Required {
		return errors.New("a request body must be required")
	}
	o.HasBody, o.bodies = true, map[string]*schema{}
	o.Raw, _ = ref.Value.Extensions["x-raw"].(bool)
	for media, content := range ref.Value.Content {
		if o.Raw {
			o.bodies[media] = nil
			continue
		}
		s, err := compileSchema(content.Schema.Value)
		if err != nil {
			return fmt.Errorf("body: %w", err)
		}
		if s.kind == "object" && s.open {
			return errors.New("body: additionalProperties must be false")
		}
		o.bodies[media] = s
	}
	return nil
}

// Operations returns all operations, ordered by path, then GET, POST, PUT,
// PATCH, DELETE. The caller must not change them.
func (c *Contract) Operations() []*Operation { return slices.Clone(c.ops) }

// Operation returns the operation of a method and a path as the document
// writes it, with its {parameters}.
func (c *Contract) Operation(method, path string) (*Operation, bool) {
	op, ok := c.byKey[method+" "+path]
	return op, ok
}

// Doc returns the parsed document. The caller must not change it.
func (c *Contract) Doc() *openapi3.T { return c.doc }

// JSON returns the document as JSON. The caller must not change it.
func (c *Contract) JSON() []byte { return c.json }
