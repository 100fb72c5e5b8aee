package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// block is a paragraph or an item of a list; the template escapes its spans.
type block struct {
	IsItem bool
	Spans  []span
}

type span struct {
	Text           string
	IsCode, IsBold bool
}

// parseText reads the little of CommonMark that the document uses: paragraphs,
// items, `code` and **bold**.
func parseText(s string) []block {
	var blocks []block
	open := false
	for line := range strings.SplitSeq(strings.TrimSpace(s), "\n") {
		line = strings.TrimSpace(line)
		item, isItem := strings.CutPrefix(line, "- ")
		switch {
		case line == "":
			open = false
		case isItem:
			blocks = append(blocks, block{IsItem: true, Spans: parseSpans(item)})
			open = true
		case open:
			last := &blocks[len(blocks)-1]
			last.Spans = append(last.Spans, parseSpans(" "+line)...)
		default:
			blocks = append(blocks, block{Spans: parseSpans(line)})
			open = true
		}
	}
	return blocks
}

func parseSpans(s string) []span {
	var spans []span
	for i, code := range strings.Split(s, "`") {
		if i%2 == 1 {
			spans = append(spans, span{Text: code, IsCode: true})
			continue
		}
		for j, text := range strings.Split(code, "**") {
			if text != "" {
				spans = append(spans, span{Text: text, IsBold: j%2 == 1})
			}
		}
	}
	return spans
}

// describe says what a value must be, in words.
func describe(ref *openapi3.SchemaRef) typeText {
	if ref == nil || ref.Value == nil {
		return typeText{Before: "anything"}
	}
	s := ref.Value
	if ref.Ref != "" {
		return typeText{Link: path.Base(ref.Ref), After: orNull(s)}
	}
	switch {
	case s.Type.Is(openapi3.TypeArray):
		inner := describe(s.Items)
		return typeText{Before: "array of " + inner.Before, Link: inner.Link, After: inner.After + itemBounds(s)}
	case len(s.AllOf) > 0:
		return typeText{Link: path.Base(s.AllOf[0].Ref), After: detailText(s)}
	case s.Type.Is(openapi3.TypeObject) && s.AdditionalProperties.Schema != nil:
		inner := describe(s.AdditionalProperties.Schema)
		return typeText{Before: "object of " + inner.Before, Link: inner.Link, After: inner.After}
	}
	return typeText{Before: strings.Join(s.Type.Slice(), " or ") + formatText(s) + bounds(s) + orNull(s)}
}

// detailText shows the sentences that a problem may have here.
func detailText(s *openapi3.Schema) string {
	for _, part := range s.AllOf {
		if d := part.Value.Properties["detail"]; d != nil && len(d.Value.Enum) > 0 {
			return ", detail " + oneOf(d.Value.Enum)
		}
	}
	return ""
}

func orNull(s *openapi3.Schema) string {
	if s.Nullable {
		return " or null"
	}
	return ""
}

func formatText(s *openapi3.Schema) string {
	if f, ok := findFormat(s.Format); ok {
		return ", " + f.Wants
	}
	return ""
}

func bounds(s *openapi3.Schema) string {
	var b strings.Builder
	switch {
	case s.Min != nil && s.Max != nil:
		fmt.Fprintf(&b, ", %s to %s", bound(*s.Min), bound(*s.Max))
	case s.Min != nil:
		fmt.Fprintf(&b, ", at least %s", bound(*s.Min))
	case s.Max != nil:
		fmt.Fprintf(&b, ", at most %s", bound(*s.Max))
	}
	switch {
	case s.MinLength > 0 && s.MaxLength != nil:
		fmt.Fprintf(&b, ", %d to %d characters", s.MinLength, *s.MaxLength)
	case s.MinLength > 0:
		fmt.Fprintf(&b, ", at least %s", characters(int(s.MinLength)))
	case s.MaxLength != nil:
		fmt.Fprintf(&b, ", at most %d characters", *s.MaxLength)
	}
	if s.Pattern != "" {
		b.WriteString(", like " + s.Pattern)
	}
	if len(s.Enum) > 0 {
		b.WriteString(": " + oneOf(s.Enum))
	}
	return b.String()
}

func itemBounds(s *openapi3.Schema) string {
	if s.MaxItems != nil {
		return ", at most " + strconv.FormatUint(*s.MaxItems, 10) + " items"
	}
	return ""
}

func oneOf(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, " | ")
}

// maxCurlParams bounds how many query parameters the example call shows.
const maxCurlParams = 2

// curlLine is a call that can be pasted into a POSIX shell.
func curlLine(op *Operation, params []*openapi3.Parameter) (string, error) {
	where := op.Path
	for _, p := range params {
		if p.In == openapi3.ParameterInPath {
			where = strings.ReplaceAll(where, "{"+p.Name+"}", fmt.Sprint(p.Example))
		}
	}
	query := curlQuery(params)
	command := "curl"
	switch {
	case len(query) > 0:
		command += " -G"
	case op.Method != http.MethodGet:
		command += " -X " + op.Method
	}
	words := []string{command + ` "$DECNET` + where + `"`}
	if op.Role != "none" {
		words = append(words, `-H "Authorization: Bearer $TOKEN"`)
	}
	words = append(words, query...)
	if op.HasBody {
		body, err := json.Marshal(op.spec.RequestBody.Value.Content["application/json"].Example)
		if err != nil {
			return "", fmt.Errorf("example: %w", err)
		}
		words = append(words, "-H 'Content-Type: application/json'", "-d "+quoteShell(string(body)))
	}
	return strings.Join(words, " \\\n  "), nil
}

// curlQuery shows the parameters that choose rows before those that page.
func curlQuery(params []*openapi3.Parameter) []string {
	var choose, pages []string
	for _, p := range params {
		if p.In != openapi3.ParameterInQuery || p.Example == nil {
			continue
		}
		word := "--data-urlencode " + quoteShell(fmt.Sprintf("%s=%v", p.Name, p.Example))
		if p.Name == "limit" || p.Name == "offset" {
			pages = append(pages, word)
		} else {
			choose = append(choose, word)
		}
	}
	all := slices.Concat(choose, pages)
	return all[:min(len(all), maxCurlParams)]
}

func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
