package contract_test

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet"
	"decnet/contract"
)

// load returns the contract of the service.
func load(tb testing.TB) *contract.Contract {
	tb.Helper()
	c, err := contract.Load(decnet.OpenAPI())
	require.NoError(tb, err)
	return c
}

// operation returns an operation of the service.
func operation(tb testing.TB, method, path string) *contract.Operation {
	tb.Helper()
	op, ok := load(tb).Operation(method, path)
	require.True(tb, ok, "%s %s", method, path)
	return op
}

// document is the smallest one that loads; the replacements break it or bend it.
func document(replacements ...string) []byte {
	const text = `
openapi: 3.0.3
info: {title: Small, version: "1"}
tags: [{name: things}]
paths:
  /things/{name}:
    put:
      operationId: putThing
      tags: [things]
      x-role: admin
      parameters:
        - {name: name, in: path, required: true, schema: {type: string, pattern: '^[a-z]{1,8}$'}}
        - {name: dry, in: query, x-absent-values: [none], schema: {type: integer, minimum: -2, maximum: 9, default: 3}}
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [size]
              additionalProperties: false
              properties:
                size: {type: integer, minimum: 1, maximum: 1000}
                ratio: {type: number, minimum: 0, maximum: 1}
                on: {type: boolean}
                note: {type: string, nullable: true, maxLength: 4}
                tags: {type: array, minItems: 1, maxItems: 2, items: {type: string, minLength: 1}}
                inner: {type: object, additionalProperties: false, properties: {at: {type: string, format: date-time}}}
                free: {type: object, additionalProperties: true}
      responses:
        '200': {description: Done.}
        '404': {description: No such thing.}
`
	return []byte(strings.NewReplacer(replacements...).Replace(text))
}

func TestLoad_Operations(t *testing.T) {
	t.Parallel()
	c := load(t)
	var names []string
	for _, op := range c.Operations() {
		names = append(names, op.Method+" "+op.Path)
		same, ok := c.Operation(op.Method, op.Path)
		assert.True(t, ok)
		assert.Same(t, op, same)
	}
	assert.IsIncreasing(t, pathsOf(names))
	assert.Contains(t, names, "PUT /api/v1/config/users/{uuid}/role")

	_, ok := c.Operation("GET", "/api/v1/auth/login")
	assert.False(t, ok, "another method")
	_, ok = c.Operation("PUT", "/api/v1/config/users/5f2b6a1e-0c1d-4a8e-9a53-2d6b8f6f6f10/role")
	assert.False(t, ok, "a path with its value")
}

// pathsOf drops repeated paths, so that only their order is left.
func pathsOf(names []string) []string {
	var paths []string
	for _, n := range names {
		_, path, _ := strings.Cut(n, " ")
		if len(paths) == 0 || paths[len(paths)-1] != path {
			paths = append(paths, path)
		}
	}
	return paths
}

func TestLoad_OperationIsWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	op := operation(t, "POST", "/api/v1/config/users")
	assert.Equal(t, "createUser", op.ID)
	assert.Equal(t, []string{"config"}, op.Tags)
	assert.Equal(t, "admin", op.Role)
	assert.Equal(t, []int{200, 400, 401, 403, 409, 413, 415, 422, 500, 503}, op.Statuses)
	assert.True(t, op.HasBody)
	assert.False(t, operation(t, "DELETE", "/api/v1/config/users/{uuid}").HasBody)
}

func TestLoad_JSONIsTheSameDocument(t *testing.T) {
	t.Parallel()
	c := load(t)
	again, err := contract.Load(c.JSON())
	require.NoError(t, err)
	assert.JSONEq(t, string(c.JSON()), string(again.JSON()))
	assert.Len(t, again.Operations(), len(c.Operations()))
}

func TestLoad_Refuses(t *testing.T) {
	t.Parallel()
	_, err := contract.Load(document())
	require.NoError(t, err, "the document that the cases break")

	for name, tt := range map[string]struct {
		old, new, want string
	}{
		"no YAML":                  {"openapi:", "\topenapi:", "read the OpenAPI document"},
		"OpenAPI 3.1":              {"3.0.3", "3.1.0", "not 3.0"},
		"an invalid document":      {"description: Done.", "summary: Done.", "validate"},
		"no operationId":           {"operationId: putThing", "summary: x", "operationId"},
		"no tag":                   {"tags: [things]", "summary: x", "tags"},
		"no role":                  {"x-role: admin", "summary: x", "x-role"},
		"an optional body":         {"requestBody:\n        required: true", "requestBody:\n        required: false", "must be required"},
		"a body with open fields":  {"required: [size]\n              additionalProperties: false", "required: [size]", "additionalProperties"},
		"a range of statuses":      {"'404'", "4XX", "exact statuses"},
		"an optional path value":   {"in: path, required: true,", "in: path,", "must be required"},
		"an unenforced keyword":    {"maxItems: 2", "uniqueItems: true", "uniqueItems is not supported"},
		"an exclusive bound":       {"minimum: 1, maximum: 1000", "minimum: 1, exclusiveMinimum: true", "exclusiveMinimum is not supported"},
		"a choice of schemas":      {"on: {type: boolean}", "on: {oneOf: [{type: boolean}]}", "oneOf is not supported"},
		"a schema without type":    {"on: {type: boolean}", "on: {}", "exactly one type"},
		"an unknown format":        {"format: date-time", "format: moon-phase", "moon-phase is not known"},
		"an integer of 32 bits":    {"on: {type: boolean}", "on: {type: integer, format: int32}", "int32 is not known"},
		"an enum of numbers":       {"on: {type: boolean}", "on: {type: integer, enum: [1]}", "strings only"},
		"a parameter of fractions": {"type: integer, minimum: -2", "type: number, minimum: -2", "type number is not supported"},
		"absent values no list":    {"x-absent-values: [none]", "x-absent-values: none", "not a list"},
		"absent values no texts":   {"x-absent-values: [none]", "x-absent-values: [0]", "strings only"},
		"typed extra fields":       {"additionalProperties: true", "additionalProperties: {type: string}", "additionalProperties is not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broken := document(tt.old, tt.new)
			require.NotEqual(t, document(), broken)
			_, err := contract.Load(broken)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestLoad_RefusesAnExampleThatBreaksItsSchema(t *testing.T) {
	t.Parallel()
	_, err := contract.Load(document("maximum: 1000}", "maximum: 1000, example: 1001}"))
	require.ErrorContains(t, err, "example")
}

// Many requests use one contract at once; the race detector judges.
func TestContract_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := load(t)
	logs, ok := c.Operation("GET", "/api/v1/logs")
	require.True(t, ok)
	users, ok := c.Operation("POST", "/api/v1/config/users")
	require.True(t, ok)
	faults := make([]error, 8)
	var group sync.WaitGroup
	for i := range faults {
		group.Go(func() { faults[i] = useConcurrently(c, logs, users, strings.Repeat("n", i+1)) })
	}
	group.Wait()
	require.NoError(t, errors.Join(faults...))
}

// useConcurrently returns what went wrong, since a goroutine must not end a test.
func useConcurrently(c *contract.Contract, logs, users *contract.Operation, name string) error {
	given, err := logs.Params(map[string][]string{"limit": {"7"}}, nil)
	if err != nil || given.Int("limit") != 7 {
		return fmt.Errorf("a given limit: %w", cmp.Or(err, errors.New("is lost")))
	}
	defaults, err := logs.Params(nil, nil)
	if err != nil || defaults.Int("limit") != 50 {
		return fmt.Errorf("the default limit: %w", cmp.Or(err, errors.New("was overwritten")))
	}
	var into struct{ Username string }
	err = users.Body("application/json", []byte(`{"username":"`+name+`","password":"long enough"}`), &into)
	if err != nil || into.Username != name {
		return fmt.Errorf("a body: %w", cmp.Or(err, errors.New("is another's")))
	}
	_, err = contract.Page(c)
	return err
}
