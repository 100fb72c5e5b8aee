//go:build fuzz

package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// rawQuery is the place of an [Arg] whose value is put into the query as it is.
const rawQuery = "raw query"

// baseURL stands for the service where it is called without a network.
const baseURL = "http://service.test"

// Build makes the request of a case, without a credential. lookup finds
// references.
func (s *Spec) Build(ctx context.Context, c *Case, base string, lookup func(Ref) (any, bool)) (*http.Request, []byte, error) {
	op := s.Operation(c.Operation)
	if op == nil {
		return nil, nil, fmt.Errorf("the document has no operation %q", c.Operation)
	}
	method := c.Method
	if method == "" {
		method = op.Method
	}
	args := make([]Arg, len(c.Args))
	for i, a := range c.Args {
		value, err := resolve(a.Value, lookup)
		if err != nil {
			return nil, nil, err
		}
		args[i] = Arg{a.In, a.Name, value}
	}
	path := c.Path
	if path == "" {
		path = op.fillPath(args)
	}
	raw, err := bodyBytes(c.Body, lookup)
	if err != nil {
		return nil, nil, err
	}
	var reader io.Reader
	if c.Body != nil {
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, reader)
	if err != nil {
		return nil, nil, fmt.Errorf("build a request: %w", err)
	}
	req.URL.RawQuery = op.query(args)
	op.addHeaders(req, args)
	if c.Body != nil && c.Body.Media != "" {
		req.Header.Set("Content-Type", c.Body.Media)
	}
	return req, raw, nil
}

func bodyBytes(b *Body, lookup func(Ref) (any, bool)) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	if b.Raw != nil {
		return []byte(*b.Raw), nil
	}
	value, err := resolve(b.Value, lookup)
	if err != nil {
		return nil, err
	}
	media, _, _ := strings.Cut(b.Media, ";")
	switch strings.TrimSpace(media) {
	case "application/x-www-form-urlencoded":
		form := url.Values{}
		if fields, ok := value.(map[string]any); ok {
			for _, name := range keys(fields) {
				for _, text := range texts(fields[name]) {
					form.Add(name, text)
				}
			}
		}
		return []byte(form.Encode()), nil
	case "text/plain", "application/octet-stream":
		return []byte(text(value)), nil
	}
	return marshal(value)
}

// text is a scalar as parameters are written.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		raw, err := json.Marshal(encodeValue(v))
		if err != nil {
			return ""
		}
		return string(raw)
	}
}

// texts are the parts of a value: of an array its items, of an object its keys
// and values in turn, else the value itself.
func texts(v any) []string {
	switch v := v.(type) {
	case []any:
		out := make([]string, len(v))
		for i := range v {
			out[i] = text(v[i])
		}
		return out
	case map[string]any:
		var out []string
		for _, k := range keys(v) {
			out = append(out, k, text(v[k]))
		}
		return out
	default:
		return []string{text(v)}
	}
}

// pairs are the members of an object as key=value.
func pairs(v map[string]any, escape func(string) string) []string {
	out := make([]string, 0, len(v))
	for _, k := range keys(v) {
		out = append(out, escape(k)+"="+escape(text(v[k])))
	}
	return out
}

// style returns how a parameter is written, with the defaults of OpenAPI.
func (p *Param) style() (style string, explode bool) {
	style = p.Style
	if style == "" {
		style = openapi3.SerializationSimple
		if p.In == openapi3.ParameterInQuery || p.In == openapi3.ParameterInCookie {
			style = openapi3.SerializationForm
		}
	}
	explode = style == openapi3.SerializationForm
	if p.Explode != nil {
		explode = *p.Explode
	}
	return style, explode
}

// fillPath writes the path; a parameter without a value is left empty.
func (op *Operation) fillPath(args []Arg) string {
	path := op.Path
	for _, p := range op.Params {
		if p.In != openapi3.ParameterInPath {
			continue
		}
		filled := ""
		for _, a := range args {
			if a.In == p.In && a.Name == p.Name {
				filled = p.pathText(a.Value)
			}
		}
		path = strings.ReplaceAll(path, "{"+p.Name+"}", filled)
	}
	return path
}

func (p *Param) pathText(v any) string {
	if p.JSON {
		raw, err := marshal(v)
		if err != nil {
			return ""
		}
		return url.PathEscape(string(raw))
	}
	style, explode := p.style()
	object, isObject := v.(map[string]any)
	var parts []string
	if isObject && explode {
		parts = pairs(object, url.PathEscape)
	} else {
		for _, t := range texts(v) {
			parts = append(parts, url.PathEscape(t))
		}
	}
	switch style {
	case openapi3.SerializationLabel:
		if explode {
			return "." + strings.Join(parts, ".")
		}
		return "." + strings.Join(parts, ",")
	case openapi3.SerializationMatrix:
		if !explode {
			return ";" + p.Name + "=" + strings.Join(parts, ",")
		}
		if isObject {
			return ";" + strings.Join(parts, ";")
		}
		return ";" + p.Name + "=" + strings.Join(parts, ";"+p.Name+"=")
	default:
		return strings.Join(parts, ",")
	}
}

// query writes the query in the order of the args.
func (op *Operation) query(args []Arg) string {
	var parts []string
	for _, a := range args {
		if a.In == rawQuery {
			parts = append(parts, text(a.Value))
		}
		if a.In != openapi3.ParameterInQuery {
			continue
		}
		if p := op.Param(a.In, a.Name); p != nil {
			parts = append(parts, p.queryParts(a.Value)...)
		} else {
			parts = append(parts, url.QueryEscape(a.Name)+"="+url.QueryEscape(text(a.Value)))
		}
	}
	return strings.Join(parts, "&")
}

func (p *Param) queryParts(v any) []string {
	name := url.QueryEscape(p.Name)
	if p.JSON {
		raw, err := marshal(v)
		if err != nil {
			return nil
		}
		return []string{name + "=" + url.QueryEscape(string(raw))}
	}
	style, explode := p.style()
	if object, ok := v.(map[string]any); ok {
		switch {
		case style == openapi3.SerializationDeepObject:
			var out []string
			for _, k := range keys(object) {
				out = append(out, url.QueryEscape(p.Name+"["+k+"]")+"="+url.QueryEscape(text(object[k])))
			}
			return out
		case explode:
			return pairs(object, url.QueryEscape)
		}
	}
	var parts []string
	for _, t := range texts(v) {
		parts = append(parts, url.QueryEscape(t))
	}
	if _, isArray := v.([]any); isArray && explode {
		for i := range parts {
			parts[i] = name + "=" + parts[i]
		}
		return parts
	}
	separator := ","
	switch style {
	case openapi3.SerializationSpaceDelimited:
		separator = "%20"
	case openapi3.SerializationPipeDelimited:
		separator = "%7C"
	}
	return []string{name + "=" + strings.Join(parts, separator)}
}

// addHeaders writes headers and cookies.
func (op *Operation) addHeaders(req *http.Request, args []Arg) {
	var cookies []string
	for _, a := range args {
		p := op.Param(a.In, a.Name)
		value := text(a.Value)
		if p != nil {
			value = p.headerText(a.Value)
		}
		switch a.In {
		case openapi3.ParameterInHeader:
			req.Header.Add(a.Name, value)
		case openapi3.ParameterInCookie:
			cookies = append(cookies, a.Name+"="+url.QueryEscape(value))
		}
	}
	if len(cookies) > 0 {
		req.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
}

func (p *Param) headerText(v any) string {
	if p.JSON {
		raw, err := marshal(v)
		if err != nil {
			return ""
		}
		return string(raw)
	}
	_, explode := p.style()
	if object, ok := v.(map[string]any); ok && explode {
		return strings.Join(pairs(object, func(s string) string { return s }), ",")
	}
	return strings.Join(slices.Clip(texts(v)), ",")
}
