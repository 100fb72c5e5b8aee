package fleet_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/fleet"
)

// loaded is what the loader of the old tools answers.
type loaded struct {
	OK *struct {
		Subnet    *string `json:"subnet"`
		Gateway   *string `json:"gateway"`
		Interface *string `json:"interface"`
		Deckies   []struct {
			Name           string                       `json:"name"`
			IP             *string                      `json:"ip"`
			Services       []string                     `json:"services"`
			Archetype      *string                      `json:"archetype"`
			NmapOS         *string                      `json:"nmap_os"`
			MutateInterval *int64                       `json:"mutate_interval"`
			ServiceConfig  map[string]map[string]string `json:"service_config"`
		} `json:"deckies"`
		Custom []struct {
			Name  string `json:"name"`
			Image string `json:"image"`
			Exec  string `json:"exec_cmd"`
			Ports []int  `json:"ports"`
		} `json:"custom_services"`
	} `json:"ok"`
	Error string `json:"error"`
}

// ini is the answer in our words.
func (l *loaded) ini() fleet.INI {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	i := fleet.INI{
		Net: text(l.OK.Subnet), Gateway: text(l.OK.Gateway), Interface: text(l.OK.Interface), Deckies: []fleet.Wanted{},
	}
	for _, d := range l.OK.Deckies {
		i.Deckies = append(i.Deckies, fleet.Wanted{
			Name: d.Name, IP: text(d.IP), Services: d.Services, Archetype: text(d.Archetype), NmapOS: text(d.NmapOS),
			MutateInterval: d.MutateInterval, ServiceConfig: d.ServiceConfig,
		})
	}
	for _, c := range l.OK.Custom {
		i.Custom = append(i.Custom, fleet.CustomService(c))
	}
	return i
}

// TestINI_IsReadAsTheOldToolsReadIt compares with what their loader answered.
func TestINI_IsReadAsTheOldToolsReadIt(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/ini/expected.json")
	require.NoError(t, err)
	var expected map[string]struct{ Both, File, String *loaded }
	require.NoError(t, json.Unmarshal(raw, &expected))
	files, err := filepath.Glob("testdata/ini/*.ini")
	require.NoError(t, err)
	require.Len(t, files, 35)
	require.Len(t, expected, len(files))
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			want := expected[filepath.Base(path)]
			if want.Both != nil {
				want.File, want.String = want.Both, want.Both
			}
			fromFile, err := fleet.ParseINIFile(content)
			assertLoaded(t, want.File, fromFile, err)
			fromText, err := fleet.ParseINIText(string(content))
			assertLoaded(t, want.String, fromText, err)
		})
	}
}

func assertLoaded(t *testing.T, want *loaded, got fleet.INI, err error) {
	t.Helper()
	require.NotNil(t, want)
	if want.OK == nil {
		require.NotEmpty(t, want.Error)
		require.Error(t, err, "the old tools say %s", want.Error)
		return
	}
	require.NoError(t, err)
	got.Ignored = nil // the old tools don't say it
	assert.Equal(t, want.ini(), got)
}

// TestINI_SyntaxIsThatOfConfigparser compares with what Python reads from texts
// that were made at random; see testdata/oracle.py.
func TestINI_SyntaxIsThatOfConfigparser(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/configparser.json")
	require.NoError(t, err)
	type sections map[string]map[string]*string
	var cases []struct {
		Text           string
		Strict, Merged sections
	}
	require.NoError(t, json.Unmarshal(raw, &cases))
	require.Len(t, cases, 1500)
	for _, c := range cases {
		for strict, want := range map[bool]sections{true: c.Strict, false: c.Merged} {
			got, ok := fleet.Sections(c.Text, strict)
			require.Equal(t, want != nil, ok, "strict %t: %q", strict, c.Text)
			if ok {
				require.Equal(t, want, sections(got), "strict %t: %q", strict, c.Text)
			}
		}
	}
}

func TestINI_SaysWhatIsIgnored(t *testing.T) {
	t.Parallel()
	got, err := fleet.ParseINIText(strings.Join([]string{
		"[general]", "net=10.0.0.0/24", "log_target=x", "mutate_interval=5",
		"[a]", "distro=arch", "nmap-os=bsd", "mutate-interval=7",
		"[ghost.ssh]", "password=x",
		"[custom-x]", "ports=80,-1,443/tcp", "cpu=1",
	}, "\n"))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"[general] log_target has no effect", "[general] mutate_interval has no effect", "[a] distro has no effect",
		"[custom-x] ports: -1 is not a number", "[custom-x] ports: 443/tcp is not a number", "[custom-x] cpu has no effect",
		"[ghost.ssh] belongs to no decky",
	}, got.Ignored)
	assert.Equal(t, "bsd", got.Deckies[0].NmapOS)
	assert.EqualValues(t, 7, *got.Deckies[0].MutateInterval)

	// What all sections have is a setting where a service has some.
	got, err = fleet.ParseINIText("[DEFAULT]\nbanner=x\nservices=ssh\n[a]\n")
	require.NoError(t, err)
	assert.Equal(t, []string{"[DEFAULT] banner has no effect"}, got.Ignored)
	got, err = fleet.ParseINIText("[DEFAULT]\nbanner=x\nservices=ssh\n[a]\n[a.ssh]\n")
	require.NoError(t, err)
	assert.Empty(t, got.Ignored)
	assert.Equal(t, "x", got.Deckies[0].ServiceConfig["ssh"]["banner"])
}

// TestINI_FaultsAreSentences: they reach an operator, who must find the place.
func TestINI_FaultsAreSentences(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 126)
	for text, want := range map[string]string{
		"":                                    "it is empty",
		"# only\n":                            "it has no section",
		"k=v":                                 "line 1: a [section] must come first",
		"\ufeff[a]":                           "line 1: the text begins with a byte order mark: save it without one",
		"[a]\n\nflag":                         "line 3: neither = nor : is there",
		"[a]\n=x":                             "line 2: there is no key",
		"[a]\nservices=5%":                    "[a] services: a % is written %%",
		"[a]\nip=%(x)s":                       "[a] ip: %(x)s is nowhere",
		"[a]\nip=%(ip)s":                      "[a] ip: %( ) refers to itself, or too deep",
		"[a b]":                               "[a b] is no name of a decky: it may have letters, digits, dots, - and _",
		"[a\x1b]":                             `[a\x1b] is no name of a decky: it may have letters, digits, dots, - and _`,
		"[a]\namount=x\x1b[2J":                `[a] amount is not a whole number from 1 to 100: x\x1b[2J`,
		"[a]\namount=99999999999999999999999": "[a] amount is not a whole number from 1 to 100: 99999999999999999999999",
		"[" + long + "]\namount=2":            "the name " + long[:64] + "… is longer than 128 characters",
		"[a]\namount=2\n[a-01]":               "two deckies are named a-01",
		"[a]\nip=\xff":                        "it is not UTF-8 text",
		"[a]\nx=" + strings.Repeat("é", fleet.MaxINI): "it is longer than 524288 characters",
	} {
		_, err := fleet.ParseINIText(text)
		assert.EqualError(t, err, want, "%.40q", text)
	}
	_, err := fleet.ParseINIFile([]byte("[a]\nk=1\nK=2"))
	require.EqualError(t, err, "line 3: the key k of [a] is there twice")
	_, err = fleet.ParseINIFile(make([]byte, fleet.MaxINIFile+1))
	require.EqualError(t, err, "it is larger than 2097152 bytes")
}

// TestINI_SmallTextsDoNotGrow: each of these asks for more than memory holds.
func TestINI_SmallTextsDoNotGrow(t *testing.T) {
	t.Parallel()
	laughs := "[DEFAULT]\na=" + strings.Repeat("x", 100) + "\n"
	nothing := "[DEFAULT]\na=%%\n"
	for k := 'b'; k <= 'i'; k++ {
		refer := string(k) + "=" + strings.Repeat("%("+string(k-1)+")s", 100) + "\n"
		laughs, nothing = laughs+refer, nothing+refer
	}
	for name, c := range map[string]struct{ text, want string }{
		"references": {laughs + "[x.ssh]", "makes too much of the text"},
		"empty ones": {nothing + "[x.ssh]", "makes too much of the text"},
		"deckies":    {sections("[s%d]\namount=100\n", 101), "it asks for more than 10000 deckies"},
		"settings": {
			sections("[x%d]\namount=100\n", 100) + "[.ssh]\n[x0.ssh]\n" + sections("k%d=v\n", 2000),
			"its services have more than 100000 settings",
		},
	} {
		_, err := fleet.ParseINIText(c.text)
		assert.ErrorContains(t, err, c.want, name)
	}
}

// TestINI_ABoundIsStillAllowed: each text is as much as may be, and one more of
// the same is too much.
func TestINI_ABoundIsStillAllowed(t *testing.T) {
	t.Parallel()
	parse := func(text string) (fleet.INI, error) { return fleet.ParseINIFile([]byte(text)) }
	long := func(n int) string { return "[a]\n#" + strings.Repeat("é", n-len("[a]\n#")) }
	for name, c := range map[string]struct {
		most, more, want string
		parse            func(string) (fleet.INI, error)
	}{
		"characters of a request": {long(fleet.MaxINI), long(fleet.MaxINI + 1), "longer than 524288 characters", fleet.ParseINIText},
		"bytes of a file": {
			"[a]\n#" + strings.Repeat("x", fleet.MaxINIFile-5), "[a]\n#" + strings.Repeat("x", fleet.MaxINIFile-4), "larger than 2097152 bytes", parse,
		},
		"references in references": {chain(10), chain(11), "too deep", parse},
		// Three times that many and the references themselves are 4 MiB.
		"text of references": {
			"[DEFAULT]\nx=" + strings.Repeat("x", 1398099) + "\n[a.ssh]\nk=%(x)s%(x)s%(x)s", "[DEFAULT]\nx=" + strings.Repeat("x", 1398100) + "\n[a.ssh]\nk=%(x)s%(x)s%(x)s",
			"makes too much of the text", parse,
		},
		"settings of services": {
			"[a]\namount=100\n[a.ssh]\n" + sections("k%d=v\n", 999), "[a]\namount=100\n[a.ssh]\n" + sections("k%d=v\n", 1000),
			"its services have more than 100000 settings", parse,
		},
		"a name":            {"[" + strings.Repeat("a", 128) + "]", "[" + strings.Repeat("a", 129) + "]", "is longer than 128 characters", parse},
		"one of an address": {"[a]\nip=10.0.0.1\namount=1", "[a]\nip=10.0.0.1\namount=2", "[a] has an ip and an amount of 2: only one machine can have it", parse},
		"one sign":          {"[a]\namount=+2", "[a]\namount=++2", "amount is not a whole number from 1 to 100: ++2", parse},
	} {
		_, err := c.parse(c.most)
		require.NoError(t, err, name)
		_, err = c.parse(c.more)
		require.ErrorContains(t, err, c.want, name)
	}
}

// chain is a value that refers to others, so deep.
func chain(depth int) string {
	var b strings.Builder
	b.WriteString("[a]\nip=%(k" + strconv.Itoa(depth-1) + ")s\nk0=10.0.0.1\n")
	for i := 1; i < depth; i++ {
		fmt.Fprintf(&b, "k%d=%%(k%d)s\n", i, i-1)
	}
	return b.String()
}

// TestINI_WhatIsIgnoredIsToldShortly: at most a hundred sentences, and no name in
// one is longer than 64 characters.
func TestINI_WhatIsIgnoredIsToldShortly(t *testing.T) {
	t.Parallel()
	whole, cut := strings.Repeat("é", 64), strings.Repeat("ü", 65)
	got, err := fleet.ParseINIText("[a]\n" + whole + "=1\n" + cut + "=2\n" + sections("k%d=v\n", 200))
	require.NoError(t, err)
	require.Len(t, got.Ignored, 100)
	assert.Equal(t, "[a] "+whole+" has no effect", got.Ignored[0])
	assert.Equal(t, "[a] "+cut[:2*64]+"… has no effect", got.Ignored[1])
	assert.Equal(t, "[a] k97 has no effect", got.Ignored[99])
}

func sections(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
