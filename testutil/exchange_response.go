package testutil

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"decnet/contract"
)

// formatRule is a format that kin-openapi is taught.
type formatRule struct {
	contract.Format
}

var errFormat = errors.New("not of the format")

// Validate implements [openapi3.StringFormatValidator].
func (f formatRule) Validate(s string) error {
	if !f.Valid(s) || f.Name == "date-time" && !strings.HasSuffix(s, "Z") { // the wire is UTC
		return errFormat
	}
	return nil
}

func schemaOptions() []openapi3.SchemaValidationOption {
	formats := map[string]openapi3.StringFormatValidator{}
	for _, f := range contract.Formats() {
		formats[f.Name] = formatRule{f}
	}
	options := []openapi3.SchemaValidationOption{openapi3.MultiErrors(), openapi3.WithStringFormatValidators(formats)}
	return slices.Clip(options) // so that an append never shares
}

func unescapeSegment(s string) (string, error) {
	value, err := url.PathUnescape(s)
	if err != nil {
		return "", fmt.Errorf("path segment: %w", err)
	}
	return value, nil
}

func (x *exchange) checkResponse() {
	doc := x.op.responses[x.resp.StatusCode]
	if doc == nil {
		x.fail("the status is not documented")
		return
	}
	for _, h := range doc.headers {
		x.checkHeader(h)
	}
	if x.req.Method == http.MethodHead || len(doc.content) == 0 {
		if len(x.respBody) > 0 {
			x.fail("there may be no body")
		}
		return
	}
	media, _, err := mime.ParseMediaType(x.resp.Header.Get("Content-Type"))
	schema, ok := doc.content[media]
	if err != nil || !ok {
		x.fail("the content type is not documented")
		return
	}
	switch {
	case isJSON(media):
		x.checkJSON(media, schema)
	case media == "text/event-stream":
		x.checkFrames()
	case !utf8.Valid(x.respBody):
		x.fail("the body is not UTF-8")
	}
}

func isJSON(media string) bool {
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

func (x *exchange) checkHeader(h specHeader) {
	values := x.resp.Header[h.name]
	if len(values) == 0 {
		if h.required {
			x.fail("header %s is missing", h.name)
		}
		return
	}
	var value any = values[0]
	if h.schema.Type.Is(openapi3.TypeInteger) {
		n, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil {
			x.fail("header %s is not an integer", h.name)
			return
		}
		value = float64(n)
	}
	if len(values) > 1 {
		x.fail("header %s is sent twice", h.name)
	}
	x.reportSchema("header "+h.name, h.schema.VisitJSON(value, x.spec.options...))
}

// checkJSON checks the body against its schema, and a problem against the rest
// of the response.
func (x *exchange) checkJSON(media string, schema *openapi3.Schema) {
	var value any
	if !utf8.Valid(x.respBody) {
		x.fail("the body is not UTF-8")
	}
	if json.Unmarshal(x.respBody, &value) != nil {
		x.fail("the body is not one JSON value")
		return
	}
	if countMembers(value) != countColons(x.respBody) {
		x.fail("an object of the body has a key twice")
	}
	x.reportSchema("body", schema.VisitJSON(value, append(x.spec.options, openapi3.VisitAsResponse())...))
	if media != "application/problem+json" {
		return
	}
	problem, ok := value.(map[string]any)
	if !ok {
		return // the schema has said so
	}
	status := x.resp.StatusCode
	if problem["status"] != float64(status) || problem["title"] != http.StatusText(status) {
		x.fail("the problem has another status or title than the response")
	}
	if id := x.resp.Header.Get("X-Request-Id"); id != "" && problem["request_id"] != id {
		x.fail("the problem has another request id than the response")
	}
}

// checkProblem checks a problem that no operation documents.
func (x *exchange) checkProblem(detail string) {
	if x.resp.Header.Get("X-Request-Id") == "" {
		x.fail("header X-Request-Id is missing")
	}
	if x.req.Method == http.MethodHead {
		return
	}
	if media, _, err := mime.ParseMediaType(x.resp.Header.Get("Content-Type")); err != nil || media != "application/problem+json" {
		x.fail("the answer is not a problem")
		return
	}
	x.checkJSON("application/problem+json", x.spec.problem)
	var problem struct{ Detail string }
	if json.Unmarshal(x.respBody, &problem) == nil && problem.Detail != detail {
		x.fail("the detail is not %q", detail)
	}
}

// reportSchema adds the places and keywords of a schema error, and no value.
func (x *exchange) reportSchema(where string, err error) {
	var many openapi3.MultiError
	var one *openapi3.SchemaError
	switch {
	case err == nil:
	case errors.As(err, &many):
		for _, e := range many {
			x.reportSchema(where, e)
		}
	case errors.As(err, &one):
		var inner *openapi3.SchemaError
		if one.Origin != nil && (errors.As(one.Origin, &many) || errors.As(one.Origin, &inner)) {
			x.reportSchema(where+pointer(one), one.Origin)
			return
		}
		keyword := one.SchemaField
		if keyword == "properties" || keyword == "required" {
			keyword = one.Reason // it names a key and never a value
		}
		x.fail("%s%s: %s", where, pointer(one), keyword)
	default:
		x.fail("%s: does not match its schema", where)
	}
}

func pointer(e *openapi3.SchemaError) string {
	if parts := e.JSONPointer(); len(parts) > 0 {
		return "/" + strings.Join(parts, "/")
	}
	return ""
}

// countMembers and countColons differ exactly when an object has a key twice,
// which a decoder hides; that is far cheaper than a decoder that tells.
func countMembers(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		n = len(v)
		for _, child := range v {
			n += countMembers(child)
		}
	case []any:
		for _, child := range v {
			n += countMembers(child)
		}
	}
	return n
}

func countColons(raw []byte) int {
	n := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case ':':
			n++
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		}
	}
	return n
}

// checkFrames checks the syntax of Server-Sent Events. What follows the last
// empty line is a frame that was not read whole, so it is left alone.
func (x *exchange) checkFrames() {
	if !utf8.Valid(x.respBody) {
		x.fail("the stream is not UTF-8")
	}
	end := bytes.LastIndex(x.respBody, []byte("\n\n"))
	if end < 0 {
		return
	}
	for frame := range strings.SplitSeq(string(x.respBody[:end]), "\n\n") {
		if !x.checkFrame(frame) {
			return
		}
	}
}

func (x *exchange) checkFrame(frame string) bool {
	var data []string
	for line := range strings.SplitSeq(frame, "\n") {
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "", "retry": // a comment, or an end of line too much
		case "event":
			if value != "message" && value != "error" {
				x.fail("a frame has an event that is not documented")
				return false
			}
		case "id":
			if _, err := strconv.ParseUint(value, 10, 63); err != nil {
				x.fail("a frame has an id that is not a number")
				return false
			}
		case "data":
			data = append(data, value)
		default:
			x.fail("a frame has a field that is none of Server-Sent Events")
			return false
		}
	}
	if len(data) > 0 && !json.Valid([]byte(strings.Join(data, "\n"))) {
		x.fail("the data of a frame is not JSON")
		return false
	}
	return true
}
