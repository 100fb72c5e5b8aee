package contract_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet"
	"decnet/contract"
)

// These tests hold openapi.yaml to its own house rules.

// raw returns the parsed form of an operation.
func raw(c *contract.Contract, op *contract.Operation) (*openapi3.PathItem, *openapi3.Operation) {
	item := c.Doc().Paths.Value(op.Path)
	return item, item.GetOperation(op.Method)
}

func TestDocument_Operations(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, op := range c.Operations() {
		t.Run(op.ID, func(t *testing.T) {
			t.Parallel()
			_, spec := raw(c, op)
			assert.NotEmpty(t, spec.Summary)
			assert.NotEmpty(t, spec.Description)
			assert.Len(t, op.Tags, 1)
			assert.NotNil(t, c.Doc().Tags.Get(op.Tags[0]), "the tag is described")
			assert.Contains(t, op.Statuses, 500)
			assert.Contains(t, op.Statuses, 422, "any query can be malformed")
			if op.HasBody {
				assert.Subset(t, op.Statuses, []int{400, 413, 415})
				assert.NotNil(t, spec.RequestBody.Value.Content["application/json"].Example)
			} else {
				assert.NotContains(t, op.Statuses, 400)
			}
			checkRole(t, op, spec)
		})
	}
}

func checkRole(t *testing.T, op *contract.Operation, spec *openapi3.Operation) {
	t.Helper()
	switch op.Role {
	case "none":
		assert.NotContains(t, op.Statuses, 403)
		require.NotNil(t, spec.Security)
		assert.True(t, len(*spec.Security) == 0 || len((*spec.Security)[0]) == 0, "a token is optional")
	case "any":
		assert.Contains(t, op.Statuses, 401)
		assert.NotContains(t, op.Statuses, 403)
	case "viewer", "admin":
		assert.Subset(t, op.Statuses, []int{401, 403})
		exceptions := map[string]bool{"explainLine": true, "listSensors": true} // stores nothing; is no viewer's business
		assert.Equal(t, op.Role == "admin", (op.Method != "GET") != exceptions[op.ID], "viewers read, admins write")
	case "sensor":
		assert.Contains(t, op.Statuses, 401)
		assert.Equal(t, openapi3.SecurityRequirements{{"sensor": []string{}}}, *spec.Security)
	default:
		assert.Fail(t, "unknown role", op.Role)
	}
}

func TestDocument_Parameters(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, op := range c.Operations() {
		item, spec := raw(c, op)
		for _, ref := range slices.Concat(item.Parameters, spec.Parameters) {
			p := ref.Value
			assert.NotEmpty(t, p.Description, "%s %s", op.ID, p.Name)
			assert.NotNil(t, p.Example, "%s %s", op.ID, p.Name)
			if p.In != "query" {
				continue
			}
			absent, err := contract.AbsentValues(p)
			require.NoError(t, err)
			assert.Equal(t, []string{"", "null", "NULL", "undefined"}, absent, "%s %s", op.ID, p.Name)
			s := p.Schema.Value
			if s.Type.Is("integer") {
				assert.NotNil(t, s.Min, "%s %s", op.ID, p.Name)
				assert.NotNil(t, s.Max, "%s %s", op.ID, p.Name)
			} else {
				assert.True(t, s.MaxLength != nil || len(s.Enum) > 0, "%s %s is not bounded", op.ID, p.Name)
			}
			if s.Type.Is("string") && len(s.Enum) == 0 {
				assert.Contains(t, op.Statuses, http.StatusRequestHeaderFieldsTooLarge, "%s: %s may be longer than a head", op.ID, p.Name)
			}
		}
	}
}

func TestDocument_Responses(t *testing.T) {
	t.Parallel()
	c := load(t)
	for _, op := range c.Operations() {
		_, spec := raw(c, op)
		for _, status := range op.Statuses {
			r := spec.Responses.Status(status).Value
			where := op.ID + " " + strconv.Itoa(status)
			if status == http.StatusRequestHeaderFieldsTooLarge {
				assert.Contains(t, r.Content, "text/plain", where)
				continue // net/http answers before anything of ours sees the request
			}
			for _, name := range []string{"X-Request-Id", "Cache-Control"} {
				if assert.NotNil(t, r.Headers[name], "%s %s", where, name) {
					assert.True(t, r.Headers[name].Value.Required, "%s %s", where, name)
				}
			}
			switch status {
			case 401:
				assert.NotNil(t, r.Headers["WWW-Authenticate"], where)
			case 429:
				assert.NotNil(t, r.Headers["Retry-After"], where)
			case 503:
				assert.NotNil(t, r.Headers["Retry-After"], where)
			case 304:
				assert.Empty(t, r.Content, where)
				continue
			}
			if status >= 400 {
				assert.Contains(t, r.Content, "application/problem+json", where)
			}
			for media, content := range r.Content {
				require.NotNil(t, content.Schema, "%s %s", where, media)
				if status < 300 {
					assert.NotNil(t, content.Example, "%s %s has no example", where, media)
				}
			}
		}
		if slices.Contains(op.Statuses, 304) {
			assert.NotNil(t, spec.Responses.Status(200).Value.Headers["ETag"], op.ID)
		}
	}
}

// Whatever is an object says whether it may hold other keys: ours may not.
func TestDocument_ObjectsAreClosed(t *testing.T) {
	t.Parallel()
	doc := load(t).Doc()
	open := map[string]bool{}
	var walk func(path string, ref *openapi3.SchemaRef)
	walk = func(path string, ref *openapi3.SchemaRef) {
		s := ref.Value
		if s.Type.Is("object") && len(s.AllOf) == 0 {
			switch {
			case s.AdditionalProperties.Schema != nil:
				walk(path+"/*", s.AdditionalProperties.Schema)
			case s.AdditionalProperties.Has == nil:
				assert.Fail(t, "additionalProperties is not stated", path)
			case *s.AdditionalProperties.Has:
				open[path] = true
			}
			assert.True(t, len(s.Properties) > 0 || s.AdditionalProperties.Schema != nil || *s.AdditionalProperties.Has, path)
		}
		for name, p := range s.Properties {
			walk(path+"/"+name, p)
		}
		if s.Items != nil {
			walk(path+"/-", s.Items)
		}
	}
	for name, ref := range doc.Components.Schemas {
		walk(name, ref)
	}
	want := []string{"Attacker/behavior/tcp_fingerprint", "Attacker/fingerprints/-", "Behavior/tcp_fingerprint", "Bounty/payload", "Decky/service_config/*", "Deployed/deckies/-/service_config/*", "ExplainedEvent/bounties/-/payload", "ExplainedEvent/fields"}
	var got []string
	for _, path := range slices.Sorted(maps.Keys(open)) {
		if len(path) < 60 && !regexp.MustCompile(`^(AttackerPage|BountyPage|Fleet|Explanation)/`).MatchString(path) {
			got = append(got, path)
		}
	}
	assert.Equal(t, want, got, "what an attacker chose the keys of, and nothing else")
}

// Whatever is secret is write-only, so that no response may hold it.
func TestDocument_PasswordsAreWriteOnly(t *testing.T) {
	t.Parallel()
	secrets := 0
	for name, ref := range load(t).Doc().Components.Schemas {
		if name == "Credential" || name == "Ranked" {
			continue // what attackers typed is shown to every user: that is what a decoy is for
		}
		for field, p := range ref.Value.Properties {
			if regexp.MustCompile(`^(old_|new_)?password$`).MatchString(field) {
				assert.True(t, p.Value.WriteOnly, "%s.%s", name, field)
				secrets++
			}
		}
	}
	assert.Equal(t, 5, secrets)
}

// The catalogue and the schemas of the responses name the same sentences.
func TestDocument_ProblemCatalogue(t *testing.T) {
	t.Parallel()
	c := load(t)
	encoded, err := json.Marshal(c.Doc().Info.Extensions["x-problem-catalogue"])
	require.NoError(t, err)
	var rows []struct {
		Status                int
		Detail, Pattern, When string
	}
	require.NoError(t, json.Unmarshal(encoded, &rows))
	catalogue := map[string]bool{}
	for _, r := range rows {
		assert.NotEmpty(t, r.When)
		if r.Pattern != "" {
			_, err := regexp.Compile(r.Pattern)
			require.NoError(t, err)
			continue
		}
		key := strconv.Itoa(r.Status) + " " + r.Detail
		assert.False(t, catalogue[key], "twice: %s", key)
		catalogue[key] = true
	}

	// Those of no operation, and that which stands among sentences on parameters.
	used := map[string]bool{
		"404 Not found": true, "405 Method not allowed": true,
		"422 The search would read too many events, narrow it by time, service or attacker": true,
	}
	for _, op := range c.Operations() {
		_, spec := raw(c, op)
		for _, status := range op.Statuses {
			content := spec.Responses.Status(status).Value.Content["application/problem+json"]
			if content == nil {
				continue
			}
			for _, part := range content.Schema.Value.AllOf {
				if d := part.Value.Properties["detail"]; d != nil {
					for _, sentence := range d.Value.Enum {
						used[strconv.Itoa(status)+" "+sentence.(string)] = true
					}
				}
			}
		}
	}
	assert.Equal(t, slices.Sorted(maps.Keys(catalogue)), slices.Sorted(maps.Keys(used)))
}

// Every address of an example is one of those that RFC 5737 sets aside, or loopback.
func TestDocument_AddressesAreForDocumentation(t *testing.T) {
	t.Parallel()
	ranges := []netip.Prefix{
		netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
	}
	found := regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`).FindAllString(string(decnet.OpenAPI()), -1)
	require.NotEmpty(t, found)
	for _, text := range found {
		addr, err := netip.ParseAddr(text)
		require.NoError(t, err)
		assert.True(t, addr.IsLoopback() || slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(addr) }), text)
	}
}

func TestDocument_LinksLeadToOperations(t *testing.T) {
	t.Parallel()
	c := load(t)
	params := map[string][]string{}
	for _, op := range c.Operations() {
		item, spec := raw(c, op)
		for _, ref := range slices.Concat(item.Parameters, spec.Parameters) {
			params[op.ID] = append(params[op.ID], ref.Value.Name)
		}
	}
	links := 0
	for _, op := range c.Operations() {
		_, spec := raw(c, op)
		for _, ref := range spec.Responses.Map() {
			for name, link := range ref.Value.Links {
				links++
				for param := range link.Value.Parameters {
					assert.Contains(t, params[link.Value.OperationID], param, "%s link %s", op.ID, name)
				}
			}
		}
	}
	assert.GreaterOrEqual(t, links, 6)
}

// A client that is made from the document has one function for each operation.
func TestDocument_OperationsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, op := range load(t).Operations() {
		assert.Regexp(t, `^[a-z][A-Za-z]+$`, op.ID)
		assert.Empty(t, seen[op.ID], "%s is also %s %s", op.ID, op.Method, op.Path)
		seen[op.ID] = op.Method + " " + op.Path
	}
}

// What nothing refers to is a mistake: a part that was forgotten, or one that
// should have been used.
func TestDocument_ComponentsAreUsed(t *testing.T) {
	t.Parallel()
	text := string(decnet.OpenAPI())
	parts := load(t).Doc().Components
	names := map[string][]string{
		"schemas": slices.Sorted(maps.Keys(parts.Schemas)), "responses": slices.Sorted(maps.Keys(parts.Responses)),
		"parameters": slices.Sorted(maps.Keys(parts.Parameters)), "headers": slices.Sorted(maps.Keys(parts.Headers)),
	}
	for kind, list := range names {
		require.NotEmpty(t, list, kind)
		for _, name := range list {
			assert.Contains(t, text, "'#/components/"+kind+"/"+name+"'", "%s %s is used nowhere", kind, name)
		}
	}
}

// Headers are checked by the handlers, so that only their schemas tell a client
// what is taken.
func TestDocument_HeadersOfBatchesAreBounded(t *testing.T) {
	t.Parallel()
	c := load(t)
	item := c.Doc().Paths.Value("/api/v1/ingest")
	key := item.Post.Parameters.GetByInAndName("header", "Idempotency-Key").Schema.Value
	assert.Equal(t, uint64(128), *key.MaxLength)
	packing := item.Post.Parameters.GetByInAndName("header", "Content-Encoding").Schema.Value
	assert.ElementsMatch(t, []any{"", "identity", "gzip"}, packing.Enum)
}
