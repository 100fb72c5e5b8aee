//go:build fuzz

package engine

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parcels is an API whose service knows more than its document may tell: TOO
// is the place of a 431, CODE the schema of a code, EXPORT that of an export.
const parcels = `
openapi: 3.0.3
info: {title: parcels, version: "1"}
paths:
  /parcels:
    get:
      operationId: listParcels
      parameters:
        - {name: code, in: query, schema: CODE}
      responses:
        '200': {description: ok}
        '422': {description: no code}
        TOO
    post:
      operationId: sendParcel
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [codes], properties: {codes: {type: array, minItems: 1, maxItems: 2, items: CODE}}}
      responses: {'200': {description: ok}, '415': {description: no JSON}, '422': {description: no code}}
  /export:
    get:
      operationId: exportParcels
      responses: {'200': {description: ok, content: {application/yaml: {schema: EXPORT}}}}
`

// parcelCode is what the format parcel-code means: there is no parcel 00.
var parcelCode = regexp.MustCompile(`^[a-z]{2}-([1-9][0-9]|[0-9][1-9])$`)

// office is the service of the parcels, without a defect.
type office struct{}

// ServeHTTP implements [http.Handler].
func (office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	good := true
	switch {
	case r.URL.EscapedPath() == "/export" && r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write([]byte("parcels:\n  - at: 2026-04-17\n    1: ab-10\n"))
		return
	case r.URL.EscapedPath() != "/parcels":
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Method == http.MethodGet:
		codes := r.URL.Query()["code"]
		good = len(codes) == 0 || len(codes) == 1 && parcelCode.MatchString(codes[0])
	case r.Method == http.MethodPost:
		raw, _ := io.ReadAll(r.Body)
		value, err := parseJSON(raw)
		body, _ := value.(map[string]any)
		list, _ := body["codes"].([]any)
		good = err == nil && len(list) > 0
		for _, code := range list {
			text, _ := code.(string)
			good = good && parcelCode.MatchString(text)
		}
	}
	if !good {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
}

// parcelRun covers the API with a document of these parts.
func parcelRun(t *testing.T, tooLarge, code, export, check string) *Report {
	t.Helper()
	document := strings.NewReplacer("TOO", tooLarge, "CODE", code, "EXPORT", export).Replace(parcels)
	spec, err := LoadSpec([]byte(document), SpecOptions{Formats: []Format{{Name: "parcel-code", Valid: parcelCode.MatchString}}})
	require.NoError(t, err)
	only, ok := CheckNamed(check)
	require.True(t, ok)
	report, err := Run(t.Context(), Config{
		Spec: spec, Seed: 5, Phases: []string{PhaseCoverage}, Checks: []Check{only},
		New: func(context.Context, string) (*World, error) {
			return &World{Handler: office{}, Server: limited}, nil
		},
	})
	require.NoError(t, err)
	assert.Positive(t, report.Calls)
	return report
}

func limited(h http.Handler) *http.Server { return &http.Server{Handler: h, MaxHeaderBytes: 8 << 10} }

// TestRun_FindsWhatTheDocumentDoesNotTell aims at a service without a fault.
func TestRun_FindsWhatTheDocumentDoesNotTell(t *testing.T) {
	t.Parallel()
	const (
		told    = `'431': {description: too large}`
		pattern = `{type: string, maxLength: 9, format: parcel-code, pattern: '^[a-z]{2}-[0-9]{2}$'}`
		vague   = `{type: string, maxLength: 9, format: parcel-code}`
		object  = `{type: object, required: [parcels]}`
	)
	for name, c := range map[string]struct {
		tooLarge, code, export string
		check                  string
		found                  []string // operations
	}{
		"431":             {`'403': {description: no}`, pattern, object, "status_code_conformance", []string{"listParcels"}},
		"431, told":       {told, pattern, object, "status_code_conformance", nil},
		"format":          {told, vague, object, "format_is_told", []string{"listParcels", "sendParcel"}},
		"format, told":    {told, pattern, object, "format_is_told", nil},
		"YAML":            {told, pattern, `{type: string}`, "response_schema_conformance", []string{"exportParcels"}},
		"YAML, told":      {told, pattern, object, "response_schema_conformance", nil},
		"YAML, left open": {told, pattern, `{}`, "response_schema_conformance", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := parcelRun(t, c.tooLarge, c.code, c.export, c.check)
			var found []string
			for _, f := range report.Failures {
				found = append(found, f.Operation)
			}
			assert.ElementsMatch(t, c.found, found)
		})
	}
}

// TestWorld_KeepsTheLimitsOfItsServer sends heads on both sides of the limit, and
// wants of what is let through that the handler sees it whole.
func TestWorld_KeepsTheLimitsOfItsServer(t *testing.T) {
	t.Parallel()
	seen := 0
	w := &World{Server: limited, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen++
		body, _ := io.ReadAll(r.Body)
		assert.Equal(t, "the body", string(body))
		assert.Equal(t, "192.0.2.10:40000", r.RemoteAddr)
		w.Header().Set("X-Length", statusText(len(r.URL.RawQuery)))
		_, _ = w.Write(body)
	})}
	for _, c := range []struct{ length, status int }{
		{100, 200}, {8 << 10, 200}, {20 << 10, 431}, {8<<10 + 100, 200}, {1 << 20, 431},
	} {
		body := "the body"
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, baseURL+"/a?"+strings.Repeat("a", c.length), strings.NewReader(body))
		require.NoError(t, err)
		x := w.send(req, []byte(body), false)
		require.Empty(t, x.Broken, c.length)
		require.Equal(t, c.status, x.Status, c.length)
		if c.status == http.StatusOK {
			assert.Equal(t, body, string(x.Body))
			assert.Equal(t, statusText(c.length), x.Header.Get("X-Length"))
		}
	}
	assert.Equal(t, 3, seen)
}

// TestWorld_HearsARefusalWhileItWrites sends many heads that are refused before
// they are read to their end: each answer must be heard.
func TestWorld_HearsARefusalWhileItWrites(t *testing.T) {
	t.Parallel()
	w := &World{Server: limited, Handler: office{}, closing: &sync.WaitGroup{}}
	defer w.closing.Wait()
	for range 300 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, baseURL+"/a?"+strings.Repeat("a", hugeText), nil)
		require.NoError(t, err)
		x := w.send(req, nil, false)
		require.Empty(t, x.Broken)
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, x.Status)
		require.Equal(t, "431 Request Header Fields Too Large", string(x.Body))
	}
}
