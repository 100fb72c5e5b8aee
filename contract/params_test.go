package contract_test

import (
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/contract"
)

// only returns the single violation that err must consist of.
func only(t *testing.T, err error) (int, contract.Violation) {
	t.Helper()
	var v *contract.Violations
	require.ErrorAs(t, err, &v)
	require.Len(t, v.List, 1, "%v", v.List)
	assert.Equal(t, v.List[0].Detail, v.Error())
	return v.Status, v.List[0]
}

func TestParams_Defaults(t *testing.T) {
	t.Parallel()
	op := operation(t, "GET", "/api/v1/attackers")
	for name, query := range map[string]string{
		"no query":         "",
		"unknown names":    "foo=1&Limit=7&limit[]=3&foo=2",
		"empty":            "limit=&offset=&search=&sort_by=&service=",
		"null":             "limit=null&offset=null&search=null&sort_by=null&service=null",
		"NULL":             "limit=NULL&offset=NULL&search=NULL&sort_by=NULL&service=NULL",
		"undefined":        "limit=undefined&offset=undefined&search=undefined&sort_by=undefined&service=undefined",
		"without an equal": "limit&search",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values, err := url.ParseQuery(query)
			require.NoError(t, err)
			p, err := op.Params(values, nil)
			require.NoError(t, err)
			assert.Equal(t, 50, p.Int("limit"))
			assert.Equal(t, 0, p.Int("offset"))
			assert.Empty(t, p.String("search"))
			assert.Equal(t, "recent", p.String("sort_by"))
			for _, name := range []string{"limit", "offset", "search", "sort_by", "service"} {
				assert.False(t, p.Given(name), name)
			}
		})
	}
}

func TestParams_Values(t *testing.T) {
	t.Parallel()
	p, err := operation(t, "GET", "/api/v1/attackers").Params(url.Values{
		"limit": {"1000"}, "offset": {"2147483647"}, "search": {"a\x00b ünï 日本"}, "sort_by": {"traversals"}, "service": {"Null"},
	}, nil)
	require.NoError(t, err)
	assert.Equal(t, 1000, p.Int("limit"))
	assert.Equal(t, 2147483647, p.Int("offset"))
	assert.Equal(t, "a\x00b ünï 日本", p.String("search"))
	assert.Equal(t, "traversals", p.String("sort_by"))
	assert.Equal(t, "Null", p.String("service"), "only the listed spellings are absent")
	assert.True(t, p.Given("limit"))
	assert.True(t, p.Given("search"))

	p, err = operation(t, "GET", "/api/v1/attackers").Params(url.Values{"limit": {"50"}}, nil)
	require.NoError(t, err)
	assert.True(t, p.Given("limit"), "the default, given")
	assert.False(t, p.Given("offset"))
}

func TestParams_Violations(t *testing.T) {
	t.Parallel()
	c := load(t)
	const logs, histogram, attackers, commands = "/api/v1/logs", "/api/v1/logs/histogram", "/api/v1/attackers", "/api/v1/attackers/{uuid}/commands"
	for name, tt := range map[string]struct {
		path, param, value string
		keyword, detail    string // "" for a valid value
	}{
		"limit 0":                   {logs, "limit", "0", "minimum", "limit must be at least 1"},
		"limit 1":                   {logs, "limit", "1", "", ""},
		"limit 1000":                {logs, "limit", "1000", "", ""},
		"limit 1001":                {logs, "limit", "1001", "maximum", "limit must be at most 1000"},
		"limit -1":                  {logs, "limit", "-1", "minimum", "limit must be at least 1"},
		"limit of commands 200":     {commands, "limit", "200", "", ""},
		"limit of commands 201":     {commands, "limit", "201", "maximum", "limit must be at most 200"},
		"offset -1":                 {logs, "offset", "-1", "minimum", "offset must be at least 0"},
		"offset 0":                  {logs, "offset", "0", "", ""},
		"offset -0":                 {logs, "offset", "-0", "", ""},
		"offset 2^31-1":             {logs, "offset", "2147483647", "", ""},
		"offset 2^31":               {logs, "offset", "2147483648", "maximum", "offset must be at most 2147483647"},
		"offset above 64 bits":      {logs, "offset", strings.Repeat("9", 40), "maximum", "offset must be at most 2147483647"},
		"offset below 64 bits":      {logs, "offset", "-" + strings.Repeat("9", 40), "minimum", "offset must be at least 0"},
		"interval 0":                {histogram, "interval_minutes", "0", "minimum", "interval_minutes must be at least 1"},
		"interval 2^31-1":           {histogram, "interval_minutes", "2147483647", "", ""},
		"interval 2^31":             {histogram, "interval_minutes", "2147483648", "maximum", "interval_minutes must be at most 2147483647"},
		"a plus":                    {logs, "limit", "+1", "type", "limit must be an integer"},
		"a fraction":                {logs, "limit", "1.0", "type", "limit must be an integer"},
		"an exponent":               {logs, "limit", "1e2", "type", "limit must be an integer"},
		"hexadecimal":               {logs, "limit", "0x10", "type", "limit must be an integer"},
		"an underscore":             {logs, "limit", "1_0", "type", "limit must be an integer"},
		"a leading zero":            {logs, "limit", "01", "type", "limit must be an integer"},
		"a leading space":           {logs, "limit", " 1", "type", "limit must be an integer"},
		"a trailing newline":        {logs, "limit", "1\n", "type", "limit must be an integer"},
		"a lone minus":              {logs, "limit", "-", "type", "limit must be an integer"},
		"two minuses":               {logs, "limit", "--1", "type", "limit must be an integer"},
		"full-width digits":         {logs, "limit", "１２", "type", "limit must be an integer"},
		"a word":                    {logs, "limit", "Infinity", "type", "limit must be an integer"},
		"None is no absent value":   {logs, "limit", "None", "type", "limit must be an integer"},
		"search of 512":             {logs, "search", strings.Repeat("x", 512), "", ""},
		"search of 513":             {logs, "search", strings.Repeat("x", 513), "maxLength", "search must have at most 512 characters"},
		"search of 512 wide":        {logs, "search", strings.Repeat("𝔘", 512), "", ""},
		"search of 513 wide":        {logs, "search", strings.Repeat("𝔘", 513), "maxLength", "search must have at most 512 characters"},
		"search that is not UTF-8":  {logs, "search", "a\xffb", "encoding", "search must be valid UTF-8"},
		"limit that is not UTF-8":   {logs, "limit", "\xff", "encoding", "limit must be valid UTF-8"},
		"sort_by unknown":           {attackers, "sort_by", "name", "enum", "sort_by must be one of recent, active, traversals"},
		"sort_by in capitals":       {attackers, "sort_by", "Recent", "enum", "sort_by must be one of recent, active, traversals"},
		"start_time of a day":       {logs, "start_time", "2026-02-28", "", ""},
		"start_time that is no day": {logs, "start_time", "2026-02-30", "format", "start_time must be YYYY-MM-DD HH:MM:SS, an RFC 3339 time, or a date"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op, ok := c.Operation("GET", tt.path)
			require.True(t, ok)
			_, err := op.Params(url.Values{tt.param: {tt.value}}, func(string) string { return "u" })
			if tt.keyword == "" {
				require.NoError(t, err)
				return
			}
			status, v := only(t, err)
			assert.Equal(t, 422, status, "the query is never a 400")
			assert.Equal(t, contract.Violation{In: "query", Name: tt.param, Keyword: tt.keyword, Detail: tt.detail}, v)
		})
	}
}

func TestParams_ListsAllViolations(t *testing.T) {
	t.Parallel()
	_, err := operation(t, "GET", "/api/v1/logs").Params(url.Values{"offset": {"x"}, "limit": {"0"}, "search": {"a", "b"}}, nil)
	require.EqualError(t, err, "limit must be at least 1; offset must be an integer; search must be given at most once")
}

func TestParams_RefusesRepeats(t *testing.T) {
	t.Parallel()
	op := operation(t, "GET", "/api/v1/logs")
	for name, values := range map[string][]string{
		"different": {"1", "2"}, "equal": {"1", "1"}, "with an absent value": {"", "2"}, "absent twice": {"null", "null"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := op.Params(url.Values{"limit": values}, nil)
			status, v := only(t, err)
			assert.Equal(t, 422, status)
			assert.Equal(t, "duplicate", v.Keyword)
		})
	}
}

func TestParams_Path(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(document())
	require.NoError(t, err)
	op, ok := c.Operation("PUT", "/things/{name}")
	require.True(t, ok)
	value := func(v string) func(string) string {
		return func(name string) string {
			assert.Equal(t, "name", name)
			return v
		}
	}

	p, err := op.Params(nil, value("thing"))
	require.NoError(t, err)
	assert.Equal(t, "thing", p.String("name"))
	assert.Equal(t, 3, p.Int("dry"))

	p, err = op.Params(url.Values{"dry": {"-2"}}, value("null"))
	require.NoError(t, err)
	assert.Equal(t, "null", p.String("name"), "a path value is never absent")
	assert.Equal(t, -2, p.Int("dry"))

	p, err = op.Params(url.Values{"dry": {"none"}}, value("a"))
	require.NoError(t, err)
	assert.Equal(t, 3, p.Int("dry"), "the absent value is the document's own")

	_, err = op.Params(url.Values{"dry": {"null"}}, value("a"))
	_, v := only(t, err)
	assert.Equal(t, "type", v.Keyword, "and no other")

	_, err = op.Params(nil, value("too-long-a-name"))
	status, v := only(t, err)
	assert.Equal(t, 422, status)
	assert.Equal(t, contract.Violation{In: "path", Name: "name", Keyword: "pattern", Detail: "name must match the pattern ^[a-z]{1,8}$"}, v)
}

func TestParams_RequiredQuery(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(document("name: dry, in: query,", "name: dry, in: query, required: true,"))
	require.NoError(t, err)
	op, ok := c.Operation("PUT", "/things/{name}")
	require.True(t, ok)
	for name, query := range map[string]url.Values{"missing": nil, "absent": {"dry": {"none"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := op.Params(query, func(string) string { return "a" })
			status, v := only(t, err)
			assert.Equal(t, 422, status)
			assert.Equal(t, contract.Violation{In: "query", Name: "dry", Keyword: "required", Detail: "dry must be given"}, v)
		})
	}
}

func TestParams_IntegersAreOf64Bits(t *testing.T) {
	t.Parallel()
	c, err := contract.Load(document("minimum: -2, maximum: 9, default: 3", "default: 3"))
	require.NoError(t, err)
	op, ok := c.Operation("PUT", "/things/{name}")
	require.True(t, ok)
	name := func(string) string { return "a" }
	p, err := op.Params(url.Values{"dry": {"-9223372036854775808"}}, name)
	require.NoError(t, err)
	assert.Equal(t, math.MinInt64, p.Int("dry"))
	for _, text := range []string{"9223372036854775808", "-9223372036854775809"} {
		_, err = op.Params(url.Values{"dry": {text}}, name)
		_, v := only(t, err)
		assert.Equal(t, contract.Violation{In: "query", Name: "dry", Keyword: "format", Detail: "dry must be an integer of 64 bits"}, v)
	}
}

func TestParams_PanicsOnProgrammerErrors(t *testing.T) {
	t.Parallel()
	p, err := operation(t, "GET", "/api/v1/logs").Params(nil, nil)
	require.NoError(t, err)
	assert.PanicsWithValue(t, "contract: listLogs has no parameter limits", func() { p.Int("limits") })
	assert.PanicsWithValue(t, "contract: listLogs has no parameter Search", func() { p.Given("Search") })
	assert.PanicsWithValue(t, "contract: listLogs: parameter search is not an integer", func() { p.Int("search") })
	assert.PanicsWithValue(t, "contract: listLogs: parameter limit is not a string", func() { _ = p.String("limit") })
	assert.Panics(t, func() { contract.Params{}.Int("limit") })
}
