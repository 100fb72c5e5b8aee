//go:build fuzz

package engine

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shop is a small API that has what the checks speak of.
const shop = `
openapi: 3.0.3
info:
  title: shop
  version: "1"
  x-problem-catalogue:
    - {status: 404, detail: Not found}
    - {status: 422, pattern: '^.+ must .+$'}
security: [{key: []}]
paths:
  /things:
    get:
      operationId: listThings
      security: []
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 10}}
        - {name: code, in: query, schema: {type: string, format: shop-code, pattern: '^[a-z]{2}$'}}
        - {name: day, in: query, schema: {type: string, format: date}}
        - {name: X-Version, in: header, required: true, schema: {type: string}}
      responses:
        '200':
          description: ok
          headers:
            X-Total: {required: true, schema: {type: integer, minimum: 0}}
          content: {application/json: {schema: {$ref: '#/components/schemas/List'}}}
        '404': {description: none, content: {application/problem+json: {schema: {type: object}}}}
        4XX: {description: any}
    post:
      operationId: makeThing
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [name]
              additionalProperties: false
              properties:
                name: {type: string, minLength: 1, maxLength: 5}
                password: {type: string, writeOnly: true}
      responses:
        '200':
          description: made
          content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}
        '422': {description: bad}
  /things/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    get:
      operationId: getThing
      responses: {'200': {description: ok}, '404': {description: none}}
    delete:
      operationId: deleteThing
      responses: {'200': {description: gone}, '404': {description: none}}
  /export:
    get:
      operationId: exportThings
      security: []
      responses: {'200': {description: ok, content: {application/yaml: {schema: {type: string}}}}}
  /dump:
    get:
      operationId: dumpThings
      security: []
      responses: {'200': {description: ok, content: {application/yaml: {schema: {}}}}}
  /events:
    get:
      operationId: follow
      security: []
      responses: {'200': {description: ok, content: {text/event-stream: {schema: {type: string}}}}}
components:
  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}
  schemas:
    List:
      type: object
      required: [data]
      properties: {data: {type: array, items: {type: string}}, n: {type: integer, maximum: 3}}
`

func shopSpec(t testing.TB) *Spec {
	t.Helper()
	s, err := LoadSpec([]byte(shop), SpecOptions{})
	require.NoError(t, err)
	return s
}

// scene is what a check is shown.
type scene struct {
	op, method, path, body string
	kind                   Kind
	keyword                string
	status                 int
	header                 http.Header
	answer                 string
	change                 func(in *Input)
}

func (c scene) input(t *testing.T) *Input {
	t.Helper()
	s := shopSpec(t)
	op := s.Operation(c.op)
	require.NotNil(t, op)
	v := Verdict{Kind: c.kind, Operation: op, KnownPath: true}
	if c.keyword != "" {
		v.Broken = []Mutation{{In: "body", Keyword: c.keyword}}
	}
	method, path := op.Method, op.Path
	if c.method != "" {
		method, v.Operation = c.method, nil
	}
	if c.path != "" {
		path = c.path
	}
	header := c.header
	if header == nil {
		header = http.Header{}
	}
	in := &Input{Spec: s, Step: Step{
		Case: &Case{Operation: op.ID}, Operation: op, Verdict: v,
		Exchange: &Exchange{Method: method, URL: path, Status: c.status, Header: header, Request: http.Header{}, Body: []byte(c.answer), SentBody: []byte(c.body)},
	}}
	if c.change != nil {
		c.change(in)
	}
	return in
}

func head(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// step is one step of a history.
func step(t *testing.T, op, path string, status int) Step {
	t.Helper()
	return scene{op: op, path: path, status: status}.input(t).Step
}

func after(t *testing.T, steps ...Step) func(in *Input) {
	t.Helper()
	return func(in *Input) { in.History = steps }
}

// jsonHead are the headers of a good list.
func jsonHead(more ...string) http.Header {
	return head(append([]string{"Content-Type", "application/json", "X-Total", "1"}, more...)...)
}

const problemType = "application/problem+json"

// scenes are, for each check, answers on which it must fire and on which not.
func scenes(t *testing.T) map[string]struct{ fires, silent []scene } {
	t.Helper()
	list := func(answer string) scene {
		return scene{op: "listThings", status: 200, header: jsonHead(), answer: answer}
	}
	headerless := func(name string, status int) scene {
		return scene{op: "listThings", status: status, change: func(in *Input) {
			in.Case.Scenario, in.Case.Mutation = ScenarioMissingParam, &Mutation{In: "header", Name: name, Keyword: "required"}
		}}
	}
	resent := func(status int) scene {
		return scene{op: "getThing", status: 200, change: func(in *Input) {
			in.Resent = []Resent{{"none", &Exchange{Status: status}}}
		}}
	}
	// media is an answer 415 to a request with these headers.
	media := func(op, keyword string, sent ...string) scene {
		return scene{op: op, kind: Negative, keyword: keyword, status: 415, change: func(in *Input) { in.Exchange.Request = head(sent...) }}
	}
	coded := func(in, name string) scene {
		c := media("makeThing", "enum", "Content-Type", "application/json")
		send := c.change
		c.change = func(i *Input) {
			send(i)
			i.Verdict.Broken = []Mutation{{In: in, Name: name, Keyword: "enum"}}
		}
		return c
	}
	// sized is a request of a size that is refused for it.
	sized := func(kind Kind, status, url, body int) scene {
		return scene{op: "makeThing", kind: kind, keyword: "maxLength", status: status, path: "/things?" + strings.Repeat("a", url), body: strings.Repeat("a", body)}
	}
	drawn := func(status int, scenario, keyword, name string) scene {
		return scene{op: "listThings", kind: Negative, keyword: keyword, status: status, change: func(in *Input) {
			in.Case.Scenario, in.Verdict.Broken[0].In, in.Verdict.Broken[0].Name = scenario, "query", name
		}}
	}
	yamlOf := func(op, answer string) scene {
		return scene{op: op, status: 200, header: head("Content-Type", "application/yaml; charset=utf-8"), answer: answer}
	}
	linked := func(in *Input) { in.Case.Args = []Arg{{"path", "id", Ref("#0/id")}} }
	return map[string]struct{ fires, silent []scene }{
		"not_a_server_error": {
			[]scene{{op: "getThing", status: 500}, {op: "getThing", status: 199}, {op: "getThing", change: func(in *Input) { in.Exchange.Broken = "panic: string" }}},
			[]scene{{op: "getThing", status: 200}, {op: "getThing", status: 304}, {op: "getThing", status: 404}}},
		"status_code_conformance": {
			[]scene{{op: "getThing", status: 403}, {op: "makeThing", status: 201}},
			[]scene{{op: "getThing", status: 404}, {op: "listThings", status: 418}, {op: "getThing", method: "PUT", status: 405}}},
		"content_type_conformance": {
			[]scene{{op: "listThings", status: 200}, {op: "listThings", status: 200, header: head("Content-Type", "text/html")}, {op: "listThings", status: 200, header: head("Content-Type", ";;")}},
			[]scene{list(`{"data":[]}`), {op: "getThing", status: 200, header: head("Content-Type", "text/html")}}},
		"response_headers_conformance": {
			[]scene{{op: "listThings", status: 200}, {op: "listThings", status: 200, header: head("X-Total", "-1")}, {op: "listThings", status: 200, header: head("X-Total", "a")}},
			[]scene{list(""), {op: "getThing", status: 200}}},
		"response_schema_conformance": {
			[]scene{list(`{}`), list(`{"data":[1]}`), list(`{"data":[],"n":4}`), list(`{"data":[]`), yamlOf("exportThings", "a: 1"), yamlOf("exportThings", "a: [")},
			[]scene{list(`{"data":["a"],"n":3}`), yamlOf("exportThings", "a list"), yamlOf("dumpThings", "a: [")}},
		"max_response_time": {
			[]scene{{op: "getThing", change: func(in *Input) { in.Slow, in.Exchange.Elapsed = time.Second, 2*time.Second }}},
			[]scene{{op: "getThing", change: func(in *Input) { in.Exchange.Elapsed = time.Hour }}}},
		"positive_data_acceptance": {
			[]scene{{op: "makeThing", kind: Positive, status: 400}, {op: "makeThing", kind: Positive, status: 422}, {op: "makeThing", kind: Positive, status: 302}, sized(Positive, 431, 0, 0), sized(Positive, 413, 0, 20000)},
			[]scene{
				{op: "makeThing", kind: Positive, status: 200}, {op: "makeThing", kind: Positive, status: 409}, {op: "makeThing", kind: Positive, status: 500},
				{op: "makeThing", kind: Negative, status: 400}, {op: "makeThing", kind: Positive, status: 429, change: func(in *Input) { in.Tolerated = []int{429} }}, sized(Positive, 431, 20000, 0)}},
		"negative_data_rejection": {
			[]scene{
				{op: "makeThing", kind: Negative, keyword: "type", status: 200},
				// The media type is right, or there is no body that could have one.
				media("makeThing", "type", "Content-Type", "application/json"), media("getThing", "type"),
				coded("header", "Content-Language"), coded("query", "Content-Encoding"),
				sized(Negative, 413, 20000, 0), sized(Negative, 414, 0, 20000), sized(Negative, 431, 0, 20000)},
			[]scene{
				{op: "makeThing", kind: Negative, keyword: "type", status: 422}, {op: "makeThing", kind: Positive, status: 200},
				media("makeThing", "contentType", "Content-Type", "text/plain"), media("makeThing", "type"), coded("header", "Content-Encoding"),
				sized(Negative, 413, 0, 20000), sized(Negative, 414, 20000, 0), sized(Negative, 431, 20000, 0)}},
		"missing_required_header": {
			[]scene{headerless("X-Version", 200), headerless("X-Version", 404), headerless("authorization", 400)},
			[]scene{headerless("X-Version", 422), headerless("Authorization", 401), {op: "listThings", status: 200}}},
		"unsupported_method": {
			[]scene{{op: "listThings", method: "PATCH", status: 200, header: head("Allow", "GET, POST")}, {op: "listThings", method: "PUT", status: 405}, {op: "listThings", method: "PUT", status: 404}},
			[]scene{{op: "listThings", method: "PUT", status: 405, header: head("Allow", "GET")}, {op: "getThing", method: "PUT", status: 404}, {op: "listThings", method: "OPTIONS", status: 200}, {op: "listThings", status: 404}}},
		"allow_header_conformance": {
			[]scene{{op: "listThings", method: "OPTIONS", status: 204, header: head("Allow", "GET")}, {op: "listThings", method: "PUT", status: 405, header: head("Allow", "GET, POST, PUT")}},
			[]scene{{op: "listThings", method: "OPTIONS", status: 204, header: head("Allow", "get, POST, HEAD, OPTIONS")}, {op: "listThings", method: "OPTIONS", status: 204}}},
		"use_after_free": {
			[]scene{{op: "getThing", path: "/things/1", status: 200, change: after(t, step(t, "deleteThing", "/things/1", 200))}},
			[]scene{
				{op: "getThing", path: "/things/1", status: 404, change: after(t, step(t, "deleteThing", "/things/1", 200))},
				{op: "getThing", path: "/things/11", status: 200, change: after(t, step(t, "deleteThing", "/things/1", 200))},
				{op: "getThing", path: "/things/1", status: 200, change: after(t, step(t, "deleteThing", "/things/1", 404))},
				{op: "getThing", path: "/things/1", status: 200, change: after(t, step(t, "deleteThing", "/things/1", 200), step(t, "makeThing", "/things", 200))}}},
		"ensure_resource_availability": {
			[]scene{{op: "getThing", path: "/things/1", status: 404, change: func(in *Input) { after(t, step(t, "makeThing", "/things", 200))(in); linked(in) }}},
			[]scene{
				{op: "getThing", path: "/things/1", status: 404, change: after(t, step(t, "makeThing", "/things", 200))},
				{op: "getThing", path: "/things/1", status: 200, change: func(in *Input) { after(t, step(t, "makeThing", "/things", 200))(in); linked(in) }},
				{op: "getThing", path: "/things/1", status: 404, change: func(in *Input) {
					after(t, step(t, "deleteThing", "/things/1", 200), step(t, "makeThing", "/things", 200))(in)
					linked(in)
				}}}},
		"ignored_auth": {
			[]scene{resent(200), resent(403), {op: "getThing", status: 200, change: func(in *Input) { in.Anonymous = true }}, {op: "getThing", status: 200, change: func(in *Input) { in.BadCredential = true }}},
			[]scene{resent(401), {op: "getThing", status: 404, change: func(in *Input) { in.Anonymous = true }}, {op: "listThings", status: 200, change: func(in *Input) { in.Anonymous = true }}}},
		"no_secret_in_response": {
			[]scene{
				{op: "getThing", status: 200, answer: `{"h":"$2a$04$abc"}`}, {op: "getThing", status: 200, header: head("X-Debug", "$2b$10$abc")},
				{op: "getThing", status: 200, answer: "the-signing-key", change: func(in *Input) { in.Secrets = []string{"the-signing-key"} }},
				{op: "makeThing", status: 422, body: `{"password":"correct horse battery"}`, answer: `"correct horse battery" must be short`}},
			[]scene{{op: "getThing", status: 200, answer: "$2 a$ 04"}, {op: "makeThing", status: 422, body: `{"password":"correct horse battery"}`, answer: "password must be short"}}},
		"list_never_null": {[]scene{list(`{"data":null}`)}, []scene{list(`{"data":[]}`), list(`{"n":null,"data":[]}`)}},
		"problem_in_catalogue": {
			[]scene{
				{op: "getThing", status: 404, header: head("Content-Type", problemType), answer: `{"status":404,"detail":"no such thing"}`},
				{op: "getThing", status: 404, header: head("Content-Type", problemType), answer: `{"status":400,"detail":"Not found"}`},
				{op: "getThing", status: 404, header: head("Content-Type", "text/plain"), answer: `Not found`},
				{op: "getThing", status: 404, header: head("Content-Type", problemType, "X-Request-Id", "1"), answer: `{"status":404,"detail":"Not found","request_id":"2"}`}},
			[]scene{
				{op: "getThing", status: 404, header: head("Content-Type", problemType), answer: `{"status":404,"detail":"Not found"}`},
				{op: "getThing", status: 422, header: head("Content-Type", problemType), answer: `{"status":422,"detail":"a must be b"}`}, {op: "getThing", status: 200}}},
		"well_formed_body": {
			[]scene{list("{\"a\":\"\xff\"}"), list(`{"a":1}{}`), list(`{"a":{"b":1,"b":2}}`)},
			[]scene{list(`{"a":{"b":1},"b":2}`), {op: "getThing", status: 200, answer: "\xff", header: head("Content-Type", "image/png")}}},
		"unknown_path_not_found": {
			[]scene{{op: "getThing", method: "GET", status: 200, change: func(in *Input) { in.Verdict.KnownPath = false }}},
			[]scene{{op: "getThing", method: "GET", status: 404, change: func(in *Input) { in.Verdict.KnownPath = false }}, {op: "getThing", status: 200}}},
		"stream_frames": {
			[]scene{
				{op: "follow", status: 200, header: head("Content-Type", "text/event-stream"), answer: "data: {\n\n"},
				{op: "follow", status: 200, header: head("Content-Type", "text/event-stream"), answer: "what: a\n\n"},
				{op: "follow", status: 200, header: head("Content-Type", "text/event-stream"), answer: ""}},
			[]scene{{op: "follow", status: 200, header: head("Content-Type", "text/event-stream"), answer: ": hi\n\nevent: a\nid: 1\ndata: {\"a\":\ndata: 1}\n\ndata: half"}}},
		"format_is_told": {
			[]scene{drawn(422, ScenarioStranger, "format", "code"), drawn(400, ScenarioStranger, "format", "code")},
			[]scene{
				drawn(200, ScenarioStranger, "format", "code"), drawn(422, ScenarioRandom, "format", "code"),
				drawn(422, ScenarioStranger, "pattern", "code"), drawn(422, ScenarioStranger, "format", "day")}},
	}
}

// TestChecks_FireAndDoNotFire shows every check what it is for, and its like that
// is no fault.
func TestChecks_FireAndDoNotFire(t *testing.T) {
	t.Parallel()
	all := scenes(t)
	for _, check := range Checks() {
		t.Run(check.Name, func(t *testing.T) {
			t.Parallel()
			shown := all[check.Name]
			require.NotEmpty(t, shown.fires, "no scene on which it fires")
			require.NotEmpty(t, shown.silent, "no scene on which it is silent")
			for i, c := range shown.fires {
				assert.NotEmptyf(t, check.Run(c.input(t)), "scene %d: must fire", i)
			}
			for i, c := range shown.silent {
				assert.Emptyf(t, check.Run(c.input(t)), "scene %d: must be silent", i)
			}
		})
	}
	assert.Len(t, all, len(Checks()), "a scene for a check that does not exist")
}

// TestChecks_NeverTellValues runs all checks on an exchange full of a secret.
func TestChecks_NeverTellValues(t *testing.T) {
	t.Parallel()
	const secret = "TOPSECRETVALUE"
	in := scene{
		op: "listThings", kind: Negative, keyword: "type", status: 200, body: `{"password":"` + secret + `"}`,
		header: jsonHead("X-Debug", secret), answer: `{"data":["a",{"x":"` + secret + `"}],"n":"` + secret + `"}`,
	}.input(t)
	in.Secrets = []string{secret}
	fired := 0
	for _, check := range Checks() {
		for _, reason := range check.Run(in) {
			fired++
			assert.NotContains(t, reason, secret, check.Name)
		}
	}
	assert.Positive(t, fired)
}
