package contract_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/contract"
)

func render(t *testing.T, c *contract.Contract) string {
	t.Helper()
	b, err := contract.Page(c)
	require.NoError(t, err)
	return string(b)
}

// The page must work under "default-src 'none'; style-src 'self'".
func TestPage_LoadsNothingButItsStyle(t *testing.T) {
	t.Parallel()
	html := render(t, load(t))
	for _, forbidden := range []string{"<script", "<style", "<img", "<iframe", "<object", "<embed", "<base", "<form", "<svg", "@import", "javascript:", "srcset"} {
		assert.NotContains(t, strings.ToLower(html), forbidden)
	}
	assert.NotRegexp(t, `(?i)<[^>]*\s(style|on[a-z]+|src)\s*=`, html)
	assert.Equal(t, 1, strings.Count(html, "<link "))
	assert.Contains(t, html, `<link rel="stylesheet" href="/docs/style.css">`)
	for _, m := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		assert.Regexp(t, `^(#|/docs/style\.css$|/openapi\.(yaml|json)$)`, m[1])
	}

	css := string(contract.Style())
	assert.NotContains(t, css, "url(")
	assert.NotContains(t, css, "@import")
	for _, medium := range []string{"prefers-color-scheme: dark", "max-width:", "@media print"} {
		assert.Contains(t, css, medium)
	}
	assert.Equal(t, strings.Count(css, "{"), strings.Count(css, "}"))
}

func TestPage_LinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	html := render(t, load(t))
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		assert.False(t, ids[m[1]], "id %s twice", m[1])
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(html, -1) {
		assert.True(t, ids[m[1]], "no id %s", m[1])
	}
}

func TestPage_BeginsWithTheLogin(t *testing.T) {
	t.Parallel()
	html := render(t, load(t))
	assert.Less(t, strings.Index(html, `<article id="login">`), strings.Index(html, `<article id="changePassword">`))
	assert.Less(t, strings.Index(html, `<article id="getLiveness">`), strings.Index(html, `<article id="getHealth">`))
}

func TestPage_ShowsEveryOperation(t *testing.T) {
	t.Parallel()
	c := load(t)
	html := render(t, c)
	for _, op := range c.Operations() {
		start := strings.Index(html, `<article id="`+op.ID+`">`)
		require.GreaterOrEqual(t, start, 0, op.ID)
		article, _, _ := strings.Cut(html[start:], "</article>")
		assert.Contains(t, article, op.Path)
		assert.Contains(t, article, op.Method)
		assert.Contains(t, article, "curl ")
		assert.Equal(t, op.Role != "none", strings.Contains(article, "Authorization: Bearer $TOKEN"), op.ID)
		assert.Equal(t, len(op.Statuses), strings.Count(article, "<summary>"), op.ID)
	}
	for _, want := range []string{
		"integer, 1 to 1000", "default <code>50</code>", "not given: the empty text, null, NULL, undefined", "string, 8 to 72 characters",
		"&#34;total_logs&#34;: 48213", "recent | active | traversals", "At least one administrator must remain", `<a href="#schema-Behavior">Behavior</a> or null`,
	} {
		assert.Contains(t, html, want)
	}
}

// The call of the page can be pasted: quotes of an example stay inside quotes.
func TestPage_QuotesForTheShell(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(document(
		"schema:\n              type: object", "example: {size: 1, note: \"it's\"}\n            schema:\n              type: object",
		"{name: name, in: path,", "{name: name, in: path, example: thing,"))
	require.NoError(t, err)
	assert.Contains(t, render(t, c), `curl -X PUT &#34;$DECNET/things/thing&#34; \
  -H &#34;Authorization: Bearer $TOKEN&#34; \
  -H &#39;Content-Type: application/json&#39; \
  -d &#39;{&#34;note&#34;:&#34;it&#39;\&#39;&#39;s&#34;,&#34;size&#34;:1}&#39;`)
}

func TestPage_EscapesTheDocument(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert(1)</script>`
	c, err := contract.Load(document(
		"title: Small", "title: "+evil+", description: 'a `"+evil+"` **"+evil+"** "+evil+"'",
		"operationId: putThing", "operationId: putThing\n      summary: '"+evil+"'\n      description: '"+evil+"'",
		"description: Done.", "description: '"+evil+"'"))
	require.NoError(t, err)
	html := render(t, c)
	assert.NotContains(t, html, "<script")
	assert.GreaterOrEqual(t, strings.Count(html, "&lt;script&gt;"), 5)
}
