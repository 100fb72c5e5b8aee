package fleet

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The bounds of a deployment's INI text.
const (
	// MaxINI is the longest text that a request may hold, in characters.
	MaxINI = 512 << 10
	// MaxINIFile is the largest file, in bytes.
	MaxINIFile = 2 << 20
	// MaxAmount is the most deckies that one section makes.
	MaxAmount = 100
	// maxDeckyName is the longest name of a decky, in characters.
	maxDeckyName = 128
	// maxSettings is how many settings of services all deckies may have together.
	maxSettings = 100_000
)

// INI is what a deployment file asks for. Only its form was checked.
type INI struct {
	// Net is a network in CIDR notation, Gateway its router and Interface the host's
	// interface in it. "" means that it was not given, here and below.
	Net, Gateway, Interface string
	// Deckies are in the order of the text.
	Deckies []Wanted
	// Custom are the services of the text's own.
	Custom []CustomService
	// Ignored says what in the text has no effect, a sentence each.
	Ignored []string
}

// Wanted is a decky as a file asks for it.
type Wanted struct {
	Name string
	IP   string
	// Services are nil when they were not given; an item may be "".
	Services  []string
	Archetype string
	NmapOS    string
	// MutateInterval is in minutes, at least 1; nil means that it was not given.
	MutateInterval *int64
	// ServiceConfig has the settings by service, then by key in lower case.
	ServiceConfig map[string]map[string]string
}

// CustomService is a service that a file describes as a container.
type CustomService struct {
	Name, Image, Exec string
	Ports             []int
}

// ParseINIFile reads a deployment file. A section or key that is there twice is
// an error; an empty file asks for nothing. The text of an error is a sentence
// without an end.
func ParseINIFile(content []byte) (INI, error) {
	if len(content) > MaxINIFile {
		return INI{}, fmt.Errorf("it is larger than %d bytes", MaxINIFile)
	}
	d, err := parseDocument(string(content), true)
	if err != nil {
		return INI{}, err
	}
	return readDocument(d)
}

// ParseINIText reads the text of a request, where what is there twice is merged
// and the last value holds, and which must have a section.
func ParseINIText(text string) (INI, error) {
	switch {
	case utf8.RuneCountInString(text) > MaxINI:
		return INI{}, fmt.Errorf("it is longer than %d characters", MaxINI)
	case strip(text) == "":
		return INI{}, errors.New("it is empty")
	}
	d, err := parseDocument(text, false)
	if err != nil {
		return INI{}, err
	}
	if len(d.sections) == 0 {
		return INI{}, errors.New("it has no section")
	}
	return readDocument(d)
}

// The names of sections with a meaning of their own.
const (
	generalSection = "general"
	customPrefix   = "custom-"
)

// iniBuilder makes an INI of a document.
type iniBuilder struct {
	doc *document
	ini INI
	// index finds a decky by its name.
	index map[string]int
	// settings are the sections that belong to a service of a decky.
	settings []*section
	// used counts settings, up to maxSettings.
	used int
}

func readDocument(d *document) (INI, error) {
	b := &iniBuilder{doc: d, index: map[string]int{}}
	b.ini.Deckies = []Wanted{}
	for _, s := range d.sections {
		if err := b.section(s); err != nil {
			return INI{}, err
		}
	}
	if err := b.attach(); err != nil {
		return INI{}, err
	}
	if len(b.settings) == 0 { // else they are settings of services too
		b.ignoredKeys(d.defaults, knownKeys())
	}
	return b.ini, nil
}

func (b *iniBuilder) section(s *section) error {
	if s.name == generalSection {
		b.ignoredKeys(s, []string{"net", "gw", "interface"})
		return b.values(s, map[string]*string{"net": &b.ini.Net, "gw": &b.ini.Gateway, "interface": &b.ini.Interface})
	}
	if name, ok := strings.CutPrefix(s.name, customPrefix); ok {
		return b.custom(s, name)
	}
	if _, service, ok := serviceSection(s.name); ok {
		if known, ok := ServiceNamed(service); ok && (!known.Asked || isSettings(s)) {
			b.settings = append(b.settings, s)
			return nil
		}
	}
	return b.decky(s)
}

// isSettings tells the settings of a service that the older tools don't know from
// a decky with such a name, which it is for them.
func isSettings(s *section) bool {
	return len(s.keys) > 0 && !slices.ContainsFunc(s.keys, func(key string) bool { return slices.Contains(deckyKeys(), key) })
}

// serviceSection splits "decky.service" at the last dot.
func serviceSection(name string) (decky, service string, ok bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return "", "", false
	}
	return name[:dot], name[dot+1:], true
}

// values reads several values of a section.
func (b *iniBuilder) values(s *section, into map[string]*string) error {
	for _, key := range sortedKeys(into) {
		v, err := b.doc.value(s, key)
		if err != nil {
			return err
		}
		*into[key] = v
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// deckyName is the pattern of a decky's name.
var deckyName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// deckyKeys are the keys that a decky's section may have.
func deckyKeys() []string {
	return []string{"ip", "services", "archetype", "amount", "nmap_os", "nmap-os", "mutate_interval", "mutate-interval"}
}

// knownKeys are the keys that have an effect anywhere but in a service's section.
func knownKeys() []string {
	return append(deckyKeys(), "net", "gw", "interface", "binary", "exec", "ports")
}

func (b *iniBuilder) decky(s *section) error {
	var w Wanted
	var services, amount, os, osDash, mutate, mutateDash string
	if err := b.values(s, map[string]*string{
		"ip": &w.IP, "services": &services, "archetype": &w.Archetype, "amount": &amount,
		"nmap_os": &os, "nmap-os": &osDash, "mutate_interval": &mutate, "mutate-interval": &mutateDash,
	}); err != nil {
		return err
	}
	if services != "" {
		for item := range strings.SplitSeq(services, ",") {
			w.Services = append(w.Services, strip(item))
		}
	}
	w.NmapOS = first(os, osDash)
	n, err := count(amount)
	if err != nil {
		return fmt.Errorf("[%s] %w", printable(s.name), err)
	}
	if n > 1 && w.IP != "" {
		return fmt.Errorf("[%s] has an ip and an amount of %d: only one machine can have it", printable(s.name), n)
	}
	if w.MutateInterval, err = minutes(first(mutate, mutateDash)); err != nil {
		return fmt.Errorf("[%s] %w", printable(s.name), err)
	}
	b.ignoredKeys(s, deckyKeys())
	return b.add(s.name, w, n)
}

// first returns the first text that is not "".
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// add adds n deckies of a kind, numbered when there are several.
func (b *iniBuilder) add(base string, w Wanted, n int) error {
	for i := range n {
		w.Name = base
		if n > 1 {
			w.Name = fmt.Sprintf("%s-%02d", base, i+1)
		}
		switch _, taken := b.index[w.Name]; {
		case !deckyName.MatchString(w.Name):
			return fmt.Errorf("[%s] is no name of a decky: it may have letters, digits, dots, - and _", printable(base))
		case len(w.Name) > maxDeckyName:
			return fmt.Errorf("the name %s is longer than %d characters", printable(w.Name), maxDeckyName)
		case taken:
			return fmt.Errorf("two deckies are named %s", printable(w.Name))
		case len(b.ini.Deckies) == MaxDeckies:
			return fmt.Errorf("it asks for more than %d deckies", MaxDeckies)
		}
		w.Services = slices.Clone(w.Services)
		w.ServiceConfig = map[string]map[string]string{}
		b.index[w.Name] = len(b.ini.Deckies)
		b.ini.Deckies = append(b.ini.Deckies, w)
	}
	return nil
}

// count reads an amount.
func count(text string) (int, error) {
	if text == "" {
		return 1, nil
	}
	n, err := pythonInt(text)
	switch {
	case err != nil || n < 1:
		return 0, fmt.Errorf("amount is not a whole number from 1 to %d: %s", MaxAmount, printable(text))
	case n > MaxAmount:
		return 0, fmt.Errorf("an amount of %d is more than %d", n, MaxAmount)
	}
	return int(n), nil
}

// minutes reads an interval; nil means that there is none.
func minutes(text string) (*int64, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no interval is no error
	}
	n, err := pythonInt(text)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("mutate_interval is not a whole number of minutes, at least 1: %s", printable(text))
	}
	return &n, nil
}

// pythonInt reads a whole number as Python does: with a sign, with single _
// between digits.
func pythonInt(text string) (int64, error) {
	digits := strings.TrimLeft(strip(text), "+-")
	plain := len(strip(text))-len(digits) <= 1 && digits != "" && digits[0] != '_' &&
		!strings.HasSuffix(digits, "_") && !strings.Contains(digits, "__")
	if !plain {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(strings.ReplaceAll(strip(text), "_", ""), 10, 64)
}

func (b *iniBuilder) custom(s *section, name string) error {
	c := CustomService{Name: name, Ports: []int{}}
	var list string
	if err := b.values(s, map[string]*string{"binary": &c.Image, "exec": &c.Exec, "ports": &list}); err != nil {
		return err
	}
	for item := range strings.SplitSeq(list, ",") {
		item = strip(item)
		n, err := strconv.Atoi(item)
		switch {
		case item == "":
		case err != nil || n < 0 || item[0] == '+' || item[0] == '-':
			b.ignore("[%s] ports: %s is not a number", printable(s.name), printable(item))
		default:
			c.Ports = append(c.Ports, n)
		}
	}
	b.ignoredKeys(s, []string{"binary", "exec", "ports"})
	b.ini.Custom = append(b.ini.Custom, c)
	return nil
}

// attach gives the settings of services to their deckies: to the one of that
// name, else to all whose names begin with it and a dash.
func (b *iniBuilder) attach() error {
	names := make([]string, len(b.ini.Deckies))
	for i := range b.ini.Deckies {
		names[i] = b.ini.Deckies[i].Name
	}
	sort.Strings(names)
	for _, s := range b.settings {
		decky, service, _ := serviceSection(s.name)
		values := make(map[string]string)
		for _, key := range b.doc.keys(s) {
			v, err := b.doc.value(s, key)
			if err != nil {
				return err
			}
			values[key] = v
		}
		targets := b.targets(names, decky)
		if len(targets) == 0 {
			b.ignore("[%s] belongs to no decky", printable(s.name))
		}
		for _, name := range targets {
			if b.used += len(values) + 1; b.used > maxSettings {
				return fmt.Errorf("its services have more than %d settings", maxSettings)
			}
			b.ini.Deckies[b.index[name]].set(service, values)
		}
	}
	return nil
}

// set gives a service settings; a later section's hold.
func (w *Wanted) set(service string, values map[string]string) {
	if w.ServiceConfig[service] == nil {
		w.ServiceConfig[service] = make(map[string]string, len(values))
	}
	maps.Copy(w.ServiceConfig[service], values)
}

// targets returns the deckies that are meant by a name; names are sorted.
func (b *iniBuilder) targets(names []string, decky string) []string {
	if _, ok := b.index[decky]; ok {
		return []string{decky}
	}
	prefix := decky + "-"
	from := sort.SearchStrings(names, prefix)
	to := from
	for to < len(names) && strings.HasPrefix(names[to], prefix) {
		to++
	}
	return names[from:to]
}

// maxIgnored is how many sentences on what was ignored are kept.
const maxIgnored = 100

func (b *iniBuilder) ignore(format string, args ...any) {
	if len(b.ini.Ignored) < maxIgnored {
		b.ini.Ignored = append(b.ini.Ignored, fmt.Sprintf(format, args...))
	}
}

// ignoredKeys notes the section's own keys that are not known.
func (b *iniBuilder) ignoredKeys(s *section, known []string) {
	for _, key := range s.keys {
		if !slices.Contains(known, key) {
			b.ignore("[%s] %s has no effect", printable(s.name), printable(key))
		}
	}
}
