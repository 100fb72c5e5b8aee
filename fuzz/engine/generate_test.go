//go:build fuzz

package engine

import (
	"encoding/json"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rich has every construct of OpenAPI 3.0 that a request can have.
const rich = `
openapi: 3.0.3
info: {title: rich, version: "1"}
paths:
  /a/{simple}/{label}/{matrix}:
    get:
      operationId: places
      parameters:
        - {name: simple, in: path, required: true, schema: {type: integer, minimum: 1, maximum: 9}}
        - {name: label, in: path, required: true, style: label, schema: {type: string, pattern: '^[a-z]{2,4}$'}}
        - {name: matrix, in: path, required: true, style: matrix, explode: true, schema: {type: array, minItems: 1, maxItems: 3, items: {type: integer}}}
        - {name: list, in: query, schema: {type: array, minItems: 1, maxItems: 3, items: {type: string, enum: [a, b, c]}, uniqueItems: true}}
        - {name: piped, in: query, style: pipeDelimited, explode: false, schema: {type: array, minItems: 1, items: {type: integer, minimum: 0}}}
        - {name: deep, in: query, style: deepObject, explode: true, schema: {type: object, required: [x], additionalProperties: false, properties: {x: {type: integer}, y: {type: boolean}}}}
        - {name: flag, in: query, schema: {type: boolean}}
        - {name: ratio, in: query, schema: {type: number, minimum: 0, exclusiveMinimum: true, maximum: 1}}
        - {name: X-Text, in: header, required: true, schema: {type: string, minLength: 1, maxLength: 8}}
        - {name: session, in: cookie, schema: {type: string, pattern: '^[a-f0-9]{4}$'}}
        - {name: filter, in: query, content: {application/json: {schema: {type: object, properties: {a: {type: integer}}}}}}
      responses: {'200': {description: ok}}
  /b:
    post:
      operationId: bodies
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Everything'}
      responses: {'200': {description: ok}}
components:
  schemas:
    Everything:
      type: object
      required: [id, kind, tags, size]
      additionalProperties: false
      properties:
        id: {type: string, format: uuid}
        kind: {type: string, enum: [one, two]}
        tags: {type: array, minItems: 1, maxItems: 4, uniqueItems: true, items: {type: string, minLength: 1, maxLength: 3}}
        size: {type: integer, format: int32, minimum: 10, exclusiveMinimum: true, maximum: 100, multipleOf: 5}
        price: {type: number, multipleOf: 0.5, minimum: 0, maximum: 10}
        when: {type: string, format: date-time}
        day: {type: string, format: date}
        mail: {type: string, format: email}
        address: {type: string, format: ipv4}
        data: {type: string, format: byte}
        note: {type: string, nullable: true, maxLength: 10}
        made: {type: string, readOnly: true}
        extra: {type: object, minProperties: 1, maxProperties: 3, additionalProperties: {type: integer}}
        open: {type: object}
        shape:
          oneOf:
            - {type: object, required: [r], additionalProperties: false, properties: {r: {type: integer, minimum: 1}}}
            - {type: object, required: [w, h], additionalProperties: false, properties: {w: {type: integer}, h: {type: integer}}}
        name: {anyOf: [{type: string, maxLength: 5}, {type: integer}]}
        both:
          allOf:
            - {type: object, required: [a], properties: {a: {type: integer, minimum: 1}}}
            - {type: object, required: [b], properties: {b: {type: string}, a: {type: integer, maximum: 3}}}
        other: {type: string, not: {enum: [forbidden]}}
        tree: {$ref: '#/components/schemas/Node'}
    Node:
      type: object
      required: [v]
      properties: {v: {type: integer}, next: {$ref: '#/components/schemas/Node'}}
`

func richSpec(t testing.TB) *Spec {
	t.Helper()
	s, err := LoadSpec([]byte(rich), SpecOptions{})
	require.NoError(t, err)
	return s
}

// TestRandom_KeepsOrBreaksTheDocumentAsMeant holds what is made against the
// oracle: all that is meant to be valid is, and all that is broken in one place
// is broken by the keyword that was meant, but for what means something else on
// the wire.
func TestRandom_KeepsOrBreaksTheDocumentAsMeant(t *testing.T) {
	t.Parallel()
	c := &Config{Spec: richSpec(t), Seed: 1}
	for _, op := range c.Spec.Operations {
		keywords := map[string]int{}
		lost := 0
		for i := range 1500 {
			one := c.random(op, i).Last()
			kind := c.Spec.KindOf(one)
			switch {
			case one.Mutation == nil:
				raw, _ := json.Marshal(one)
				require.Equalf(t, Positive, kind, "%s", raw)
			case kind == Negative:
				keywords[one.Mutation.Keyword]++
			default:
				lost++
			}
		}
		assert.Lessf(t, lost, 75, "%s: cases meant to be broken that are valid on the wire", op.ID)
		want := []string{"type", "required", "encoding", "pattern", "minItems", "minimum"}
		if op.ID == "bodies" {
			want = []string{
				"type", "required", "enum", "format", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minimum", "maximum",
				"multipleOf", "additionalProperties", "minProperties", "maxProperties", "json", "contentType", "encoding", "duplicate", "not", "nullable",
			}
		}
		for _, keyword := range want {
			assert.Positivef(t, keywords[keyword], "%s: no case breaks %s", op.ID, keyword)
		}
	}
}

func TestCoverage_ReachesTheScenarios(t *testing.T) {
	t.Parallel()
	c := &Config{Spec: richSpec(t), Seed: 1, Forged: []string{"forged"}}
	seen := map[string]bool{}
	for _, op := range c.Spec.Operations {
		for _, trial := range c.coverage(op) {
			seen[trial.Last().Scenario] = true
		}
	}
	for _, scenario := range []string{
		ScenarioEnum, ScenarioString, ScenarioNumber, ScenarioBoolean, ScenarioArray, ScenarioObject, ScenarioNull,
		ScenarioMinLength, ScenarioMaxLength, ScenarioNearLength, ScenarioMinimum, ScenarioMaximum, ScenarioNearValue, ScenarioMinItems, ScenarioMaxItems,
		ScenarioNearItems, ScenarioEnumItems, ScenarioOnlyRequired, ScenarioOptional, ScenarioAdditional, ScenarioPositive,
		ScenarioAboveMaximum, ScenarioBelowMinimum, ScenarioAboveLength, ScenarioBelowLength, ScenarioAboveItems, ScenarioBelowItems, ScenarioAboveProps,
		ScenarioBelowProps, ScenarioUnexpected, ScenarioMissing, ScenarioBadlyNamed, ScenarioWrongType, ScenarioNotInEnum, ScenarioWrongFormat,
		ScenarioWrongPattern, ScenarioNotMultiple, ScenarioNotUnique, ScenarioMissingParam, ScenarioTwice, ScenarioUnknownPath, ScenarioUnknownMethod, ScenarioSyntax,
	} {
		assert.Truef(t, seen[scenario], "scenario %q was never made", scenario)
	}
}

// TestRandom_IsTheSameForTheSameSeed replays one case alone.
func TestRandom_IsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	one := &Config{Spec: richSpec(t), Seed: 7}
	two := &Config{Spec: richSpec(t), Seed: 7}
	other := &Config{Spec: richSpec(t), Seed: 8}
	op := one.Spec.Operation("bodies")
	for i := range 40 {
		one.random(op, i) // the second makes only every tenth
	}
	differs := false
	for i := 0; i < 40; i += 10 {
		a, _ := json.Marshal(one.random(op, i))
		b, _ := json.Marshal(two.random(two.Spec.Operation("bodies"), i))
		c, _ := json.Marshal(other.random(other.Spec.Operation("bodies"), i))
		assert.JSONEq(t, string(a), string(b))
		differs = differs || string(a) != string(c)
	}
	assert.True(t, differs, "another seed makes the same cases")
}

// TestNumbers_ReachTheirBounds is what a uniform draw does not do.
func TestNumbers_ReachTheirBounds(t *testing.T) {
	t.Parallel()
	s := shopSpec(t)
	op := s.Operation("listThings")
	seen := map[any]int{}
	c := &Config{Spec: s, Seed: 1}
	a := c.author(op, PhaseRandom, 0)
	for range 2000 {
		seen[a.maker("query", "limit").value(op.Param("query", "limit").Values, "")]++
	}
	assert.Greater(t, seen[int64(1)], 200)
	assert.Greater(t, seen[int64(10)], 200)
	assert.Len(t, seen, 10)
}

func TestPatternText_Matches(t *testing.T) {
	t.Parallel()
	r := chance(1, "", "", 0)
	for _, pattern := range []string{
		`^[1-9][0-9]*[mdMyY]$`, `^[a-z0-9-]{1,64}$`, `^(W/)?"[^"]+"$`, `^[^\x00-\x1F\x7F]*$`, `^\d{4}-\d\d-\d\d$`,
		`^(a|bb|c+)?d{2,3}$`, `^\p{Greek}{3}$`, `abc`, `^(?i)hello$`, `^.{5}$`, `^$`,
	} {
		re := regexp.MustCompile(pattern)
		lengths := map[int]bool{}
		for i := range 200 {
			text, err := patternText(r, pattern, i%40)
			require.NoError(t, err)
			require.Regexp(t, re, text)
			lengths[len(text)] = true
		}
		if pattern == `^[a-z0-9-]{1,64}$` {
			assert.GreaterOrEqual(t, len(lengths), 10, "lengths vary")
		}
	}
	_, err := patternText(r, `(?=a)b`, 3)
	require.Error(t, err)
}

// TestBuild_Styles writes parameters as OpenAPI's table of styles does.
func TestBuild_Styles(t *testing.T) {
	t.Parallel()
	list, object := []any{"blue", "black"}, map[string]any{"G": int64(2), "R": int64(1)}
	for _, c := range []struct {
		in, style string
		explode   bool
		value     any
		want      string
	}{
		{"query", "form", true, list, "color=blue&color=black"},
		{"query", "form", false, list, "color=blue,black"},
		{"query", "form", true, object, "G=2&R=1"},
		{"query", "form", false, object, "color=G,2,R,1"},
		{"query", "spaceDelimited", false, list, "color=blue%20black"},
		{"query", "pipeDelimited", false, list, "color=blue%7Cblack"},
		{"query", "deepObject", true, object, "color%5BG%5D=2&color%5BR%5D=1"},
		{"query", "form", true, "a b&c=d", "color=a+b%26c%3Dd"},
		{"path", "simple", false, list, "blue,black"},
		{"path", "simple", true, object, "G=2,R=1"},
		{"path", "simple", false, object, "G,2,R,1"},
		{"path", "label", false, list, ".blue,black"},
		{"path", "label", true, list, ".blue.black"},
		{"path", "matrix", false, list, ";color=blue,black"},
		{"path", "matrix", true, list, ";color=blue;color=black"},
		{"path", "matrix", true, object, ";G=2;R=1"},
		{"path", "simple", false, "a/b c", "a%2Fb%20c"},
		{"header", "simple", false, list, "blue,black"},
		{"header", "simple", true, object, "G=2,R=1"},
	} {
		spec := `{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/p{PATH}":{"get":{"operationId":"o","parameters":[PARAM],"responses":{"200":{"description":"ok"}}}}}}`
		param, err := json.Marshal(map[string]any{
			"name": "color", "in": c.in, "style": c.style, "explode": c.explode, "required": c.in == "path",
			"schema": map[string]any{},
		})
		require.NoError(t, err)
		path := ""
		if c.in == "path" {
			path = "/{color}"
		}
		text := regexp.MustCompile(`\{PATH\}`).ReplaceAllLiteralString(spec, path)
		text = regexp.MustCompile(`PARAM`).ReplaceAllLiteralString(text, string(param))
		s, err := LoadSpec([]byte(text), SpecOptions{})
		require.NoError(t, err)
		req, _, err := s.Build(t.Context(), &Case{Operation: "o", Args: []Arg{{c.in, "color", c.value}}}, baseURL, nil)
		require.NoError(t, err)
		got := map[string]string{"query": req.URL.RawQuery, "path": regexp.MustCompile(`^/p/?`).ReplaceAllString(req.URL.EscapedPath(), ""), "header": req.Header.Get("color")}[c.in]
		assert.Equalf(t, c.want, got, "%s %s explode %v", c.in, c.style, c.explode)
	}
}

// TestJudge_IsStricterThanKin are the requests that kin-openapi lets pass.
func TestJudge_IsStricterThanKin(t *testing.T) {
	t.Parallel()
	s := shopSpec(t)
	get := func(query string) (*http.Request, []byte) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, baseURL+"/things?"+query, http.NoBody)
		require.NoError(t, err)
		req.Header.Set("X-Version", "1")
		return req, nil
	}
	post := func(media, body string) (*http.Request, []byte) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, baseURL+"/things", http.NoBody)
		require.NoError(t, err)
		if media != "" {
			req.Header.Set("Content-Type", media)
		}
		return req, []byte(body)
	}
	const media = "application/json"
	type sent struct {
		req  *http.Request
		body []byte
	}
	pack := func(req *http.Request, body []byte) sent { return sent{req, body} }
	for keyword, list := range map[string][]sent{
		"":            {pack(get("limit=10")), pack(get("unknown=1")), pack(post(media, `{"name":"a"}`)), pack(post(media+"; charset=utf-8", ` {"name":"漢漢漢漢漢"} `)), pack(post(media, `{"name":"\ud83d\ude00"}`))},
		"duplicate":   {pack(get("limit=1&limit=1")), pack(post(media, `{"name":"a","name":"b"}`))},
		"type":        {pack(get("limit=%2B1")), pack(get("limit=01")), pack(get("limit=1.0")), pack(get("limit=")), pack(get("limit=1e0"))},
		"maximum":     {pack(get("limit=11"))},
		"encoding":    {pack(get("limit=%zz")), pack(post(media, "{\"name\":\"\xff\"}")), pack(post(media, `{"name":"\ud800"}`))},
		"json":        {pack(post(media, `{"name":"a"}{}`)), pack(post(media, "")), pack(post(media, "\ufeff{}"))},
		"contentType": {pack(post("text/plain", `{"name":"a"}`)), pack(post("", `{"name":"a"}`)), pack(post(media+"; charset=latin1", `{"name":"a"}`))},
		"required":    {pack(post("", "")), pack(post(media, `{}`))},
		"maxLength":   {pack(post(media, `{"name":"aaaaaa"}`))},
	} {
		for _, one := range list {
			v := s.Judge(t.Context(), one.req, one.body)
			if keyword == "" {
				assert.Equalf(t, Positive, v.Kind, "%s %q: %v", one.req.URL, one.body, v.Broken)
				continue
			}
			assert.Equalf(t, Negative, v.Kind, "%s %q", one.req.URL, one.body)
			assert.Truef(t, v.breaks(keyword), "%s %q: %s is not among %v", one.req.URL, one.body, keyword, v.Broken)
		}
	}
}

// TestCase_SurvivesJSON keeps what JSON has no value for.
func TestCase_SurvivesJSON(t *testing.T) {
	t.Parallel()
	raw := "{\xff"
	before := &Case{
		Operation: "o", Actor: "#1/token", Phase: PhaseRandom, Mutation: &Mutation{In: "body", Pointer: "/a", Keyword: "type"},
		Args: []Arg{{"query", "a", "x\xff\x00"}, {"path", "id", Ref("#0/data/0/id")}, {"query", "n", int64(9007199254740993)}, {"query", "f", 1.5}},
		Body: &Body{Media: "application/json", Value: map[string]any{"r": Ref("user"), "l": []any{nil, true, "\xfe", map[string]any{"$ref": int64(1)}}}},
	}
	text, err := json.Marshal(before)
	require.NoError(t, err)
	after := &Case{}
	require.NoError(t, json.Unmarshal(text, after))
	assert.Equal(t, before, after)
	before.Body = &Body{Media: "application/json", Raw: &raw}
	text, err = json.Marshal(before)
	require.NoError(t, err)
	after = &Case{}
	require.NoError(t, json.Unmarshal(text, after))
	assert.Equal(t, before, after)
}
