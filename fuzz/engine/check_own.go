//go:build fuzz

package engine

import (
	"bytes"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

func ownChecks() []Check {
	return []Check{
		{"no_secret_in_response", noSecret},
		{"list_never_null", listNeverNull},
		{"problem_in_catalogue", problemInCatalogue},
		{"well_formed_body", wellFormed},
		{"unknown_path_not_found", unknownPath},
		{"stream_frames", streamFrames},
		{"format_is_told", formatIsTold},
	}
}

var hashPattern = regexp.MustCompile(`\$2[aby]\$\d\d\$|\$argon2(i|d|id)\$|\$scrypt\$|\$pbkdf2`)

// noSecret wants that no answer holds a secret of the world or a password hash,
// and that no problem repeats a password that was sent.
func noSecret(in *Input) []string {
	var out []string
	seen := [][]byte{in.Exchange.Body}
	for _, name := range slices.Sorted(maps.Keys(in.Exchange.Header)) {
		seen = append(seen, []byte(strings.Join(in.Exchange.Header[name], "\n")))
	}
	for i, text := range seen {
		where := "a header"
		if i == 0 {
			where = "the body"
		}
		if hashPattern.Match(text) {
			out = append(out, where+" holds a password hash")
		}
		for _, secret := range in.Secrets {
			if len(secret) >= 8 && bytes.Contains(text, []byte(secret)) {
				out = append(out, where+" holds a secret of the service")
			}
		}
		for _, secret := range in.sentSecrets() {
			if bytes.Contains(text, []byte(secret)) {
				out = append(out, where+" repeats a writeOnly value of the request")
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// sentSecrets are the values of the request's writeOnly properties, where they
// are long enough not to occur by chance.
func (in *Input) sentSecrets() []string {
	if in.Verdict.Operation == nil || len(in.Exchange.SentBody) == 0 {
		return nil
	}
	value, err := parseJSON(in.Exchange.SentBody)
	object, ok := value.(map[string]any)
	if err != nil || !ok {
		return nil
	}
	var out []string
	for _, schema := range in.Verdict.Operation.Bodies {
		for name, ref := range merged(schema).Properties {
			if text, ok := object[name].(string); ok && ref.Value.WriteOnly && len(text) >= 12 && strings.Trim(text, text[:1]) != "" {
				out = append(out, text)
			}
		}
	}
	return out
}

// listNeverNull wants [] where the document says array.
func listNeverNull(in *Input) []string {
	r, ok := in.documented()
	if !ok {
		return nil
	}
	media, _, _ := mime.ParseMediaType(in.Exchange.Header.Get("Content-Type"))
	content, ok := mediaOf(r, media)
	if !ok || content.Schema == nil || !isJSON(media) {
		return nil
	}
	value, err := parseJSON(in.Exchange.Body)
	if err != nil {
		return nil
	}
	var out []string
	var walk func(s *openapi3.Schema, v any, at string)
	walk = func(s *openapi3.Schema, v any, at string) {
		s = merged(s)
		if v == nil {
			if kindOf(s) == openapi3.TypeArray && !s.Nullable {
				out = append(out, "null where a list must be: "+at)
			}
			return
		}
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				if s.Items != nil {
					walk(s.Items.Value, item, at+"/*")
				}
			}
		case map[string]any:
			for name, child := range v {
				if ref := s.Properties[name]; ref != nil {
					walk(ref.Value, child, at+"/"+name)
				}
			}
		}
	}
	walk(content.Schema.Value, value, "")
	slices.Sort(out)
	return slices.Compact(out)
}

// catalogueKey is the extension that lists all problems.
const catalogueKey = "x-problem-catalogue"

// sentence is a row of the catalogue.
type sentence struct {
	status  int
	detail  string
	pattern string
}

func (s *Spec) catalogue() []sentence {
	if s.Doc.Info == nil {
		return nil
	}
	rows, _ := s.Doc.Info.Extensions[catalogueKey].([]any)
	var out []sentence
	for _, row := range rows {
		fields, ok := row.(map[string]any)
		if !ok {
			continue
		}
		status, _ := strconv.Atoi(text(normal(fields["status"])))
		detail, _ := fields["detail"].(string)
		pattern, _ := fields["pattern"].(string)
		out = append(out, sentence{status, detail, pattern})
	}
	return out
}

// problemInCatalogue wants that every error is a problem whose detail and status
// stand in the catalogue of the document, where it has one.
func problemInCatalogue(in *Input) []string {
	rows := in.Spec.catalogue()
	x := in.Exchange
	if rows == nil || x.Status < 400 || x.Broken != "" || x.Method == http.MethodHead {
		return nil
	}
	media, _, _ := mime.ParseMediaType(x.Header.Get("Content-Type"))
	if media != "application/problem+json" {
		if r, ok := in.documented(); ok && r.Content[media] != nil {
			return nil
		}
		return []string{statusText(x.Status) + " is not a problem"}
	}
	value, err := parseJSON(x.Body)
	problem, ok := value.(map[string]any)
	if err != nil || !ok {
		return []string{"the problem is not a JSON object"}
	}
	var out []string
	if problem["status"] != int64(x.Status) {
		out = append(out, "the problem has another status than the response")
	}
	if id := x.Header.Get("X-Request-Id"); id != "" && problem["request_id"] != id {
		out = append(out, "the problem has another request id than the response")
	}
	detail, _ := problem["detail"].(string)
	if !slices.ContainsFunc(rows, func(s sentence) bool { return s.allows(x.Status, detail) }) {
		out = append(out, statusText(x.Status)+": the detail is not in the catalogue")
	}
	return out
}

func (s sentence) allows(status int, detail string) bool {
	if s.status != status {
		return false
	}
	if s.pattern == "" {
		return s.detail == detail
	}
	re, err := regexp.Compile("(?s)" + s.pattern)
	return err == nil && re.MatchString(detail)
}

// wellFormed wants UTF-8, one JSON value and no key twice.
func wellFormed(in *Input) []string {
	x := in.Exchange
	media, _, _ := mime.ParseMediaType(x.Header.Get("Content-Type"))
	switch {
	case x.Broken != "" || len(x.Body) == 0:
		return nil
	case !utf8.Valid(x.Body) && !x.Cut && (isJSON(media) || strings.HasPrefix(media, "text/")):
		return []string{"the body is not UTF-8"}
	case !isJSON(media):
		return nil
	}
	if _, err := parseJSON(x.Body); err != nil {
		return []string{"the body is not one JSON value"}
	}
	if _, ok := duplicateKey(x.Body); ok {
		return []string{"an object of the body has a key twice"}
	}
	return nil
}

// unknownPath wants 404 for a path that is not documented.
func unknownPath(in *Input) []string {
	if in.Verdict.KnownPath || in.Exchange.Broken != "" || in.Exchange.Status == http.StatusNotFound {
		return nil
	}
	if in.Exchange.Method == http.MethodOptions && success(in.Exchange.Status) {
		return nil
	}
	return []string{"a path that is not documented was answered " + statusText(in.Exchange.Status)}
}

// streamFrames wants that a stream keeps the syntax of Server-Sent Events.
func streamFrames(in *Input) []string {
	media, _, _ := mime.ParseMediaType(in.Exchange.Header.Get("Content-Type"))
	if media != "text/event-stream" || !success(in.Exchange.Status) || in.Exchange.Method == http.MethodHead {
		return nil
	}
	end := bytes.LastIndex(in.Exchange.Body, []byte("\n\n"))
	if end < 0 {
		return []string{"a stream without a whole frame"}
	}
	var out []string
	for frame := range strings.SplitSeq(string(in.Exchange.Body[:end]), "\n\n") {
		data := ""
		for line := range strings.SplitSeq(frame, "\n") {
			field, value, _ := strings.Cut(line, ":")
			switch field {
			case "", "retry", "event", "id":
			case "data":
				data += strings.TrimPrefix(value, " ")
			default:
				out = append(out, "a frame has an unknown field")
			}
		}
		if data != "" {
			if _, err := parseJSON([]byte(data)); err != nil {
				out = append(out, "the data of a frame is not JSON")
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
