//go:build fuzz

package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// SpecOptions say what the document alone does not.
type SpecOptions struct {
	// Formats are checked and generated beside those of the engine, which they
	// override by name.
	Formats []Format
	// Absent returns the texts that a query parameter takes as "not given"; nil
	// means that there are none.
	Absent func(p *openapi3.Parameter) ([]string, error)
	// RawBody reports that the schema of an operation's body says nothing of its
	// bytes; only the media type is then held against the document. May be nil.
	RawBody func(op *openapi3.Operation) bool
}

// Spec is a document prepared for tests. It is immutable.
type Spec struct {
	// Doc is the parsed document.
	Doc *openapi3.T
	// Operations are ordered by path and method.
	Operations []*Operation

	byID    map[string]*Operation
	formats map[string]Format
	options []openapi3.SchemaValidationOption
	fixed   map[string][]*Operation
	open    [][]*Operation // operations by templated path
}

// Operation is one method of one path.
type Operation struct {
	// ID is the operationId, or "METHOD path" where there is none.
	ID string
	// Method is in capitals, Path as in the document.
	Method, Path string
	Params       []*Param
	// Bodies are the schemas of the request body by media type.
	Bodies       map[string]*openapi3.Schema
	BodyRequired bool
	// RawBody says that the document leaves the bytes of the body open.
	RawBody bool
	// Responses are by status, wildcard (2XX) or "default".
	Responses map[string]*openapi3.Response
	// Secured says that a credential is needed, Schemes which ones are taken.
	Secured bool
	Schemes []*openapi3.SecurityScheme
	// Streams says that a success is Server-Sent Events, which need not end.
	Streams bool
	// Links lead from a response of this operation to requests.
	Links []Link
	// Raw is the operation of the document.
	Raw *openapi3.Operation

	item     *openapi3.PathItem
	segments []string
}

// Param is a parameter of an operation.
type Param struct {
	*openapi3.Parameter
	// Values is the schema of the value, also where it stands under content.
	Values *openapi3.Schema
	// Absent are the texts that mean "not given".
	Absent []string
	// JSON says that the value is sent as JSON (content: application/json).
	JSON bool
}

// Link leads from a response to a request.
type Link struct {
	// Status is the response that has the link; "" means any success.
	Status string
	// Target is the operation to call, Param what to fill, In its place.
	Target, In, Param string
	// Pointer finds the value in the body of the response.
	Pointer string
	// Inferred says that the link is not in the document.
	Inferred bool
}

// LoadSpec reads an OpenAPI 3.0 document.
func LoadSpec(document []byte, o SpecOptions) (*Spec, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	if !doc.IsOpenAPI30() {
		return nil, fmt.Errorf("the document is OpenAPI %s, not 3.0", doc.OpenAPI)
	}
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		return nil, fmt.Errorf("validate the OpenAPI document: %w", err)
	}
	s := &Spec{Doc: doc, byID: map[string]*Operation{}, formats: map[string]Format{}, fixed: map[string][]*Operation{}}
	for _, f := range append(standardFormats(), o.Formats...) {
		s.formats[f.Name] = f
	}
	validators := map[string]openapi3.StringFormatValidator{}
	for name, f := range s.formats {
		validators[name] = formatRule{f}
	}
	s.options = slices.Clip([]openapi3.SchemaValidationOption{
		openapi3.MultiErrors(), openapi3.WithStringFormatValidators(validators),
	})
	for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
		if err := s.addPath(path, doc.Paths.Value(path), o); err != nil {
			return nil, err
		}
	}
	if len(s.Operations) == 0 {
		return nil, errors.New("the document has no operation")
	}
	s.inferLinks()
	return s, nil
}

func (s *Spec) addPath(path string, item *openapi3.PathItem, o SpecOptions) error {
	var here []*Operation
	for method, raw := range item.Operations() {
		op := &Operation{
			ID: raw.OperationID, Method: method, Path: path, Raw: raw, item: item,
			segments: strings.Split(path, "/"), Bodies: map[string]*openapi3.Schema{}, Responses: map[string]*openapi3.Response{},
		}
		if op.ID == "" {
			op.ID = method + " " + path
		}
		if s.byID[op.ID] != nil {
			return fmt.Errorf("two operations are named %s", op.ID)
		}
		if err := op.fill(s.Doc, o); err != nil {
			return fmt.Errorf("%s: %w", op.ID, err)
		}
		s.byID[op.ID] = op
		here = append(here, op)
	}
	slices.SortFunc(here, func(a, b *Operation) int { return cmp.Compare(a.Method, b.Method) })
	s.Operations = append(s.Operations, here...)
	if strings.Contains(path, "{") {
		s.open = append(s.open, here)
	} else {
		s.fixed[path] = here
	}
	return nil
}

func (op *Operation) fill(doc *openapi3.T, o SpecOptions) error {
	byPlace := map[string]*openapi3.Parameter{}
	var order []string
	for _, ref := range slices.Concat(op.item.Parameters, op.Raw.Parameters) {
		key := ref.Value.In + ":" + ref.Value.Name
		if byPlace[key] == nil {
			order = append(order, key)
		}
		byPlace[key] = ref.Value // the operation's own one wins
	}
	for _, key := range order {
		p := &Param{Parameter: byPlace[key]}
		if p.Schema != nil {
			p.Values = p.Schema.Value
		} else if c := p.Content.Get("application/json"); c != nil && c.Schema != nil {
			p.Values, p.JSON = c.Schema.Value, true
		} else {
			p.Values = openapi3.NewStringSchema()
		}
		if o.Absent != nil {
			var err error
			if p.Absent, err = o.Absent(p.Parameter); err != nil {
				return fmt.Errorf("absent values: %w", err)
			}
		}
		op.Params = append(op.Params, p)
	}
	if body := op.Raw.RequestBody; body != nil {
		op.BodyRequired = body.Value.Required
		for media, content := range body.Value.Content {
			if content.Schema != nil {
				op.Bodies[media] = content.Schema.Value
			}
		}
	}
	op.RawBody = o.RawBody != nil && op.Raw.RequestBody != nil && o.RawBody(op.Raw)
	op.fillResponses()
	op.fillSecurity(doc)
	return nil
}

func (op *Operation) fillResponses() {
	for _, status := range slices.Sorted(maps.Keys(op.Raw.Responses.Map())) {
		r := op.Raw.Responses.Value(status).Value
		op.Responses[status] = r
		if strings.HasPrefix(status, "2") && r.Content["text/event-stream"] != nil {
			op.Streams = true
		}
		for _, name := range slices.Sorted(maps.Keys(r.Links)) {
			l := r.Links[name].Value
			for param, value := range l.Parameters {
				text, _ := value.(string)
				pointer, ok := strings.CutPrefix(text, "$response.body#")
				if !ok || l.OperationID == "" {
					continue
				}
				in := ""
				for _, place := range []string{"path", "query", "header", "cookie"} {
					if rest, ok := strings.CutPrefix(param, place+"."); ok {
						in, param = place, rest
					}
				}
				op.Links = append(op.Links, Link{Status: status, Target: l.OperationID, In: in, Param: param, Pointer: pointer})
			}
		}
	}
}

func (op *Operation) fillSecurity(doc *openapi3.T) {
	requirements := doc.Security
	if op.Raw.Security != nil {
		requirements = *op.Raw.Security
	}
	op.Secured = len(requirements) > 0
	for _, alternative := range requirements {
		if len(alternative) == 0 {
			op.Secured = false
		}
		for _, name := range slices.Sorted(maps.Keys(alternative)) {
			if ref := doc.Components.SecuritySchemes[name]; ref != nil {
				op.Schemes = append(op.Schemes, ref.Value)
			}
		}
	}
}

// inferLinks adds what the document does not say: a path parameter is filled
// from a property of the same name in the answer of a POST or GET whose path is
// a prefix of the path.
func (s *Spec) inferLinks() {
	for _, from := range s.Operations {
		if from.Method != http.MethodPost && from.Method != http.MethodGet {
			continue
		}
		pointers := from.propertyPointers()
		for _, to := range s.Operations {
			if to == from || !strings.HasPrefix(to.Path, from.Path+"/") {
				continue
			}
			for _, p := range to.Params {
				pointer, ok := pointers[p.Name]
				if p.In != openapi3.ParameterInPath || !ok || from.hasLink(to.ID, p.Name) {
					continue
				}
				from.Links = append(from.Links, Link{Target: to.ID, In: p.In, Param: p.Name, Pointer: pointer, Inferred: true})
			}
		}
	}
}

func (op *Operation) hasLink(target, param string) bool {
	return slices.ContainsFunc(op.Links, func(l Link) bool { return l.Target == target && l.Param == param })
}

// propertyPointers finds properties of a success: at the top, and in the first
// element of an array.
func (op *Operation) propertyPointers() map[string]string {
	found := map[string]string{}
	for status, r := range op.Responses {
		content := r.Content["application/json"]
		if !strings.HasPrefix(status, "2") || content == nil || content.Schema == nil {
			continue
		}
		top := merged(content.Schema.Value)
		addPointers(found, "", top)
		for name, ref := range top.Properties {
			if ref.Value.Items != nil {
				addPointers(found, "/"+name+"/0", merged(ref.Value.Items.Value))
			}
		}
		if top.Items != nil {
			addPointers(found, "/0", merged(top.Items.Value))
		}
	}
	return found
}

func addPointers(found map[string]string, at string, s *openapi3.Schema) {
	for name := range s.Properties {
		if _, ok := found[name]; !ok {
			found[name] = at + "/" + name
		}
	}
}

// Operation returns an operation by its id, or nil.
func (s *Spec) Operation(id string) *Operation { return s.byID[id] }

// Match finds the operations of a path as it was sent, and the values of its
// parameters; nil means that no path of the document fits.
func (s *Spec) Match(escapedPath string) ([]*Operation, map[string]string) {
	if ops := s.fixed[escapedPath]; ops != nil {
		return ops, nil
	}
	segments := strings.Split(escapedPath, "/")
	for path, ops := range s.fixed {
		if _, ok := matchSegments(ops[0].segments, segments); ok && path != "/" {
			return ops, nil
		}
	}
	for _, ops := range s.open {
		if values, ok := matchSegments(ops[0].segments, segments); ok {
			return ops, values
		}
	}
	return nil, nil
}

func matchSegments(want, got []string) (map[string]string, bool) {
	if len(want) != len(got) {
		return nil, false
	}
	values := map[string]string{}
	for i := range want {
		before, rest, ok := strings.Cut(want[i], "{")
		if !ok {
			if text, err := url.PathUnescape(got[i]); err != nil || want[i] != text {
				return nil, false
			}
			continue
		}
		name, after, _ := strings.Cut(rest, "}")
		text, fits := strings.CutPrefix(got[i], before)
		if fits {
			text, fits = strings.CutSuffix(text, after)
		}
		value, err := url.PathUnescape(text)
		if !fits || err != nil || value == "" || value == "." || value == ".." {
			return nil, false // the last two are steps of the path itself
		}
		values[name] = value
	}
	return values, true
}

// Declared returns the methods that the document has at the operation's path.
func (op *Operation) Declared() []string {
	return slices.Sorted(maps.Keys(op.item.Operations()))
}

// Param returns a parameter, or nil.
func (op *Operation) Param(in, name string) *Param {
	for _, p := range op.Params {
		if p.In == in && p.Name == name {
			return p
		}
	}
	return nil
}

// Response finds the definition that an answer of this status must keep.
func (op *Operation) Response(status int) (*openapi3.Response, bool) {
	for _, key := range []string{fmt.Sprint(status), fmt.Sprintf("%dXX", status/100), fmt.Sprintf("%dxx", status/100), "default"} {
		if r := op.Responses[key]; r != nil {
			return r, true
		}
	}
	return nil, false
}

// media returns the media types of the body, JSON first.
func (op *Operation) media() []string {
	all := slices.Sorted(maps.Keys(op.Bodies))
	slices.SortStableFunc(all, func(a, b string) int {
		return cmp.Compare(boolRank(isJSON(b)), boolRank(isJSON(a)))
	})
	return all
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

func isJSON(media string) bool {
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

func isYAML(media string) bool {
	return slices.Contains([]string{"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"}, media) || strings.HasSuffix(media, "+yaml")
}
