package contract

import (
	"bytes"
	"cmp"
	_ "embed" // for the template and the style sheet
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:embed page.html.tmpl
var pageTemplate string

//go:embed style.css
var pageStyle string

// StylePath is where [Page] expects [Style] to be served.
const StylePath = "/docs/style.css"

// Style returns the style sheet of [Page]; the bytes are the caller's.
func Style() []byte { return []byte(pageStyle) }

// Page renders the document as one HTML page for people. It holds no script and
// no inline style and loads nothing but [StylePath], so that it works under the
// policy "default-src 'none'; style-src 'self'".
func Page(c *Contract) ([]byte, error) {
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return nil, fmt.Errorf("parse the docs template: %w", err)
	}
	data, err := newPage(c)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("render the docs: %w", err)
	}
	return out.Bytes(), nil
}

// page is what the template shows.
type page struct {
	Title, Version, Style string
	Intro                 []block
	Tags                  []pageTag
	Schemas               []pageSchema
	Problems              []pageProblem
}

type pageTag struct {
	Name        string
	Description []block
	Operations  []pageOperation
}

type pageOperation struct {
	ID, Method, MethodClass, Path, Summary, Access, Curl string

	Description []block
	Params      []pageField
	Body        *pageContent
	Responses   []pageResponse
}

// pageField is a row of a table: a parameter, a header or a property.
type pageField struct {
	Name, In, Default, Absent string

	Type        typeText
	Required    bool
	Description []block
}

// typeText says what a value must be; Link names a schema of the page.
type typeText struct {
	Before, Link, After string
}

type pageContent struct {
	Media   string
	Type    typeText
	Fields  []pageField
	Example string
}

type pageResponse struct {
	Status, Class, Phrase string

	Description []block
	Headers     []pageField
	Contents    []pageContent
	Links       []string
}

type pageSchema struct {
	Name        string
	Type        typeText
	Description []block
	Fields      []pageField
}

type pageProblem struct {
	Status, Detail, When string
	IsPattern            bool
}

func newPage(c *Contract) (*page, error) {
	doc := c.doc
	p := &page{Title: doc.Info.Title, Version: doc.Info.Version, Style: StylePath, Intro: parseText(doc.Info.Description)}
	for _, tag := range doc.Tags {
		t := pageTag{Name: tag.Name, Description: parseText(tag.Description)}
		for _, op := range inReadingOrder(c.ops) {
			if op.Tags[0] != tag.Name {
				continue
			}
			o, err := newPageOperation(doc, op)
			if err != nil {
				return nil, fmt.Errorf("docs of %s: %w", op.ID, err)
			}
			t.Operations = append(t.Operations, o)
		}
		p.Tags = append(p.Tags, t)
	}
	var schemas openapi3.Schemas
	if doc.Components != nil {
		schemas = doc.Components.Schemas
	}
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		s := schemas[name].Value
		p.Schemas = append(p.Schemas, pageSchema{
			Name: name, Type: describe(&openapi3.SchemaRef{Value: s}), Description: parseText(s.Description), Fields: fieldsOf(s),
		})
	}
	problems, err := problemsOf(doc)
	p.Problems = problems
	return p, err
}

// inReadingOrder puts what needs no token first: the login before the rest.
func inReadingOrder(ops []*Operation) []*Operation {
	ops = slices.Clone(ops)
	slices.SortStableFunc(ops, func(a, b *Operation) int {
		switch {
		case a.Role == b.Role:
			return 0
		case a.Role == "none":
			return -1
		case b.Role == "none":
			return 1
		default:
			return 0
		}
	})
	return ops
}

// problemsOf reads the extension x-problem-catalogue.
func problemsOf(doc *openapi3.T) ([]pageProblem, error) {
	raw, err := json.Marshal(doc.Info.Extensions["x-problem-catalogue"])
	if err != nil {
		return nil, fmt.Errorf("x-problem-catalogue: %w", err)
	}
	var rows []struct {
		Status                int
		Detail, Pattern, When string
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, fmt.Errorf("x-problem-catalogue: %w", err)
	}
	var problems []pageProblem
	for _, r := range rows {
		problems = append(problems, pageProblem{
			Status: strconv.Itoa(r.Status), Detail: cmp.Or(r.Detail, r.Pattern), When: r.When, IsPattern: r.Detail == "",
		})
	}
	return problems, nil
}

func newPageOperation(doc *openapi3.T, op *Operation) (pageOperation, error) {
	o := pageOperation{
		ID: op.ID, Method: op.Method, MethodClass: strings.ToLower(op.Method), Path: op.Path, Summary: op.spec.Summary,
		Access: accessText(op.Role), Description: parseText(op.spec.Description),
	}
	params := allParams(doc, op)
	for _, p := range params {
		f := newPageField(p.Name, p.Schema, p.Required)
		f.In, f.Description = p.In, parseText(p.Description)
		absent, err := AbsentValues(p)
		if err != nil {
			return o, err
		}
		f.Absent = absentText(absent)
		o.Params = append(o.Params, f)
	}
	if op.HasBody {
		for _, content := range contentsOf(op.spec.RequestBody.Value.Content) {
			o.Body = &content
		}
	}
	for _, status := range op.Statuses {
		o.Responses = append(o.Responses, newPageResponse(status, op.spec.Responses.Status(status).Value))
	}
	curl, err := curlLine(op, params)
	o.Curl = curl
	return o, err
}

func allParams(doc *openapi3.T, op *Operation) []*openapi3.Parameter {
	var params []*openapi3.Parameter
	for _, ref := range slices.Concat(doc.Paths.Value(op.Path).Parameters, op.spec.Parameters) {
		params = append(params, ref.Value)
	}
	return params
}

func accessText(role string) string {
	switch role {
	case "none":
		return "no token needed"
	case "any":
		return "any token"
	default:
		return role
	}
}

func absentText(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = v
		if v == "" {
			quoted[i] = "the empty text"
		}
	}
	return strings.Join(quoted, ", ")
}

func newPageResponse(status int, r *openapi3.Response) pageResponse {
	p := pageResponse{
		Status: strconv.Itoa(status), Class: "s" + strconv.Itoa(status/100), Phrase: http.StatusText(status),
		Contents: contentsOf(r.Content),
	}
	if r.Description != nil {
		p.Description = parseText(*r.Description)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		h := r.Headers[name].Value
		f := newPageField(name, h.Schema, h.Required)
		f.Description = parseText(h.Description)
		p.Headers = append(p.Headers, f)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Links)) {
		p.Links = append(p.Links, r.Links[name].Value.OperationID)
	}
	return p
}

func contentsOf(content openapi3.Content) []pageContent {
	var contents []pageContent
	for _, media := range slices.Sorted(maps.Keys(content)) {
		m := content[media]
		c := pageContent{Media: media, Type: describe(m.Schema), Example: exampleText(m.Example)}
		c.Fields = fieldsOf(m.Schema.Value)
		contents = append(contents, c)
	}
	return contents
}

// exampleText shows text as it is and all else as indented JSON.
func exampleText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return strings.TrimSpace(v)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if enc.Encode(v) != nil { // the loader gives JSON values only
		return ""
	}
	return strings.TrimSpace(out.String())
}

func fieldsOf(s *openapi3.Schema) []pageField {
	var fields []pageField
	names := append(slices.Clone(s.Required), slices.Sorted(maps.Keys(s.Properties))...)
	seen := map[string]bool{}
	for _, name := range names {
		ref := s.Properties[name]
		if ref == nil || seen[name] {
			continue
		}
		seen[name] = true
		f := newPageField(name, ref, slices.Contains(s.Required, name))
		if ref.Ref == "" {
			f.Description = parseText(ref.Value.Description)
		}
		fields = append(fields, f)
	}
	return fields
}

func newPageField(name string, ref *openapi3.SchemaRef, required bool) pageField {
	f := pageField{Name: name, Required: required, Type: describe(ref)}
	if d := ref.Value.Default; d != nil {
		f.Default = fmt.Sprint(d)
	}
	return f
}
