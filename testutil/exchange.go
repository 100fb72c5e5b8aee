package testutil

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"decnet/contract"
)

// Spec checks exchanges between a client and the service against the OpenAPI
// document. It is immutable, so that a process builds one and all its tests
// share it.
//
// No error of it ever holds a value that was sent or received: they may be
// secrets. It names places, keywords and statuses only.
type Spec struct {
	fixed     map[string]*specPath // paths without parameters
	templated []*specPath
	problem   *openapi3.Schema
	options   []openapi3.SchemaValidationOption
}

// specPath is one path of the document.
type specPath struct {
	template string
	segments []string
	ops      map[string]*specOperation
}

// specOperation is one operation, prepared for checks.
type specOperation struct {
	name      string // method and path, for messages
	compiled  *contract.Operation
	params    []*openapi3.Parameter
	absent    [][]string // of params
	body      *openapi3.Schema
	secured   bool
	inQuery   []string // query parameters that carry a credential
	responses map[int]*specResponse
}

// specResponse is one documented response.
type specResponse struct {
	headers []specHeader
	content map[string]*openapi3.Schema
}

type specHeader struct {
	name     string // canonical
	required bool
	schema   *openapi3.Schema
}

// NewSpec reads an OpenAPI document.
func NewSpec(spec []byte) (*Spec, error) {
	c, err := contract.Load(spec)
	if err != nil {
		return nil, fmt.Errorf("load the contract: %w", err)
	}
	components := c.Doc().Components
	if components == nil || components.Schemas["Problem"] == nil {
		return nil, errors.New("the document has no schema Problem")
	}
	s := &Spec{fixed: map[string]*specPath{}, problem: components.Schemas["Problem"].Value, options: schemaOptions()}
	byPath := map[string]*specPath{}
	for _, op := range c.Operations() {
		p := byPath[op.Path]
		if p == nil {
			p = &specPath{template: op.Path, segments: strings.Split(op.Path, "/"), ops: map[string]*specOperation{}}
			byPath[op.Path] = p
		}
		if p.ops[op.Method], err = newSpecOperation(c.Doc(), op); err != nil {
			return nil, fmt.Errorf("%s %s: %w", op.Method, op.Path, err)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		if strings.Contains(path, "{") {
			s.templated = append(s.templated, byPath[path])
		} else {
			s.fixed[path] = byPath[path]
		}
	}
	return s, nil
}

func newSpecOperation(doc *openapi3.T, op *contract.Operation) (*specOperation, error) {
	item := doc.Paths.Value(op.Path)
	raw := item.GetOperation(op.Method)
	o := &specOperation{name: op.Method + " " + op.Path, compiled: op, responses: map[int]*specResponse{}}
	for _, ref := range slices.Concat(item.Parameters, raw.Parameters) {
		absent, err := contract.AbsentValues(ref.Value)
		if err != nil {
			return nil, fmt.Errorf("absent values: %w", err)
		}
		o.params, o.absent = append(o.params, ref.Value), append(o.absent, absent)
	}
	if raw.RequestBody != nil && !op.Raw {
		o.body = raw.RequestBody.Value.Content["application/json"].Schema.Value
	}
	o.addSecurity(doc, raw)
	for code, ref := range raw.Responses.Map() {
		status, err := strconv.Atoi(code)
		if err != nil {
			return nil, fmt.Errorf("response %s: %w", code, err)
		}
		o.responses[status] = newSpecResponse(ref.Value)
	}
	return o, nil
}

func (o *specOperation) addSecurity(doc *openapi3.T, raw *openapi3.Operation) {
	requirements := doc.Security
	if raw.Security != nil {
		requirements = *raw.Security
	}
	o.secured = len(requirements) > 0
	for _, alternative := range requirements {
		if len(alternative) == 0 {
			o.secured = false
		}
		for name := range alternative {
			if scheme := doc.Components.SecuritySchemes[name].Value; scheme.In == openapi3.ParameterInQuery {
				o.inQuery = append(o.inQuery, scheme.Name)
			}
		}
	}
}

func newSpecResponse(raw *openapi3.Response) *specResponse {
	r := &specResponse{content: map[string]*openapi3.Schema{}}
	for _, name := range slices.Sorted(maps.Keys(raw.Headers)) {
		h := raw.Headers[name].Value
		r.headers = append(r.headers, specHeader{http.CanonicalHeaderKey(name), h.Required, h.Schema.Value})
	}
	for media, content := range raw.Content {
		r.content[media] = content.Schema.Value
	}
	return r
}

// Check returns all ways in which one exchange breaks the document, joined, or
// nil. req is what was sent, with reqBody as its body; resp is what came back,
// with respBody as its body (of a stream: what was read of it).
//
// Besides the document it holds these rules: a request that breaks the document
// gets no 2xx or 3xx, one that keeps it neither 400 nor 422 (but for what it would cost), and 415 only for
// another content type; without a credential a secured operation answers no
// 2xx; a path that is not documented gives 404, a method 405 with Allow; a
// problem repeats status and request id; no JSON object has a key twice; no
// response holds a password hash.
func (s *Spec) Check(req *http.Request, reqBody []byte, resp *http.Response, respBody []byte) error {
	x := &exchange{spec: s, req: req, reqBody: reqBody, resp: resp, respBody: respBody}
	x.check()
	if len(x.faults) == 0 {
		return nil
	}
	return fmt.Errorf("%s, answered %d, breaks the contract: %w", x.name(), resp.StatusCode, errors.Join(x.faults...))
}

// exchange is one request and its response while they are checked.
type exchange struct {
	spec              *Spec
	op                *specOperation // nil where the path or method is not documented
	pathValues        map[string]string
	req               *http.Request
	resp              *http.Response
	reqBody, respBody []byte
	faults            []error
}

func (x *exchange) fail(format string, args ...any) {
	x.faults = append(x.faults, fmt.Errorf(format, args...))
}

// name never holds the query or the values of a path.
func (x *exchange) name() string {
	if x.op != nil {
		return x.op.name
	}
	return x.req.Method + " of what is not documented"
}

func (x *exchange) check() {
	x.checkSecrets()
	path := x.match()
	if path == nil {
		x.checkUnknownPath()
		return
	}
	method := x.req.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	op := path.ops[method]
	if op == nil {
		x.checkUnknownMethod(path)
		return
	}
	x.op = op
	x.checkRequest()
	x.checkResponse()
}

// match finds the documented path, and the values of its parameters.
func (x *exchange) match() *specPath {
	escaped := x.req.URL.EscapedPath()
	if p := x.spec.fixed[escaped]; p != nil {
		return p
	}
	segments := strings.Split(escaped, "/")
	for _, p := range x.spec.templated {
		if values, ok := p.match(segments); ok {
			x.pathValues = values
			return p
		}
	}
	return nil
}

func (p *specPath) match(segments []string) (map[string]string, bool) {
	if len(segments) != len(p.segments) {
		return nil, false
	}
	var values map[string]string
	for i, want := range p.segments {
		if !strings.HasPrefix(want, "{") {
			if segments[i] != want {
				return nil, false
			}
			continue
		}
		value, err := unescapeSegment(segments[i])
		if err != nil || value == "" {
			return nil, false
		}
		if values == nil {
			values = map[string]string{}
		}
		values[strings.Trim(want, "{}")] = value
	}
	return values, true
}

// checkSecrets looks for what may never leave the service.
func (x *exchange) checkSecrets() {
	for _, mark := range []string{"$2a$", "$2b$", "$2y$"} {
		if bytes.Contains(x.respBody, []byte(mark)) {
			x.fail("the body holds a password hash")
		}
		for _, values := range x.resp.Header {
			if strings.Contains(strings.Join(values, " "), mark) {
				x.fail("a header holds a password hash")
			}
		}
	}
}

// checkUnknownPath wants a 404, or a redirect to the clean form of the path.
func (x *exchange) checkUnknownPath() {
	switch x.resp.StatusCode {
	case http.StatusNotFound:
		x.checkProblem("Not found")
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if x.resp.Header.Get("Location") == "" {
			x.fail("a redirect without Location")
		}
	default:
		x.fail("the path is not documented, but the answer is not 404")
	}
}

// checkUnknownMethod wants a 405 that lists the methods which are documented.
func (x *exchange) checkUnknownMethod(path *specPath) {
	if x.req.Method == http.MethodOptions && x.resp.StatusCode < http.StatusMultipleChoices {
		return // a preflight of CORS, which is not the document's concern
	}
	if x.resp.StatusCode != http.StatusMethodNotAllowed {
		x.fail("the method is not documented, but the answer is not 405")
		return
	}
	x.checkProblem("Method not allowed")
	allowed := map[string]bool{}
	for method := range strings.SplitSeq(x.resp.Header.Get("Allow"), ",") {
		allowed[strings.TrimSpace(method)] = true
	}
	delete(allowed, "")
	for method := range path.ops {
		if !allowed[method] {
			x.fail("Allow lacks %s", method)
		}
		delete(allowed, method)
	}
	delete(allowed, http.MethodHead)
	delete(allowed, http.MethodOptions)
	if len(allowed) > 0 {
		x.fail("Allow lists methods that are not documented")
	}
}
