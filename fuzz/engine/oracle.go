//go:build fuzz

package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Kind says whether a request keeps the document.
type Kind int

const (
	// Unspecified requests are not for the document to judge: an unknown path or
	// method, a body where none is documented.
	Unspecified Kind = iota
	// Positive requests keep the document.
	Positive
	// Negative requests break it.
	Negative
)

// String is a word for the ledger.
func (k Kind) String() string { return [...]string{"unspecified", "positive", "negative"}[k] }

// Verdict is what the oracle says of a request.
type Verdict struct {
	Kind Kind
	// Operation is the operation that the request reaches; nil where the document
	// knows none of this path and method.
	Operation *Operation
	// KnownPath says that the document has the path.
	KnownPath bool
	// Broken are the places and keywords that are broken.
	Broken []Mutation
}

// breaks reports whether one of the broken keywords is this one.
func (v Verdict) breaks(keyword string) bool {
	return slices.ContainsFunc(v.Broken, func(m Mutation) bool { return m.Keyword == keyword })
}

// Judge decides on the request as it is sent. kin-openapi has the word on
// schemas; what it lets pass although no reading of the document allows it is
// refused by rules of our own: repeated scalars, bytes that aren't UTF-8, loose
// numbers and booleans, more than one JSON value, keys given twice.
func (s *Spec) Judge(ctx context.Context, req *http.Request, body []byte) Verdict {
	ops, values := s.Match(req.URL.EscapedPath())
	v := Verdict{KnownPath: ops != nil}
	for _, op := range ops {
		if op.Method == req.Method {
			v.Operation = op
		}
	}
	if v.Operation == nil {
		return v
	}
	j := &judgement{spec: s, op: v.Operation, req: req, body: body, path: values}
	j.run(ctx)
	v.Broken, v.Kind = j.broken, Positive
	switch {
	case len(j.broken) > 0:
		v.Kind = Negative
	case j.unspecified:
		v.Kind = Unspecified
	}
	return v
}

type judgement struct {
	spec        *Spec
	op          *Operation
	req         *http.Request
	body        []byte
	path        map[string]string
	query       url.Values
	broken      []Mutation
	unspecified bool
}

func (j *judgement) fail(in, name, pointer, keyword string) {
	m := Mutation{In: in, Name: name, Pointer: pointer, Keyword: keyword}
	if !slices.Contains(j.broken, m) {
		j.broken = append(j.broken, m)
	}
}

func (j *judgement) run(ctx context.Context) {
	var err error
	if j.query, err = url.ParseQuery(j.req.URL.RawQuery); err != nil {
		j.fail("query", "", "", "encoding")
		return
	}
	for _, p := range j.op.Params {
		j.strict(p)
	}
	j.strictBody()
	if len(j.broken) == 0 {
		j.askKin(ctx)
	}
}

// strict holds the text of a parameter against what kin-openapi forgives.
func (j *judgement) strict(p *Param) {
	var given []string
	switch p.In {
	case openapi3.ParameterInQuery:
		given = j.query[p.Name]
		if len(given) == 1 && slices.Contains(p.Absent, given[0]) {
			given = nil
			delete(j.query, p.Name)
		}
	case openapi3.ParameterInPath:
		given = []string{j.path[p.Name]}
	case openapi3.ParameterInHeader:
		given = j.req.Header.Values(p.Name)
	default:
		return
	}
	schema := merged(p.Values)
	kind := kindOf(schema)
	if p.JSON || kind == openapi3.TypeArray || kind == openapi3.TypeObject || kind == "" {
		j.strictDeepObject(p, schema)
		return
	}
	if len(given) > 1 {
		j.fail(p.In, p.Name, "", "duplicate")
		return
	}
	for _, text := range given {
		style, _ := p.style()
		if !utf8.ValidString(text) && p.In != openapi3.ParameterInHeader {
			j.fail(p.In, p.Name, "", "encoding")
		}
		if p.In == openapi3.ParameterInPath && style != openapi3.SerializationSimple {
			continue
		}
		if !strictScalar(kind, text) {
			j.fail(p.In, p.Name, "", "type")
		}
	}
}

// strictScalar wants numbers as JSON writes them, and true or false.
func strictScalar(kind, text string) bool {
	switch kind {
	case openapi3.TypeBoolean:
		return text == "true" || text == "false"
	case openapi3.TypeInteger:
		_, err := strconv.ParseInt(text, 10, 64)
		return json.Valid([]byte(text)) && (err == nil || errors.Is(err, strconv.ErrRange))
	case openapi3.TypeNumber:
		return json.Valid([]byte(text)) && text != "" && strings.ContainsAny(text[:1], "-0123456789")
	}
	return true
}

// strictDeepObject refuses keys that a closed object does not have.
func (j *judgement) strictDeepObject(p *Param, schema *openapi3.Schema) {
	if style, _ := p.style(); style != openapi3.SerializationDeepObject || !closed(schema) {
		return
	}
	for name := range j.query {
		if inner, ok := strings.CutPrefix(name, p.Name+"["); ok {
			if key := strings.TrimSuffix(inner, "]"); schema.Properties[key] == nil {
				j.fail(p.In, p.Name, "/"+escapePointer(key), "additionalProperties")
			}
		}
	}
}

func (j *judgement) strictBody() {
	if len(j.op.Bodies) == 0 {
		j.unspecified = j.unspecified || len(j.body) > 0
		return
	}
	contentType := j.req.Header.Get("Content-Type")
	if len(j.body) == 0 && contentType == "" {
		if j.op.BodyRequired {
			j.fail("body", "", "", "required")
		}
		return
	}
	media, params, err := mime.ParseMediaType(contentType)
	charset, hasCharset := params["charset"]
	if err != nil || j.op.Bodies[media] == nil || hasCharset && !strings.EqualFold(charset, "utf-8") {
		j.fail("body", "", "", "contentType")
		return
	}
	if j.op.RawBody {
		j.unspecified = true
		return
	}
	if !isJSON(media) {
		return
	}
	switch {
	case !utf8.Valid(j.body):
		j.fail("body", "", "", "encoding")
	case !json.Valid(j.body):
		j.fail("body", "", "", "json")
	case hasLoneSurrogate(j.body):
		j.fail("body", "", "", "encoding")
	default:
		if pointer, ok := duplicateKey(j.body); ok {
			j.fail("body", "", pointer, "duplicate")
		}
	}
}

// askKin validates a copy of the request, whose absent parameters are gone.
func (j *judgement) askKin(ctx context.Context) {
	req := j.req.Clone(ctx)
	req.URL.RawQuery = j.query.Encode()
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(j.body)), int64(len(j.body))
	if len(j.body) == 0 {
		req.Body = http.NoBody
	}
	input := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: j.kinPath(), QueryParams: j.query,
		Route: &routers.Route{Spec: j.spec.Doc, Path: j.op.Path, PathItem: j.op.item, Method: j.op.Method, Operation: j.op.Raw},
		Options: &openapi3filter.Options{
			MultiError: true, SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
			SchemaValidationOptions: j.spec.options, ExcludeRequestBody: j.op.RawBody,
		},
	}
	if err := openapi3filter.ValidateRequest(ctx, input); err != nil {
		j.addKin(err, "", "")
	}
}

// kinPath gives kin-openapi the path values still in their style.
func (j *judgement) kinPath() map[string]string {
	out := make(map[string]string, len(j.path))
	for name, value := range j.path {
		out[name] = value
	}
	return out
}

// addKin reads places and keywords out of an error.
func (j *judgement) addKin(err error, in, name string) {
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand, to keep all its branches
	case openapi3.MultiError:
		for _, one := range e {
			j.addKin(one, in, name)
		}
	case *openapi3filter.RequestError:
		switch {
		case e.Parameter != nil:
			in, name = e.Parameter.In, e.Parameter.Name
		case e.RequestBody != nil:
			in, name = "body", ""
		}
		if e.Err == nil || errors.Is(e.Err, openapi3filter.ErrInvalidRequired) {
			j.fail(in, name, "", "required")
			return
		}
		j.addKin(e.Err, in, name)
	case *openapi3.SchemaError:
		j.fail(in, name, pointerOf(e), e.SchemaField)
	case *openapi3filter.ParseError:
		j.fail(in, name, "", "type")
	default:
		j.fail(in, name, "", "other")
	}
}

func pointerOf(e *openapi3.SchemaError) string {
	var b strings.Builder
	for _, part := range e.JSONPointer() {
		b.WriteByte('/')
		b.WriteString(part)
	}
	return b.String()
}

// hasLoneSurrogate looks for an escaped half of a surrogate pair, which decoders
// replace silently.
func hasLoneSurrogate(raw []byte) bool {
	unit := func(i int) (uint64, bool) {
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(raw[i+2:i+6]), 16, 32)
		return n, err == nil
	}
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		n, ok := unit(i)
		switch {
		case !ok:
			i++
		case n >= 0xD800 && n < 0xDC00:
			low, ok := unit(i + 6)
			if !ok || low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 11
		case n >= 0xDC00 && n <= 0xDFFF:
			return true
		default:
			i += 5
		}
	}
	return false
}

// duplicateKey finds an object that has a key twice.
func duplicateKey(raw []byte) (pointer string, found bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var walk func(at string) (string, bool)
	walk = func(at string) (string, bool) {
		token, err := dec.Token()
		if err != nil {
			return "", false
		}
		delim, ok := token.(json.Delim)
		if !ok {
			return "", false
		}
		seen := map[string]bool{}
		for i := 0; dec.More(); i++ {
			place := at + "/" + strconv.Itoa(i)
			if delim == '{' {
				key, _ := dec.Token()
				name, _ := key.(string)
				place = at + "/" + escapePointer(name)
				if seen[name] {
					return place, true
				}
				seen[name] = true
			}
			if p, ok := walk(place); ok {
				return p, true
			}
		}
		_, _ = dec.Token()
		return "", false
	}
	return walk("")
}
