//go:build fuzz

package engine

import (
	"errors"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

func statusText(status int) string { return strconv.Itoa(status) }

// documented finds the response that the answer must keep, and its content.
func (in *Input) documented() (*openapi3.Response, bool) {
	if in.undeclared() || in.Exchange.Broken != "" {
		return nil, false
	}
	return in.Verdict.Operation.Response(in.Exchange.Status)
}

// contentTypeConformance wants a documented media type where the response
// documents any; wildcards count, and only the first header is looked at.
func contentTypeConformance(in *Input) []string {
	r, ok := in.documented()
	if !ok || len(r.Content) == 0 || in.Exchange.Method == http.MethodHead {
		return nil
	}
	header := in.Exchange.Header.Get("Content-Type")
	if header == "" {
		return []string{"Content-Type is missing"}
	}
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return []string{"Content-Type is malformed"}
	}
	if _, ok := mediaOf(r, media); !ok {
		return []string{"Content-Type is not documented for " + statusText(in.Exchange.Status)}
	}
	return nil
}

// mediaOf finds the content of a media type: exact, then type/*, then */*.
func mediaOf(r *openapi3.Response, media string) (*openapi3.MediaType, bool) {
	kind, _, _ := strings.Cut(media, "/")
	for _, name := range []string{media, kind + "/*", "*/*"} {
		for documented, content := range r.Content {
			if base, _, err := mime.ParseMediaType(documented); err == nil && strings.EqualFold(base, name) {
				return content, true
			}
		}
	}
	return nil, false
}

// headersConformance wants required headers, and all headers of their schema.
func headersConformance(in *Input) []string {
	r, ok := in.documented()
	if !ok {
		return nil
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		h := r.Headers[name].Value
		values := in.Exchange.Header.Values(name)
		if len(values) == 0 {
			if h.Required {
				out = append(out, "header "+name+" is missing")
			}
			continue
		}
		if h.Schema == nil {
			continue
		}
		schema := h.Schema.Value
		if err := schema.VisitJSON(coerce(kindOf(merged(schema)), values[0]), append(in.Spec.options, openapi3.VisitAsResponse())...); err != nil {
			for _, fault := range schemaFaults(err) {
				out = append(out, "header "+name+fault)
			}
		}
	}
	return out
}

// coerce reads the text of a header as the type that its schema names.
func coerce(kind, text string) any {
	switch kind {
	case openapi3.TypeInteger, openapi3.TypeNumber:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	case openapi3.TypeBoolean:
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case openapi3.TypeArray:
		list := []any{}
		for part := range strings.SplitSeq(text, ",") {
			list = append(list, strings.TrimSpace(part))
		}
		return list
	}
	if text == "null" {
		return nil
	}
	return text
}

// schemaConformance wants a body of the documented schema, where it is JSON or
// YAML.
func schemaConformance(in *Input) []string {
	r, ok := in.documented()
	if !ok || len(r.Content) == 0 || in.Exchange.Method == http.MethodHead {
		return nil
	}
	media, _, err := mime.ParseMediaType(in.Exchange.Header.Get("Content-Type"))
	if err != nil {
		return nil
	}
	content, ok := mediaOf(r, media)
	if !ok || content.Schema == nil {
		return nil
	}
	var value any
	switch {
	case isJSON(media):
		if value, err = parseJSON(in.Exchange.Body); err != nil {
			return []string{"the body is not one JSON value"}
		}
	case isYAML(media) && !content.Schema.Value.IsEmpty(): // reading a long one for nothing costs too much
		if value, err = parseYAML(in.Exchange.Body); err != nil {
			return []string{"the body is not YAML"}
		}
	default:
		return nil
	}
	if err := content.Schema.Value.VisitJSON(plain(value), append(in.Spec.options, openapi3.VisitAsResponse())...); err != nil {
		return schemaFaults(err)
	}
	return nil
}

// schemaFaults lists places and keywords of an error, each once, and no value.
func schemaFaults(err error) []string {
	var out []string
	var walk func(err error, at string)
	walk = func(err error, at string) {
		var many openapi3.MultiError
		var one *openapi3.SchemaError
		switch {
		case errors.As(err, &many):
			for _, e := range many {
				walk(e, at)
			}
		case errors.As(err, &one):
			if one.Origin != nil {
				var inner *openapi3.SchemaError
				if errors.As(one.Origin, &many) || errors.As(one.Origin, &inner) {
					walk(one.Origin, at+classPointer(one))
					return
				}
			}
			keyword := one.SchemaField
			if keyword == "properties" || keyword == "required" {
				keyword = one.Reason // it names a key and never a value
			}
			out = append(out, " "+at+classPointer(one)+": "+keyword)
		default:
			out = append(out, " "+at+": does not match its schema")
		}
	}
	walk(err, "")
	slices.Sort(out)
	return slices.Compact(out)
}

// classPointer is a pointer whose indices are "*", so that the same fault in two
// rows is one.
func classPointer(e *openapi3.SchemaError) string {
	var b strings.Builder
	for _, part := range e.JSONPointer() {
		if _, err := strconv.Atoi(part); err == nil {
			part = "*"
		}
		b.WriteByte('/')
		b.WriteString(part)
	}
	return b.String()
}
