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

// The document's text is the little of CommonMark that it uses, and the page
// shows it as what it means.
func TestPage_ReadsTheMarkupOfTheDocument(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(document("title: Small", `title: Small, description: "First **bold** and `+"`code` end."+`\ngoes on\n\n- one\n  more\n- two\n\nLast"`))
	require.NoError(t, err)
	assert.Contains(t, render(t, c), `<p>First <strong>bold</strong> and <code>code</code> end. goes on</p>
<p class="item">one more</p>
<p class="item">two</p>
<p>Last</p>
`)
}

// What a value must be is said in words, with each bound that the schema has and
// no other.
func TestPage_SaysWhatAValueMustBe(t *testing.T) {
	t.Parallel()
	const same = "title: Small" // nothing to replace
	const number, text, list = "ratio: {type: number, minimum: 0, maximum: 1}", "note: {type: string, nullable: true, maxLength: 4}", "tags: {type: array, minItems: 1, maxItems: 2, items: {type: string, minLength: 1}}"
	for name, tt := range map[string]struct{ old, new, want string }{
		"both bounds":        {same, same, `<code>ratio</code></th><td>number, 0 to 1</td>`},
		"a least":            {number, "ratio: {type: number, minimum: 0.5}", `<code>ratio</code></th><td>number, at least 0.5</td>`},
		"a most":             {number, "ratio: {type: number, maximum: 2}", `<code>ratio</code></th><td>number, at most 2</td>`},
		"no bound":           {number, "ratio: {type: number}", `<code>ratio</code></th><td>number</td>`},
		"a longest, or null": {same, same, `<code>note</code></th><td>string, at most 4 characters or null</td>`},
		"a shortest":         {text, "note: {type: string, minLength: 1}", `<code>note</code></th><td>string, at least 1 character</td>`},
		"both lengths":       {text, "note: {type: string, minLength: 2, maxLength: 4}", `<code>note</code></th><td>string, 2 to 4 characters</td>`},
		"a pattern":          {text, "note: {type: string, pattern: '^a$'}", `<code>note</code></th><td>string, like ^a$</td>`},
		"one of some":        {text, "note: {type: string, enum: [a, b]}", `<code>note</code></th><td>string: a | b</td>`},
		"a default":          {text, "note: {type: string, default: x}", `<code>note</code></th><td>string<br>default <code>x</code></td>`},
		"what it is for":     {text, "note: {type: string, description: Why not.}", `<code>note</code></th><td>string</td><td><p>Why not.</p>`},
		"a time":             {same, same, `<code>inner</code></th><td>object</td>`},
		"a list":             {same, same, `<code>tags</code></th><td>array of string, at least 1 character, at most 2 items</td>`},
		"a list without end": {list, "tags: {type: array, items: {type: string}}", `<code>tags</code></th><td>array of string</td>`},
		"required":           {same, same, `<code>size</code> <span class="required">required</span></th><td>integer, 1 to 1000</td>`},
		"not given":          {same, same, `<code>dry</code> <span class="in">query</span></th><td>integer, -2 to 9<br>default <code>3</code><br><span class="quiet">not given: none</span></td>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := contract.Load(document(tt.old, tt.new, "schema:\n              type: object", "example: {size: 1}\n            schema:\n              type: object"))
			require.NoError(t, err)
			assert.Contains(t, strings.ReplaceAll(render(t, c), "\n", ""), tt.want)
		})
	}
}

// The call of a reading operation shows what chooses rows before what pages, and
// not more than fits a line each.
func TestPage_CallsWithAQuery(t *testing.T) {
	t.Parallel()
	const params = "        - {name: dry, in: query, x-absent-values: [none], schema: {type: integer, minimum: -2, maximum: 9, default: 3}}\n"
	c, err := contract.Load(document("    put:", "    get:", "name: name, in: path,", "name: name, in: path, example: thing,",
		"x-role: admin", "x-role: none", bodyOf(t), "",
		params, "        - {name: limit, in: query, example: 5, schema: {type: integer}}\n"+
			"        - {name: offset, in: query, example: 6, schema: {type: integer}}\n"+
			"        - {name: bare, in: query, schema: {type: string}}\n"+
			"        - {name: X-Head, in: header, example: h, schema: {type: string}}\n"+
			"        - {name: like, in: query, example: \"it's 100%\", schema: {type: string}}\n"))
	require.NoError(t, err)
	assert.Contains(t, render(t, c), `<code>curl -G &#34;$DECNET/things/thing&#34; \
  --data-urlencode &#39;like=it&#39;\&#39;&#39;s 100%&#39; \
  --data-urlencode &#39;limit=5&#39;</code>`)
}

// bodyOf is the part of the small document that asks for a body.
func bodyOf(t *testing.T) string {
	t.Helper()
	text := string(document())
	from, to := strings.Index(text, "      requestBody:"), strings.Index(text, "      responses:")
	require.Less(t, from, to)
	return text[from:to]
}

// Of the answers the one that is hoped for is open.
func TestPage_ShowsAnswersByTheirKind(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(document("x-role: admin", "x-role: none", "'200': {description: Done.}", `'200':
          description: Done.
          headers: {X-Always: {required: true, schema: {type: string}}, X-Often: {schema: {type: string}}}
          content:
            application/json: {schema: {type: object}, example: {text: "<&>", list: [1]}}
            text/plain: {schema: {type: string}, example: " as it is\n"}`, bodyOf(t), ""))
	require.NoError(t, err)
	html := render(t, c)
	assert.Contains(t, html, "<details open>\n<summary><span class=\"status s2\">200</span> OK</summary>\n<p>Done.</p>")
	assert.Contains(t, html, "<details>\n<summary><span class=\"status s4\">404</span> Not Found</summary>\n<p>No such thing.</p>")
	assert.Contains(t, html, `<p class="headers">Headers: <code>X-Always</code>, <code>X-Often</code> <span class="quiet">(not always)</span></p>`)
	assert.Contains(t, html, "{\n  &#34;list&#34;: [\n    1\n  ],\n  &#34;text&#34;: &#34;&lt;&amp;&gt;&#34;\n}")
	assert.Contains(t, html, `<code>as it is</code>`)
}

// Sentences that vary are told from those that a client may compare with.
func TestPage_TellsPatternsFromSentences(t *testing.T) {
	t.Parallel()
	html := render(t, load(t))
	assert.Contains(t, html, "<td>409</td><td>At least one administrator must remain</td>")
	assert.NotContains(t, html, "like <code>At least one administrator")
	assert.Contains(t, html, "<td>422</td><td>like <code>")
	// Each operation names those that it may answer with.
	assert.Contains(t, html, `<a href="#schema-Problem">Problem</a>, detail Not authenticated | Could not validate credentials</span>`)
	assert.NotContains(t, html, `</a>, detail </span>`)
}
