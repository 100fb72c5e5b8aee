//go:build fuzz

package fuzz

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"decnet/fuzz/engine"
)

// notesSpec describes a service that has what ours has not: a resource that is
// read and deleted under one path, and a required header.
const notesSpec = `
openapi: 3.0.3
info: {title: notes, version: '1'}
paths:
  /notes:
    post:
      operationId: createNote
      parameters:
        - {name: X-Key, in: header, required: true, schema: {type: string, minLength: 1}}
      responses:
        '201':
          description: made
          content: {application/json: {schema: {type: object, required: [id], properties: {id: {type: string}}}}}
          links:
            read: {operationId: getNote, parameters: {id: $response.body#/id}}
            delete: {operationId: deleteNote, parameters: {id: $response.body#/id}}
        '422': {description: refused}
  /notes/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
    get:
      operationId: getNote
      responses: {'200': {description: there}, '404': {description: gone}}
    delete:
      operationId: deleteNote
      responses: {'204': {description: gone}, '404': {description: gone}}
`

// notes is that service. It has the defects that the flags name.
type notes struct {
	mu   sync.Mutex
	made map[string]bool
	// headerOptional takes a note without its header, undead goes on showing what
	// was deleted, forgetful shows nothing that was made.
	headerOptional, undead, forgetful bool
}

// ServeHTTP implements http.Handler.
func (n *notes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id, _ := strings.CutPrefix(r.URL.Path, "/notes/")
	switch {
	case r.URL.Path == "/notes" && r.Method == http.MethodPost:
		if r.Header.Get("X-Key") == "" && !n.headerOptional {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		id = strconv.Itoa(len(n.made) + 1)
		n.made[id] = !n.forgetful
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"` + id + `"}`))
	case !n.made[id]:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodDelete:
		n.made[id] = n.undead
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusOK)
	}
}

// onNotes aims the run at a notes service with a defect, and at one check, since
// the service keeps none of our own rules.
func onNotes(check string, breakIt func(n *notes)) func(t testing.TB, c *engine.Config) {
	return func(t testing.TB, c *engine.Config) {
		t.Helper()
		spec, err := engine.LoadSpec([]byte(notesSpec), engine.SpecOptions{})
		require.NoError(t, err)
		c.Spec, c.Plan, c.Relations, c.Forged, c.Tokens, c.Actions = spec, nil, nil, nil, nil, nil
		c.New = func(context.Context, string) (*engine.World, error) {
			n := &notes{made: map[string]bool{}}
			breakIt(n)
			return &engine.World{Handler: n}, nil
		}
		only(check)(t, c)
	}
}
