package contract_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/contract"
)

type newUser struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Role     string `json:"role"`
}

const secret = "hunter2-hunter2"

func TestBody_Decodes(t *testing.T) {
	t.Parallel()
	op := operation(t, "POST", "/api/v1/config/users")
	for name, tt := range map[string]struct {
		body string
		want newUser
	}{
		"all":               {`{"username":"ann","password":"` + secret + `","role":"admin"}`, newUser{"ann", secret, "admin"}},
		"without optional":  {" \r\n\t{ \"password\" : \"" + secret + "\", \"username\" : \"ann\" } \n", newUser{"ann", secret, ""}},
		"escapes":           {`{"username":"\u00e4\ud83d\ude00\/\\\"","password":"a\u0000bcdefgh"}`, newUser{"ä😀/\\\"", "a\x00bcdefgh", ""}},
		"an escaped key":    {`{"user\u006eame":"ann","password":"` + secret + `"}`, newUser{"ann", secret, ""}},
		"the first pair":    {`{"username":"\ud800\udc00","password":"` + secret + `"}`, newUser{"\U00010000", secret, ""}},
		"the last pair":     {`{"username":"\uDBFF\uDFFF","password":"` + secret + `"}`, newUser{"\U0010FFFF", secret, ""}},
		"beside the halves": {`{"username":"\ud7ff\ue000","password":"` + secret + `"}`, newUser{"\ud7ff\ue000", secret, ""}},
		"markup":            {`{"username":"<b>&","password":"` + secret + `"}`, newUser{"<b>&", secret, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got newUser
			require.NoError(t, op.Body("application/json", []byte(tt.body), &got))
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestBody_Violations(t *testing.T) {
	t.Parallel()
	c := load(t)
	const users, limit, interval = "POST /api/v1/config/users", "PUT /api/v1/config/deployment-limit", "PUT /api/v1/config/global-mutation-interval"
	user := func(username, password string) string {
		return `{"username":"` + username + `","password":"` + password + `"}`
	}
	for name, tt := range map[string]struct {
		op, body         string
		status           int // 0 for a valid body
		pointer, keyword string
		detail           string
	}{
		"empty":                    {users, "", 400, "", "json", "the body must be exactly one JSON value"},
		"white space":              {users, " \n", 400, "", "json", "the body must be exactly one JSON value"},
		"no JSON":                  {users, "username=ann", 400, "", "json", "the body must be exactly one JSON value"},
		"cut short":                {users, `{"username":"ann"`, 400, "", "json", "the body must be exactly one JSON value"},
		"a second value":           {limit, `{"deployment_limit":1}{}`, 400, "", "json", "the body must be exactly one JSON value"},
		"garbage after":            {limit, `{"deployment_limit":1}x`, 400, "", "json", "the body must be exactly one JSON value"},
		"NUL after":                {limit, "{\"deployment_limit\":1}\x00", 400, "", "json", "the body must be exactly one JSON value"},
		"a byte order mark":        {limit, "\ufeff{\"deployment_limit\":1}", 400, "", "json", "the body must be exactly one JSON value"},
		"UTF-16":                   {limit, "{\x00}\x00", 400, "", "json", "the body must be exactly one JSON value"},
		"single quotes":            {limit, `{'deployment_limit':1}`, 400, "", "json", "the body must be exactly one JSON value"},
		"a trailing comma":         {limit, `{"deployment_limit":1,}`, 400, "", "json", "the body must be exactly one JSON value"},
		"a comment":                {limit, `{"deployment_limit":1/**/}`, 400, "", "json", "the body must be exactly one JSON value"},
		"NaN":                      {limit, `{"deployment_limit":NaN}`, 400, "", "json", "the body must be exactly one JSON value"},
		"a raw control character":  {users, user("a\tb", secret), 400, "", "json", "the body must be exactly one JSON value"},
		"a raw NUL":                {users, user("a\x00b", secret), 400, "", "json", "the body must be exactly one JSON value"},
		"not UTF-8":                {users, user("a\xff", secret), 400, "", "encoding", "the body must be valid UTF-8"},
		"an overlong NUL":          {users, user("a\xc0\x80", secret), 400, "", "encoding", "the body must be valid UTF-8"},
		"half a surrogate pair":    {users, user(`a\ud83d`, secret), 400, "", "encoding", "the body must not escape half of a surrogate pair"},
		"the other half":           {users, user(`a\ude00b`, secret), 400, "", "encoding", "the body must not escape half of a surrogate pair"},
		"two first halves":         {users, user(`\ud83d\ud83d`, secret), 400, "", "encoding", "the body must not escape half of a surrogate pair"},
		"half and a letter":        {users, user(`\ud83d\u0041`, secret), 400, "", "encoding", "the body must not escape half of a surrogate pair"},
		"half and what is behind":  {users, user(`\ud83d\ue000`, secret), 400, "", "encoding", "the body must not escape half of a surrogate pair"},
		"an escaped backslash":     {users, user(`\\ud83d`, secret), 0, "", "", ""},
		"null":                     {users, "null", 400, "", "type", "the body must not be null"},
		"an array":                 {users, "[]", 400, "", "type", "the body must be an object"},
		"a string":                 {users, `"` + secret + `"`, 400, "", "type", "the body must be an object"},
		"a number":                 {users, "1", 400, "", "type", "the body must be an object"},
		"a missing field":          {users, `{"username":"ann"}`, 400, "/password", "required", "password must be given"},
		"a null field":             {users, `{"username":"ann","password":null}`, 400, "/password", "type", "password must not be null"},
		"a number as string":       {users, `{"username":1,"password":"` + secret + `"}`, 400, "/username", "type", "username must be a string"},
		"an object as string":      {users, `{"username":{},"password":"` + secret + `"}`, 400, "/username", "type", "username must be a string"},
		"an unknown field":         {users, `{"username":"ann","password":"` + secret + `","x":1}`, 400, "/x", "additionalProperties", "x must not be given: there is no such field"},
		"a field in capitals":      {limit, `{"deployment_limit":1,"Deployment_Limit":2}`, 400, "/Deployment_Limit", "additionalProperties", "Deployment_Limit must not be given: there is no such field"},
		"a repeated key":           {limit, `{"deployment_limit":1,"deployment_limit":2}`, 400, "/deployment_limit", "duplicate", "deployment_limit must be given at most once"},
		"a repeated escaped key":   {limit, `{"deployment_limit":1,"deployment\u005flimit":1}`, 400, "/deployment_limit", "duplicate", "deployment_limit must be given at most once"},
		"a name too short":         {users, user("", secret), 400, "/username", "minLength", "username must have at least 1 character"},
		"a name of 64":             {users, user(strings.Repeat("n", 64), secret), 0, "", "", ""},
		"a name of 65":             {users, user(strings.Repeat("n", 65), secret), 422, "/username", "maxLength", "username must have at most 64 characters"},
		"a name of 64 wide":        {users, user(strings.Repeat("😀", 64), secret), 0, "", "", ""},
		"a name of 65 wide":        {users, user(strings.Repeat("😀", 65), secret), 422, "/username", "maxLength", "username must have at most 64 characters"},
		"a name with a control":    {users, user(`a\u001bb`, secret), 422, "/username", "pattern", `username must match the pattern ^[^\x00-\x1F\x7F]*$`},
		"a name with a newline":    {users, user(`ann\n`, secret), 422, "/username", "pattern", `username must match the pattern ^[^\x00-\x1F\x7F]*$`},
		"a password of 7":          {users, user("ann", "1234567"), 400, "/password", "minLength", "password must have at least 8 characters"},
		"a password of 7 wide":     {users, user("ann", "ééééééé"), 400, "/password", "minLength", "password must have at least 8 characters"},
		"a password of 8":          {users, user("ann", "12345678"), 0, "", "", ""},
		"a password of 72":         {users, user("ann", strings.Repeat("p", 72)), 0, "", "", ""},
		"a password of 72 wide":    {users, user("ann", strings.Repeat("é", 72)), 0, "", "", ""},
		"a password of 73":         {users, user("ann", strings.Repeat("p", 73)), 422, "/password", "maxLength", "password must have at most 72 characters"},
		"a role unknown":           {users, `{"username":"ann","password":"` + secret + `","role":"root"}`, 422, "/role", "enum", "role must be one of admin, viewer"},
		"limit 0":                  {limit, `{"deployment_limit":0}`, 422, "/deployment_limit", "minimum", "deployment_limit must be at least 1"},
		"limit -0":                 {limit, `{"deployment_limit":-0}`, 422, "/deployment_limit", "minimum", "deployment_limit must be at least 1"},
		"limit 1":                  {limit, `{"deployment_limit":1}`, 0, "", "", ""},
		"limit 500":                {limit, `{"deployment_limit":500}`, 0, "", "", ""},
		"limit 501":                {limit, `{"deployment_limit":501}`, 422, "/deployment_limit", "maximum", "deployment_limit must be at most 500"},
		"limit of 40 digits":       {limit, `{"deployment_limit":` + strings.Repeat("9", 40) + `}`, 422, "/deployment_limit", "maximum", "deployment_limit must be at most 500"},
		"limit of 400 digits":      {limit, `{"deployment_limit":` + strings.Repeat("9", 400) + `}`, 422, "/deployment_limit", "maximum", "deployment_limit must be at most 500"},
		"limit of a huge exponent": {limit, `{"deployment_limit":-1e999999999}`, 422, "/deployment_limit", "minimum", "deployment_limit must be at least 1"},
		"limit with a fraction":    {limit, `{"deployment_limit":1.5}`, 400, "/deployment_limit", "type", "deployment_limit must be an integer"},
		"limit as a string":        {limit, `{"deployment_limit":"5"}`, 400, "/deployment_limit", "type", "deployment_limit must be an integer"},
		"limit as true":            {limit, `{"deployment_limit":true}`, 400, "/deployment_limit", "type", "deployment_limit must be an integer"},
		"interval":                 {interval, `{"global_mutation_interval":"30m"}`, 0, "", "", ""},
		"interval of a hostile":    {interval, `{"global_mutation_interval":"30m\n"}`, 422, "/global_mutation_interval", "pattern", "global_mutation_interval must match the pattern ^[1-9][0-9]*[mdMyY]$"},
		"interval of zero":         {interval, `{"global_mutation_interval":"0m"}`, 422, "/global_mutation_interval", "pattern", "global_mutation_interval must match the pattern ^[1-9][0-9]*[mdMyY]$"},
		"interval too long":        {interval, `{"global_mutation_interval":"1` + strings.Repeat("0", 60) + `m"}`, 422, "/global_mutation_interval", "maxLength", "global_mutation_interval must have at most 10 characters"},
		"interval as null":         {interval, `{"global_mutation_interval":null}`, 400, "/global_mutation_interval", "type", "global_mutation_interval must not be null"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method, path, _ := strings.Cut(tt.op, " ")
			op, ok := c.Operation(method, path)
			require.True(t, ok)
			var into any
			err := op.Body("application/json", []byte(tt.body), &into)
			if tt.status == 0 {
				require.NoError(t, err)
				return
			}
			status, v := only(t, err)
			assert.Equal(t, tt.status, status)
			assert.Equal(t, contract.Violation{In: "body", Name: tt.pointer, Keyword: tt.keyword, Detail: tt.detail}, v)
			assert.Nil(t, into, "nothing is decoded")
			assert.NotContains(t, err.Error(), secret)
		})
	}
}

func TestBody_FormBeatsBounds(t *testing.T) {
	t.Parallel()
	op := operation(t, "POST", "/api/v1/config/users")
	var v *contract.Violations

	err := op.Body("application/json", []byte(`{"username":"`+strings.Repeat("n", 65)+`","password":"short"}`), &newUser{})
	require.ErrorAs(t, err, &v)
	assert.Equal(t, 400, v.Status, "one too long, one too short")
	require.EqualError(t, err, "password must have at least 8 characters; username must have at most 64 characters")

	err = op.Body("application/json", []byte(`{"username":"`+strings.Repeat("n", 65)+`","password":"`+strings.Repeat("p", 73)+`"}`), &newUser{})
	require.ErrorAs(t, err, &v)
	assert.Equal(t, 422, v.Status, "both too long")
}

// A body may be as hostile as it likes: the list stays short and so do names.
func TestBody_BoundsItsAnswer(t *testing.T) {
	t.Parallel()
	op := operation(t, "PUT", "/api/v1/config/deployment-limit")
	var b strings.Builder
	b.WriteString(`{"deployment_limit":1`)
	for i := range 1000 {
		b.WriteString(`,"` + strings.Repeat("k", 200+i) + `":1`)
	}
	b.WriteString("}")
	err := op.Body("application/json", []byte(b.String()), &struct{}{})
	var v *contract.Violations
	require.ErrorAs(t, err, &v)
	assert.Equal(t, 400, v.Status)
	assert.Len(t, v.List, contract.MaxViolations)
	assert.Less(t, len(err.Error()), 4096)
}

func TestBody_Depth(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(document())
	require.NoError(t, err)
	op, ok := c.Operation("PUT", "/things/{name}")
	require.True(t, ok)
	nested := func(depth int) []byte { // the body itself and "free" are two levels
		return []byte(`{"size":1,"free":{"a":` + strings.Repeat("[", depth-2) + strings.Repeat("]", depth-2) + `}}`)
	}
	var into any
	require.NoError(t, op.Body("application/json", nested(contract.MaxDepth), &into))

	for name, body := range map[string][]byte{
		"one level more":      nested(contract.MaxDepth + 1),
		"a bomb":              []byte(strings.Repeat(`[`, 5_000_000)),
		"a bomb of objects":   []byte(strings.Repeat(`{"a":`, 1_000_000)),
		"a bomb after quotes": []byte(`{"\\":"\"[","a":` + strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100) + `}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, v := only(t, op.Body("application/json", body, &into))
			assert.Equal(t, 400, status)
			assert.Equal(t, contract.Violation{In: "body", Keyword: "depth", Detail: "the body must nest at most 32 deep"}, v)
		})
	}
	brackets := `{"size":1,"note":"[[[["}`
	require.NoError(t, op.Body("application/json", []byte(brackets), &into), "brackets in a string do not nest")
	beside := `{"size":1,"free":{"a":[` + strings.Repeat("[],{},", 2*contract.MaxDepth) + `0]}}`
	require.NoError(t, op.Body("application/json", []byte(beside), &into), "nor do those that stand side by side")
}

func TestBody_AllTypes(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(document())
	require.NoError(t, err)
	op, ok := c.Operation("PUT", "/things/{name}")
	require.True(t, ok)
	for name, tt := range map[string]struct{ fields, want string }{
		"an integer with an exponent": {`"size":1e2`, ""},
		"an integer with a fraction":  {`"size":7.0`, ""},
		"a ratio":                     {`"ratio":0.5`, ""},
		"a ratio above":               {`"ratio":1.0001`, "ratio must be at most 1"},
		"a ratio as text":             {`"ratio":"0.5"`, "ratio must be a number"},
		"a switch":                    {`"on":false`, ""},
		"a switch as number":          {`"on":0`, "on must be true or false"},
		"a note of null":              {`"note":null`, ""},
		"a note too long":             {`"note":"12345"`, "note must have at most 4 characters"},
		"tags":                        {`"tags":["a","b"]`, ""},
		"tags as an object":           {`"tags":{}`, "tags must be an array"},
		"no tags":                     {`"tags":[]`, "tags must have at least 1 items"},
		"too many tags":               {`"tags":["a","b","c"]`, "tags must have at most 2 items"},
		"a tag of a wrong type":       {`"tags":["a",1]`, "tags.1 must be a string"},
		"a tag too short":             {`"tags":["a",""]`, "tags.1 must have at least 1 character"},
		"an inner time":               {`"inner":{"at":"2026-04-17T19:30:11Z"}`, ""},
		"an inner time gone wrong":    {`"inner":{"at":"then"}`, "inner.at must be an RFC 3339 time"},
		"an unknown inner field":      {`"inner":{"a/b~":1}`, "inner.a~1b~0 must not be given: there is no such field"},
		"an inner key twice":          {`"inner":{"at":"2026-04-17T19:30:11Z","at":"2026-04-17T19:30:11Z"}`, "inner.at must be given at most once"},
		"free fields":                 {`"free":{"x":[{"y":null}]}`, ""},
		"a free key twice":            {`"free":{"x":[{"y":1,"y":2}]}`, "free.x.0.y must be given at most once"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := "{" + tt.fields + "}"
			if !strings.Contains(body, `"size"`) {
				body = `{"size":1,` + tt.fields + "}"
			}
			var into struct{ Size int }
			err := op.Body("application/json", []byte(body), &into)
			if tt.want == "" {
				require.NoError(t, err)
				assert.Positive(t, into.Size)
				return
			}
			require.EqualError(t, err, tt.want)
		})
	}
	var into struct{ Size int }
	require.NoError(t, op.Body("application/json", []byte(`{"size":1e2}`), &into))
	assert.Equal(t, 100, into.Size)
}

// A float64 holds no integer above 2^53 exactly, so these must not pass through one.
func TestBody_LargeIntegersKeepTheirValue(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(document("size: {type: integer, minimum: 1, maximum: 1000}", "size: {type: integer}"))
	require.NoError(t, err)
	op, ok := c.Operation("PUT", "/things/{name}")
	require.True(t, ok)
	for text, want := range map[string]int64{
		"9007199254740991": 1<<53 - 1, "9007199254740993": 1<<53 + 1, "-9007199254740993": -1<<53 - 1,
		"9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64, "4503599627370496.0": 1 << 52,
	} {
		var into struct{ Size int64 }
		require.NoError(t, op.Body("application/json", []byte(`{"size":`+text+`}`), &into), text)
		assert.Equal(t, want, into.Size, text)
	}
}

// Zero is a bound like any other.
func TestBody_NothingMayBeAllThatIsAllowed(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(document("nullable: true, maxLength: 4", "maxLength: 0", "minItems: 1, maxItems: 2", "maxItems: 0"))
	require.NoError(t, err)
	op, ok := c.Operation("PUT", "/things/{name}")
	require.True(t, ok)
	var into any
	require.NoError(t, op.Body("application/json", []byte(`{"size":1,"note":"","tags":[]}`), &into))
	require.EqualError(t, op.Body("application/json", []byte(`{"size":1,"note":"x","tags":["a"]}`), &into),
		"note must have at most 0 characters; tags must have at most 0 items")

	c, err = contract.Load(document("nullable: true, maxLength: 4", "minLength: 0", "minItems: 1, maxItems: 2", "minItems: 0"))
	require.NoError(t, err)
	op, ok = c.Operation("PUT", "/things/{name}")
	require.True(t, ok)
	require.NoError(t, op.Body("application/json", []byte(`{"size":1,"note":"longer","tags":["a","b","c"]}`), &into), "where there is no bound there is none")
}

func TestBody_ContentType(t *testing.T) {
	t.Parallel()
	op := operation(t, "POST", "/api/v1/auth/login")
	body := []byte(`{"username":"ann","password":"x"}`)
	for contentType, want := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, `Application/JSON;charset="UTF-8"`: true,
		"": false, "json": false, "text/json": false, "text/plain": false, "application/json; charset=latin1": false,
		"application/problem+json": false, "application/x-www-form-urlencoded": false, "application/json;": true, "application/json; charset": false,
	} {
		t.Run(contentType, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, want, op.Accepts(contentType))
			var into newUser
			err := op.Body(contentType, body, &into)
			if want {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, contract.ErrContentType)
			}
		})
	}
}

func TestBody_ProgrammerErrors(t *testing.T) {
	t.Parallel()
	var v *contract.Violations
	err := operation(t, "GET", "/api/v1/stats").Body("application/json", []byte("{}"), &struct{}{})
	require.ErrorIs(t, err, contract.ErrNoBody)

	var wrong struct{ Username int }
	err = operation(t, "POST", "/api/v1/auth/login").Body("application/json", []byte(`{"username":"ann","password":"`+secret+`"}`), &wrong)
	require.ErrorContains(t, err, "body of login")
	assert.NotErrorAs(t, err, &v, "not the client's fault")
	assert.NotContains(t, err.Error(), secret)
}

func TestBody_ViolationsAreJSON(t *testing.T) {
	t.Parallel()
	_, v := only(t, operation(t, "PUT", "/api/v1/config/deployment-limit").Body("application/json", []byte(`{"deployment_limit":0}`), &struct{}{}))
	got, err := json.Marshal(v)
	require.NoError(t, err)
	assert.JSONEq(t, `{"in":"body","name":"/deployment_limit","keyword":"minimum","detail":"deployment_limit must be at least 1"}`, string(got))
}

// The sentence on a field that the client made up always has a subject, and
// nothing of it is raw.
func TestBody_OddNamesOfFieldsAreQuoted(t *testing.T) {
	t.Parallel()
	op, ok := load(t).Operation("POST", "/api/v1/auth/login")
	require.True(t, ok)
	for name, want := range map[string]string{
		"": `the field "" must`, "x": "x must", "a b": `the field "a b" must`, "\x1b[2J\n": `the field "\x1b[2J\n" must`, "é": `the field "\u00e9" must`,
	} {
		body, err := json.Marshal(map[string]any{"username": "u", "password": "p", name: 1})
		require.NoError(t, err)
		var into any
		var violations *contract.Violations
		require.ErrorAs(t, op.Body("application/json", body, &into), &violations)
		assert.True(t, strings.HasPrefix(violations.List[0].Detail, want), violations.List[0].Detail)
	}
}

// What of a field's name is repeated is cut by characters, and only where it is
// longer than may be.
func TestBody_LongNamesOfFieldsAreCut(t *testing.T) {
	t.Parallel()
	op := operation(t, "PUT", "/api/v1/config/deployment-limit")
	for _, letter := range []string{"k", "é", "😀"} {
		for n, want := range map[int]string{63: strings.Repeat(letter, 63), 64: strings.Repeat(letter, 64), 65: strings.Repeat(letter, 64) + "…"} {
			body, err := json.Marshal(map[string]int{"deployment_limit": 1, strings.Repeat(letter, n): 1})
			require.NoError(t, err)
			_, v := only(t, op.Body("application/json", body, &struct{}{}))
			assert.Equal(t, "/"+want, v.Name)
		}
	}
}
