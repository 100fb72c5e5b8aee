package testutil_test

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet"
	"decnet/contract"
	"decnet/testutil"
)

func newSpec(tb testing.TB) *testutil.Spec {
	tb.Helper()
	s, err := testutil.NewSpec(decnet.OpenAPI())
	require.NoError(tb, err)
	return s
}

// trade is an exchange written down.
type trade struct {
	method, url string
	token       string // "" sends none
	contentType string
	body        string
	status      int
	header      map[string]string // "" removes
	answer      string
}

const (
	rid      = "9f86d081884c7d65"
	noSecret = "hunter2-hunter2"
	user     = "/api/v1/config/users/0b9c3c52-6d0e-4b38-8f0e-3a5d1f3c9a77"
)

// problem is a well-formed problem.
func problem(status int, detail string) string {
	title := http.StatusText(status)
	return `{"type":"about:blank","title":"` + title + `","status":` + itoa(status) + `,"detail":"` + detail + `","request_id":"` + rid + `"}`
}

// violations is a well-formed problem that lists one violation.
func violations(status int) string {
	return strings.TrimSuffix(problem(status, "limit must be at least 1"), "}") +
		`,"errors":[{"in":"query","name":"limit","keyword":"minimum","detail":"limit must be at least 1"}]}`
}

func itoa(n int) string {
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

func (tr trade) check(tb testing.TB, s *testutil.Spec) error {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), tr.method, "http://127.0.0.1:8000"+tr.url, strings.NewReader(tr.body))
	require.NoError(tb, err)
	if tr.token != "" {
		req.Header.Set("Authorization", "Bearer "+tr.token)
	}
	if tr.contentType != "" {
		req.Header.Set("Content-Type", tr.contentType)
	}
	header := map[string]string{"X-Request-Id": rid, "Cache-Control": "no-store", "Content-Type": "application/json"}
	if tr.status >= 400 {
		header["Content-Type"] = "application/problem+json"
	}
	switch tr.status {
	case http.StatusUnauthorized:
		header["Www-Authenticate"] = "Bearer"
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		header["Retry-After"] = "1"
	}
	maps.Copy(header, tr.header)
	resp := &http.Response{StatusCode: tr.status, Header: http.Header{}}
	for name, value := range header {
		if value != "" {
			resp.Header.Set(name, value)
		}
	}
	return s.Check(req, []byte(tr.body), resp, []byte(tr.answer))
}

const (
	stats    = `{"total_logs":1,"unique_attackers":1,"active_deckies":1,"deployed_deckies":0}`
	emptyLog = `{"total":0,"limit":50,"offset":0,"data":[]}`
	logRow   = `{"id":1,"timestamp":"2026-04-17T19:30:11Z","decky":"d","service":"ssh","event_type":"e","attacker_ip":"203.0.113.7","raw_line":"r","fields":"{}","msg":null,"trace_id":null,"span_id":null}`
	newUser  = `{"username":"ann","password":"` + noSecret + `"}`
	made     = `{"uuid":"0b9c3c52-6d0e-4b38-8f0e-3a5d1f3c9a77","username":"ann","role":"viewer","must_change_password":true}`
)

func page(rows string) string { return `{"total":1,"limit":50,"offset":0,"data":[` + rows + `]}` }

// cached are the headers of a response that carries an ETag.
func cached() map[string]string {
	return map[string]string{"Etag": `"abc"`, "Cache-Control": "private, no-cache"}
}

func with(header map[string]string, name, value string) map[string]string {
	header[name] = value
	return header
}

func TestSpec_Check(t *testing.T) {
	t.Parallel()
	s := newSpec(t)
	const get, post, put, del, head, options = "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"
	const js, me = "application/json", "me"
	login := `{"username":"ann","password":"` + noSecret + `"}`
	for name, tt := range map[string]struct {
		trade trade
		want  string // "" for no fault
	}{
		// Responses.
		"a good answer":             {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(logRow)}, ""},
		"an empty page":             {trade{get, "/api/v1/logs", me, "", "", 200, nil, emptyLog}, ""},
		"null for an array":         {trade{get, "/api/v1/logs", me, "", "", 200, nil, `{"total":0,"limit":50,"offset":0,"data":null}`}, "body/data: nullable"},
		"a field missing":           {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, `"msg":null,`, "", 1))}, `body/data/0/msg: property "msg" is missing`},
		"a field too much":          {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, `"id":1,`, `"id":1,"password_hash":"x",`, 1))}, `body/data/0: property "password_hash" is unsupported`},
		"a wrong type":              {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, `"fields":"{}"`, `"fields":{}`, 1))}, "body/data/0/fields: type"},
		"null for a string":         {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, `"decky":"d"`, `"decky":null`, 1))}, "body/data/0/decky: nullable"},
		"a fraction for an integer": {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, `"id":1,`, `"id":1.5,`, 1))}, "body/data/0/id: type"},
		"an id of 0":                {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, `"id":1,`, `"id":0,`, 1))}, "body/data/0/id: minimum"},
		"a time with an offset":     {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, "11Z", "11+00:00", 1))}, "body/data/0/timestamp: format"},
		"a time that is none":       {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, "04-17T", "02-30T", 1))}, "body/data/0/timestamp: format"},
		"a key twice":               {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, `"id":1,`, `"id":1,"id":1,`, 1))}, "has a key twice"},
		"colons in a string":        {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, `"r"`, `"\\\":\":\\"`, 1))}, ""},
		"two values":                {trade{get, "/api/v1/logs", me, "", "", 200, nil, emptyLog + emptyLog}, "not one JSON value"},
		"no JSON":                   {trade{get, "/api/v1/logs", me, "", "", 200, nil, "oops"}, "not one JSON value"},
		"not UTF-8":                 {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, `"r"`, "\"\xff\"", 1))}, "not UTF-8"},
		"another content type":      {trade{get, "/api/v1/logs", me, "", "", 200, map[string]string{"Content-Type": "text/plain"}, emptyLog}, "content type is not documented"},
		"no content type":           {trade{get, "/api/v1/logs", me, "", "", 200, map[string]string{"Content-Type": ""}, emptyLog}, "content type is not documented"},
		"a charset":                 {trade{get, "/api/v1/logs", me, "", "", 200, map[string]string{"Content-Type": "application/json; charset=utf-8"}, emptyLog}, ""},
		"an undocumented status":    {trade{get, "/api/v1/logs", me, "", "", 201, nil, emptyLog}, "status is not documented"},
		"a teapot":                  {trade{get, "/api/v1/logs", me, "", "", 418, nil, problem(418, "x")}, "status is not documented"},
		"no request id":             {trade{get, "/api/v1/logs", me, "", "", 200, map[string]string{"X-Request-Id": ""}, emptyLog}, "header X-Request-Id is missing"},
		"a long request id":         {trade{get, "/api/v1/logs", me, "", "", 200, map[string]string{"X-Request-Id": strings.Repeat("x", 129)}, emptyLog}, "header X-Request-Id: maxLength"},
		"another cache control":     {trade{get, "/api/v1/logs", me, "", "", 200, map[string]string{"Cache-Control": "public"}, emptyLog}, "header Cache-Control: enum"},
		"an ETag":                   {trade{get, "/api/v1/stats", me, "", "", 200, cached(), stats}, ""},
		"no ETag":                   {trade{get, "/api/v1/stats", me, "", "", 200, with(cached(), "Etag", ""), stats}, "header Etag is missing"},
		"an ETag without quotes":    {trade{get, "/api/v1/stats", me, "", "", 200, with(cached(), "Etag", "abc"), stats}, "header Etag: pattern"},
		"an optional ETag":          {trade{get, "/api/v1/bounty", me, "", "", 200, nil, emptyLog}, ""},
		"not modified":              {trade{get, "/api/v1/stats", me, "", "", 304, cached(), ""}, ""},
		"not modified with a body":  {trade{get, "/api/v1/stats", me, "", "", 304, cached(), stats}, "may be no body"},
		"HEAD":                      {trade{head, "/api/v1/stats", me, "", "", 200, cached(), ""}, ""},
		"HEAD with a body":          {trade{head, "/api/v1/stats", me, "", "", 200, cached(), stats}, "may be no body"},
		"HEAD without a header":     {trade{head, "/api/v1/stats", me, "", "", 200, with(cached(), "Etag", ""), ""}, "header Etag is missing"},
		"a text":                    {trade{get, "/metrics", "", "", "", 200, map[string]string{"Content-Type": "text/plain; version=0.0.4"}, "a 1\n"}, ""},
		"a text that is not UTF-8":  {trade{get, "/metrics", "", "", "", 200, map[string]string{"Content-Type": "text/plain"}, "\xff"}, "not UTF-8"},
		"a password hash":           {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, `"r"`, `"$2a$12$abc"`, 1))}, "password hash"},
		"a newer password hash":     {trade{get, "/api/v1/logs", me, "", "", 200, nil, page(strings.Replace(logRow, `"{}"`, `"{\"p\":\"$2b$12$abc\"}"`, 1))}, "password hash"},
		"a hash in a header":        {trade{get, "/api/v1/logs", me, "", "", 200, map[string]string{"X-Debug": "$2a$10$abc"}, emptyLog}, "password hash"},
		"a UUID that is none":       {trade{post, "/api/v1/config/users", me, js, newUser, 200, nil, strings.Replace(made, "0b9c", "0b9", 1)}, "body/uuid: format"},
		"health with 503":           {trade{get, "/api/v1/health", me, "", "", 503, map[string]string{"Content-Type": js}, `{"status":"unhealthy","components":{"database":{"status":"failing","detail":null}}}`}, ""},
		"health with a bad part":    {trade{get, "/api/v1/health", me, "", "", 200, nil, `{"status":"healthy","components":{"database":{"status":"fine","detail":null}}}`}, "body/components/database/status: enum"},

		// Problems.
		"a problem":                 {trade{get, user, me, "", "", 405, map[string]string{"Allow": "DELETE"}, problem(405, "Method not allowed")}, ""},
		"no token":                  {trade{get, "/api/v1/stats", "", "", "", 401, nil, problem(401, "Not authenticated")}, ""},
		"no WWW-Authenticate":       {trade{get, "/api/v1/stats", "", "", "", 401, map[string]string{"Www-Authenticate": ""}, problem(401, "Not authenticated")}, "header Www-Authenticate is missing"},
		"another sentence":          {trade{get, "/api/v1/stats", "", "", "", 401, nil, problem(401, "Go away")}, "body/detail: enum"},
		"a sentence from elsewhere": {trade{del, user, me, "", "", 404, nil, problem(404, "Attacker not found")}, "body/detail: enum"},
		"plain JSON as a problem":   {trade{get, "/api/v1/stats", "", "", "", 401, map[string]string{"Content-Type": js}, problem(401, "Not authenticated")}, "content type is not documented"},
		"another status inside":     {trade{get, "/api/v1/stats", "", "", "", 401, nil, problem(403, "Not authenticated")}, "another status or title"},
		"another title inside":      {trade{get, "/api/v1/stats", "", "", "", 401, nil, strings.Replace(problem(401, "Not authenticated"), "Unauthorized", "Denied", 1)}, "another status or title"},
		"another request id inside": {trade{get, "/api/v1/stats", "", "", "", 401, map[string]string{"X-Request-Id": "other"}, problem(401, "Not authenticated")}, "another request id"},
		"Retry-After no number":     {trade{post, "/api/v1/auth/login", "", js, login, 429, map[string]string{"Retry-After": "soon"}, problem(429, "Too many failed logins, try again later")}, "Retry-After is not an integer"},
		"Retry-After 0":             {trade{post, "/api/v1/auth/login", "", js, login, 429, map[string]string{"Retry-After": "0"}, problem(429, "Too many failed logins, try again later")}, "header Retry-After: minimum"},
		"an internal error":         {trade{get, "/api/v1/stats", me, "", "", 500, nil, problem(500, "An internal error occurred")}, ""},
		"an internal detail":        {trade{get, "/api/v1/stats", me, "", "", 500, nil, problem(500, "no such table: logs")}, "body/detail: enum"},

		// Requests.
		"a limit too small, refused":   {trade{get, "/api/v1/logs?limit=0", me, "", "", 422, nil, violations(422)}, ""},
		"a limit too small, accepted":  {trade{get, "/api/v1/logs?limit=0", me, "", "", 200, nil, emptyLog}, "breaks the document, but it was accepted"},
		"a good limit, refused":        {trade{get, "/api/v1/logs?limit=5", me, "", "", 422, nil, violations(422)}, "keeps the document, but it was refused"},
		"an absent value, accepted":    {trade{get, "/api/v1/logs?limit=null&offset=&search=undefined&end_time=NULL", me, "", "", 200, nil, emptyLog}, ""},
		"an absent value, refused":     {trade{get, "/api/v1/logs?limit=null", me, "", "", 422, nil, violations(422)}, "keeps the document, but it was refused"},
		"a limit twice, refused":       {trade{get, "/api/v1/logs?limit=1&limit=2", me, "", "", 422, nil, violations(422)}, ""},
		"a limit twice, accepted":      {trade{get, "/api/v1/logs?limit=1&limit=2", me, "", "", 200, nil, emptyLog}, "breaks the document, but it was accepted"},
		"a limit with a plus, refused": {trade{get, "/api/v1/logs?limit=%2B1", me, "", "", 422, nil, violations(422)}, ""},
		"a bad escape, refused":        {trade{get, "/api/v1/logs?limit=%zz", me, "", "", 422, nil, violations(422)}, ""},
		"a bad escape, accepted":       {trade{get, "/api/v1/logs?limit=%zz", me, "", "", 200, nil, emptyLog}, "breaks the document, but it was accepted"},
		"not UTF-8, accepted":          {trade{get, "/api/v1/logs?search=%ff", me, "", "", 200, nil, emptyLog}, "breaks the document, but it was accepted"},
		"a bad time, accepted":         {trade{get, "/api/v1/logs?start_time=2026-02-30", me, "", "", 200, nil, emptyLog}, "breaks the document, but it was accepted"},
		"a good time, accepted":        {trade{get, "/api/v1/logs?start_time=2026-02-28", me, "", "", 200, nil, emptyLog}, ""},
		"an unknown parameter":         {trade{get, "/api/v1/logs?nope=1", me, "", "", 200, nil, emptyLog}, ""},
		"a good body, accepted":        {trade{post, "/api/v1/config/users", me, js, newUser, 200, nil, made}, ""},
		"a good body, refused":         {trade{post, "/api/v1/config/users", me, js, newUser, 400, nil, violations(400)}, "keeps the document, but it was refused"},
		"a short password, refused":    {trade{post, "/api/v1/config/users", me, js, `{"username":"ann","password":"short"}`, 400, nil, violations(400)}, ""},
		"a short password, accepted":   {trade{post, "/api/v1/config/users", me, js, `{"username":"ann","password":"short"}`, 200, nil, made}, "breaks the document, but it was accepted"},
		"an unknown field, accepted":   {trade{post, "/api/v1/config/users", me, js, strings.Replace(newUser, "{", `{"is_admin":true,`, 1), 200, nil, made}, "breaks the document, but it was accepted"},
		"a key twice, accepted":        {trade{post, "/api/v1/config/users", me, js, strings.Replace(newUser, "{", `{"username":"bob",`, 1), 200, nil, made}, "breaks the document, but it was accepted"},
		"a key twice, refused":         {trade{post, "/api/v1/config/users", me, js, strings.Replace(newUser, "{", `{"username":"bob",`, 1), 400, nil, violations(400)}, ""},
		"garbage after, accepted":      {trade{post, "/api/v1/config/users", me, js, newUser + "x", 200, nil, made}, "breaks the document, but it was accepted"},
		"an empty body, accepted":      {trade{post, "/api/v1/config/users", me, js, "", 200, nil, made}, "breaks the document, but it was accepted"},
		"a form, refused":              {trade{post, "/api/v1/config/users", me, "application/x-www-form-urlencoded", "a=b", 415, nil, problem(415, "Content type must be application/json")}, ""},
		"a form, accepted":             {trade{post, "/api/v1/config/users", me, "application/x-www-form-urlencoded", newUser, 200, nil, made}, "content type is not documented, but it was accepted"},
		"JSON, refused as none":        {trade{post, "/api/v1/config/users", me, js, newUser, 415, nil, problem(415, "Content type must be application/json")}, "content type is documented, but it was refused"},
		"a conflict":                   {trade{post, "/api/v1/config/users", me, js, newUser, 409, nil, problem(409, "Username already exists")}, ""},
		"a body nobody asked for":      {trade{get, "/api/v1/logs", me, js, `{"limit":1}`, 200, nil, emptyLog}, ""},
		"too large":                    {trade{put, user + "/role", me, js, `{"role":"admin"}`, 413, nil, problem(413, "Request body too large")}, ""},
		"no credential, accepted":      {trade{get, "/api/v1/logs", "", "", "", 200, nil, emptyLog}, "no credential was sent"},
		"no credential, not modified":  {trade{get, "/api/v1/stats", "", "", "", 304, cached(), ""}, "no credential was sent"},
		"a token in another query":     {trade{get, "/api/v1/logs?token=t", "", "", "", 200, nil, emptyLog}, "no credential was sent"},
		"nothing to authenticate":      {trade{get, "/healthz", "", "", "", 200, nil, `{"status":"ok"}`}, ""},

		// Paths and methods.
		"an unknown path":             {trade{get, "/api/v1/nope", "", "", "", 404, nil, problem(404, "Not found")}, ""},
		"an unknown path, answered":   {trade{get, "/api/v1/nope", "", "", "", 200, nil, "{}"}, "path is not documented"},
		"an unknown path, in text":    {trade{get, "/api/v1/nope", "", "", "", 404, map[string]string{"Content-Type": "text/plain"}, "404 page not found"}, "not a problem"},
		"an unknown path, otherwise":  {trade{get, "/api/v1/nope", "", "", "", 404, nil, problem(404, "User not found")}, `detail is not "Not found"`},
		"an unknown path, without id": {trade{get, "/api/v1/nope", "", "", "", 404, map[string]string{"X-Request-Id": ""}, problem(404, "Not found")}, "X-Request-Id is missing"},
		"an unknown path, HEAD":       {trade{head, "/api/v1/nope", "", "", "", 404, nil, ""}, ""},
		"a trailing slash":            {trade{get, "/api/v1/stats/", me, "", "", 404, nil, problem(404, "Not found")}, ""},
		"a double slash":              {trade{get, "/api//v1/stats", me, "", "", 307, map[string]string{"Location": "/api/v1/stats"}, ""}, ""},
		"a redirect to nowhere":       {trade{get, "/api//v1/stats", me, "", "", 307, nil, ""}, "without Location"},
		"an empty path value":         {trade{get, "/api/v1/attackers/", me, "", "", 404, nil, problem(404, "Not found")}, ""},
		"an escaped path value":       {trade{get, "/api/v1/attackers/a%2Fb", me, "", "", 404, nil, problem(404, "Attacker not found")}, ""},
		"a path value not UTF-8":      {trade{get, "/api/v1/attackers/%ff", me, "", "", 422, nil, violations(422)}, ""},
		"an unknown method, answered": {trade{"PATCH", "/api/v1/stats", me, "", "", 200, cached(), stats}, "method is not documented"},
		"an unknown method, as 404":   {trade{"PATCH", "/api/v1/stats", me, "", "", 404, nil, problem(404, "Not found")}, "answer is not 405"},
		"an unknown method":           {trade{"PATCH", "/api/v1/stats", me, "", "", 405, map[string]string{"Allow": "GET, HEAD"}, problem(405, "Method not allowed")}, ""},
		"OPTIONS in Allow":            {trade{"PATCH", "/api/v1/stats", me, "", "", 405, map[string]string{"Allow": "GET, HEAD, OPTIONS"}, problem(405, "Method not allowed")}, ""},
		"no Allow":                    {trade{"PATCH", "/api/v1/stats", me, "", "", 405, nil, problem(405, "Method not allowed")}, "Allow lacks GET"},
		"too much in Allow":           {trade{"PATCH", "/api/v1/stats", me, "", "", 405, map[string]string{"Allow": "GET, PUT"}, problem(405, "Method not allowed")}, "Allow lists methods that are not documented"},
		"a preflight":                 {trade{options, "/api/v1/stats", "", "", "", 204, nil, ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.trade.check(t, s)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "\n", "one fault, one line")
		})
	}
}

func TestSpec_CheckStream(t *testing.T) {
	t.Parallel()
	s := newSpec(t)
	header := map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
	for name, tt := range map[string]struct{ body, want string }{
		"nothing yet":         {"", ""},
		"a comment":           {": keepalive\n\n", ""},
		"a message":           {": keepalive\n\nevent: message\nid: 7\ndata: {\"type\":\"stats\"}\n\n", ""},
		"an error":            {"event: error\ndata: {\"type\":\"error\",\"message\":\"x\"}\n\n", ""},
		"data in two lines":   {"event: message\ndata: {\"type\":\ndata: \"logs\"}\n\n", ""},
		"cut in the middle":   {": keepalive\n\nevent: mess", ""},
		"an unknown event":    {"event: update\ndata: {}\n\n", "event that is not documented"},
		"an unknown field":    {"event: message\ndate: {}\n\n", "field that is none"},
		"an id that is none":  {"id: abc\ndata: {}\n\n", "id that is not a number"},
		"data that is broken": {"event: message\ndata: {\n\n", "not JSON"},
		"a raw line break":    {"event: message\ndata: {\"a\":\"b\nc\"}\n\n", "field that is none"},
		"not UTF-8":           {": \xff\n\n", "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := trade{"GET", "/api/v1/stream?token=t", "", "", "", 200, header, tt.body}.check(t, s)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
	err := trade{"GET", "/api/v1/stream", "", "", "", 200, header, ""}.check(t, s)
	require.ErrorContains(t, err, "no credential was sent")
	err = trade{"GET", "/api/v1/stream", "t", "", "", 200, map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}, ""}.check(t, s)
	require.ErrorContains(t, err, "X-Accel-Buffering is missing")
}

func TestSpec_CheckRefusesRepeatedHeaders(t *testing.T) {
	t.Parallel()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1:8000/healthz", http.NoBody)
	require.NoError(t, err)
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{
		"X-Request-Id": {rid, rid}, "Cache-Control": {"no-store"}, "Content-Type": {"application/json"},
	}}
	err = newSpec(t).Check(req, nil, resp, []byte(`{"status":"ok"}`))
	require.ErrorContains(t, err, "header X-Request-Id is sent twice")
}

// Package contract and kin-openapi judge each request; here one of them errs.
func TestSpec_CheckReportsDisagreement(t *testing.T) {
	t.Parallel()
	by := func(keyword string) error {
		return &contract.Violations{Status: 422, List: []contract.Violation{{Keyword: keyword}}}
	}
	for name, tt := range map[string]struct {
		refused error
		matches bool
		want    string
	}{
		"both accept":              {nil, true, ""},
		"both refuse":              {by("maximum"), false, ""},
		"only contract accepts":    {nil, false, "package contract accepts the body, kin-openapi does not"},
		"only kin-openapi accepts": {by("maximum"), true, "package contract refuses the body, kin-openapi does not"},
		"a rule of contract's own": {by("duplicate"), true, ""},
		"contract fails":           {errors.New("into does not fit"), true, "package contract fails on the body"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ok, err := testutil.Agree(tt.refused, tt.matches)
			assert.Equal(t, tt.refused == nil, ok)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestSpec_CheckReportsEverything(t *testing.T) {
	t.Parallel()
	err := trade{"GET", "/api/v1/logs?limit=0", "", "", "", 200, map[string]string{"X-Request-Id": ""}, `{"total":"x"}`}.check(t, newSpec(t))
	for _, want := range []string{
		"GET /api/v1/logs, answered 200, breaks the contract", "no credential", "was accepted", "X-Request-Id is missing",
		"body/total: type", `property "data" is missing`,
	} {
		require.ErrorContains(t, err, want)
	}
}

// A failing test prints the error: none may hold a password, a token or a row.
func TestSpec_CheckNeverPrintsValues(t *testing.T) {
	t.Parallel()
	s := newSpec(t)
	for name, tr := range map[string]trade{
		"request body":     {"POST", "/api/v1/auth/login", "", "application/json", `{"username":"` + noSecret + `","password":"` + strings.Repeat(noSecret, 9) + `"}`, 200, nil, "{}"},
		"request no JSON":  {"POST", "/api/v1/auth/login", "", "application/json", `{"username":` + noSecret, 200, nil, "{}"},
		"query":            {"GET", "/api/v1/logs?limit=" + noSecret + "&token=" + noSecret, noSecret, "", "", 200, nil, emptyLog},
		"path":             {"GET", "/api/v1/attackers/" + noSecret, "", "", "", 200, nil, "{}"},
		"unknown path":     {"GET", "/api/v1/" + noSecret, "", "", "", 200, nil, "{}"},
		"response":         {"GET", "/api/v1/logs", "t", "", "", 200, nil, `{"total":"` + noSecret + `","limit":["` + noSecret + `"],"offset":{"a":"` + noSecret + `"},"data":"` + noSecret + `"}`},
		"response enum":    {"GET", "/healthz", "", "", "", 200, nil, `{"status":"` + noSecret + `"}`},
		"response format":  {"GET", "/api/v1/logs", "t", "", "", 200, nil, page(strings.Replace(logRow, "2026-04-17T19:30:11Z", noSecret, 1))},
		"response pattern": {"POST", "/api/v1/auth/login", "", "application/json", newUser, 200, nil, `{"access_token":"` + noSecret + `","token_type":"bearer","must_change_password":false}`},
		"problem":          {"GET", "/api/v1/stats", "t", "", "", 500, nil, problem(500, noSecret)},
		"header":           {"GET", "/api/v1/stats", "t", "", "", 200, map[string]string{"Etag": noSecret, "Cache-Control": noSecret, "Content-Type": noSecret}, stats},
		"number header":    {"POST", "/api/v1/auth/login", "", "application/json", newUser, 429, map[string]string{"Retry-After": noSecret}, "{}"},
		"Allow":            {"PATCH", "/api/v1/stats", "t", "", "", 405, map[string]string{"Allow": noSecret}, problem(405, noSecret)},
		"stream":           {"GET", "/api/v1/stream", "t", "", "", 200, map[string]string{"Content-Type": "text/event-stream"}, "event: " + noSecret + "\ndata: " + noSecret + "\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tr.check(t, s)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), noSecret)
		})
	}
}

// A response may not hold what is write-only, even where nothing else forbids it.
func TestSpec_CheckRefusesSecretsInResponses(t *testing.T) {
	t.Parallel()
	bent := bytes.Replace(decnet.OpenAPI(), []byte("schema: {$ref: '#/components/schemas/User'}\n              example: {uuid"), []byte("schema: {$ref: '#/components/schemas/CreateUser'}\n              x-example: {uuid"), 1)
	require.NotEqual(t, decnet.OpenAPI(), bent)
	s, err := testutil.NewSpec(bent)
	require.NoError(t, err)
	err = trade{"POST", "/api/v1/config/users", "me", "application/json", newUser, 200, nil, newUser}.check(t, s)
	require.ErrorContains(t, err, "body/password: writeOnly")
}

func TestNewSpec_Refuses(t *testing.T) {
	t.Parallel()
	_, err := testutil.NewSpec([]byte("openapi: 3.0.3\ninfo: {title: x, version: '1'}\npaths: {}\n"))
	require.ErrorContains(t, err, "no schema Problem")
	_, err = testutil.NewSpec([]byte("{"))
	require.ErrorContains(t, err, "load the contract")
}

func BenchmarkSpec_Check(b *testing.B) {
	s := newSpec(b)
	for name, tr := range map[string]trade{
		"Stats":    {"GET", "/api/v1/stats", "me", "", "", 200, cached(), stats},
		"User":     {"POST", "/api/v1/config/users", "me", "application/json", newUser, 200, nil, made},
		"Problem":  {"GET", "/api/v1/logs?limit=0", "me", "", "", 422, nil, violations(422)},
		"FiveRows": {"GET", "/api/v1/logs?limit=5&search=ssh", "me", "", "", 200, nil, page(strings.TrimSuffix(strings.Repeat(logRow+",", 5), ","))},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := tr.check(b, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
