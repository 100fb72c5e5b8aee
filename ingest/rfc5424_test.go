package ingest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseSyslog_ReadsByPositionOnly(t *testing.T) {
	t.Parallel()
	const header = "<134>1 2026-04-14T09:00:00Z decky http - request "
	for in, want := range map[string][]param{
		header + `-`:                                          nil,
		header + `- text`:                                     nil,
		header + `- [decnet@55555 a="b"]`:                     nil,
		header + `[decnet@55555]`:                             nil,
		header + `[other@1 a="b"] [decnet@55555 a="b"]`:       nil,
		header + `[decnet@55555 a="b"]`:                       {{"a", "b"}},
		header + `[decnet@55555 a="b"] text`:                  {{"a", "b"}},
		header + `[x@1 a="1"][decnet@55555 a="2"]`:            {{"a", "2"}},
		header + `[decnet@55555 a="\"\\\]\n"]`:                {{"a", `"\]\n`}},
		header + `[decnet@55555 a="\\\\\"x"]`:                 {{"a", `\\"x`}},
		header + `[decnet@55555 a="]" b=" c=\"d\""]`:          {{"a", "]"}, {"b", ` c="d"`}},
		header + "[decnet@55555 a=\"line\nline\tx\x00\xff\"]": {{"a", "line\nline\tx\x00\xff"}},
		header + `[decnet@55555 from-x="1" from_="2"]`:        {{"from-x", "1"}, {"from_", "2"}},
		"<999>1 t h a p m [decnet@55555 a=\"b\"]":             {{"a", "b"}},
		"<5>1 t h a p m [decnet@55555 a=\"\"]":                {{"a", ""}},
	} {
		got, ok := parseSyslog(in)
		assert.True(t, ok, in)
		assert.Equal(t, want, got.params, in)
	}
	for _, in := range []string{
		"", "text", "<134>1 ", header, " " + header + "-", "134 " + header + "-",
		"<>1 t h a p m -", "<1x>1 t h a p m -", "<1234>1 t h a p m -", "<134>2 t h a p m -", "<134>1  h a p m -",
		header + `[`, header + `[]`, header + `[decnet@55555`, header + `[decnet@55555 ]`, header + `[decnet@55555 a]`,
		header + `[decnet@55555 a=b]`, header + `[decnet@55555 a="b]`, header + `[decnet@55555 a="b\"]`,
		header + `[decnet@55555 a="b"`, header + `[decnet@55555 a="b"]text`, header + `[decnet@55555 a="b"c="d"]`,
		header + `[decnet@55555  a="b"]`, header + `[decnet@55555 a b="c"]`, header + `[de"cnet@55555 a="b"]`, header + `x`, header + `-x`,
	} {
		_, ok := parseSyslog(in)
		assert.False(t, ok, in)
	}
}

func TestPythonHeaders(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{'User-Agent': 'x'}`:                             "x",
		`{'A': 'b', 'user-agent': "it's"}`:                "it's",
		`{"A's": 'b', 'USER-AGENT': '\'"'}`:               `'"`,
		`{'User-Agent': '\\ \n\r\t\x41\u00e9\U0001f600'}`: "\\ \n\r\tAé😀",
		`{'User-Agent': '\q\x4\u12\Uffffffff\ud800'}`:     `\q\x4\u12` + "\uFFFD\uFFFD",
		`{'User-Agent': '\U0010ffff\U00110000'}`:          "\U0010ffff\uFFFD",
		`{'User-Agent': '\x4`:                             "",
		`{'User-Agent': 'first', 'user-agent': 'last'}`:   "first",
		`{'User-Agent': ''}`:                              "",
		`{'A': None, 'User-Agent': 'x'}`:                  "",
		`{'A': 'User-Agent: x'}`:                          "",
		`{'User-Agent': 'x`:                               "",
		`{'User-Agent'`:                                   "",
		`{'User-Agent':'x'}`:                              "",
		`{'User-Agent': 'x\`:                              "",
		`{`:                                               "",
	} {
		assert.Equal(t, want, pythonHeaders(in).userAgent, in)
	}
}
