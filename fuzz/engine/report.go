//go:build fuzz

package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// describe plays the shrunk trial once more and notes what a person needs.
func (c *Config) describe(ctx context.Context, f *Failure) error {
	world, err := c.newWorld(ctx, f.Trial.World)
	if err != nil {
		return fmt.Errorf("make a world: %w", err)
	}
	if world.Close != nil {
		defer world.Close()
	}
	p := &player{ctx: ctx, config: c, world: world, trial: f.Trial, out: &Outcome{}}
	for i, one := range f.Trial.Steps {
		s, err := p.step(i, one, false)
		if err != nil || s == nil {
			continue // a trial that can't be described is still reported
		}
		f.Curl = Curl(world, s.Exchange)
		f.Answer = answerText(world, s.Exchange)
	}
	return nil
}

// answerBytes bounds how much of an answer is shown.
const answerBytes = 400

func answerText(w *World, x *Exchange) string {
	body := x.Body
	if len(body) > answerBytes {
		body = body[:answerBytes]
	}
	text := fmt.Sprintf("%d %s", x.Status, strings.ToValidUTF8(string(body), "\uFFFD"))
	if x.Broken != "" {
		text = x.Broken
	}
	return w.Mask(text)
}

// Curl returns a command line that sends the request again, with the world's
// secrets replaced by the names of shell variables.
func Curl(w *World, x *Exchange) string {
	parts := []string{"curl", "-i", "-X", x.Method}
	if x.Method == http.MethodHead {
		parts = []string{"curl", "-i", "--head"}
	}
	for _, name := range slices.Sorted(maps.Keys(x.Request)) {
		for _, value := range x.Request[name] {
			header := name + ": " + value
			if value == "" {
				header = name + ";" // curl's way to send an empty header
			}
			parts = append(parts, "-H", quote(w.Mask(header)))
		}
	}
	if x.SentBody != nil {
		parts = append(parts, "--data-binary", quote(w.Mask(string(x.SentBody))))
	}
	base := w.BaseURL
	if base == "" {
		base = "$URL"
	}
	return strings.Join(append(parts, "--path-as-is", quote(base+w.Mask(x.URL))), " ")
}

// quote quotes for a shell: in double quotes where a variable must be filled in,
// else in single ones, or as $'…' where there are bytes that can't be seen.
func quote(s string) string {
	plain := utf8.ValidString(s)
	for _, c := range s {
		plain = plain && c >= ' ' && c != 0x7f && (c < 0x80 || c > 0xa0)
	}
	switch {
	case !plain:
		var b strings.Builder
		for i := range len(s) {
			switch c := s[i]; {
			case c == '\'' || c == '\\':
				b.WriteString("\\" + string(rune(c)))
			case c >= ' ' && c < 0x7f:
				b.WriteByte(c)
			default:
				fmt.Fprintf(&b, "\\x%02x", c)
			}
		}
		return "$'" + b.String() + "'"
	case strings.Contains(s, "$"):
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`").Replace(s) + `"`
	default:
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
}

// String is what a test prints of a failure.
func (f *Failure) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s\n", f.Operation, f.Check, f.Reason)
	fmt.Fprintf(&b, "  seen %d times, first after %d calls; shrunk in %d trials to %d bytes\n", f.Count, f.Calls, f.Shrinks, f.Size)
	for i, step := range f.Trial.Steps {
		if raw, err := marshal(step); err == nil {
			fmt.Fprintf(&b, "  step %d: %s\n", i, clip(string(raw), 2000))
		}
	}
	fmt.Fprintf(&b, "  %s\n  answer: %s", clip(f.Curl, 2000), f.Answer)
	return b.String()
}

func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// Slug names a failure in a file name.
func (f *Failure) Slug() string {
	var b strings.Builder
	for _, c := range strings.ToLower(f.Check + "-" + f.Operation + "-" + f.Reason) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b.WriteRune(c)
		} else if s := b.String(); s != "" && s[len(s)-1] != '-' {
			b.WriteByte('-')
		}
	}
	return strings.Trim(clip(b.String(), 100), "-…")
}

// Save writes a failure as JSON into a directory and returns the file's name.
func (f *Failure) Save(dir string) (string, error) {
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encode a failure: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("keep a failure: %w", err)
	}
	name := filepath.Join(dir, f.Slug()+".json")
	if err := os.WriteFile(name, append(raw, '\n'), 0o600); err != nil {
		return "", fmt.Errorf("keep a failure: %w", err)
	}
	return name, nil
}

// LoadFailure reads what Save wrote.
func LoadFailure(name string) (*Failure, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("a failure: %w", err)
	}
	f := &Failure{}
	if err := unmarshal(raw, f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if f.Trial == nil || len(f.Trial.Steps) == 0 {
		return nil, fmt.Errorf("%s: there is no trial in it", name)
	}
	return f, nil
}

// String is the table of the ledger: a line for each operation.
func (l *Ledger) String() string {
	var b strings.Builder
	for _, op := range l.spec.Operations {
		var statuses []string
		calls := 0
		for _, status := range slices.Sorted(maps.Keys(l.Statuses[op.ID])) {
			n := l.Statuses[op.ID][status]
			calls += n
			statuses = append(statuses, fmt.Sprintf("%d×%d", status, n))
		}
		var unseen []string
		for code := range op.Responses {
			var status int
			if _, err := fmt.Sscanf(code, "%d", &status); err == nil && l.Statuses[op.ID][status] == 0 {
				unseen = append(unseen, code)
			}
		}
		slices.Sort(unseen)
		fmt.Fprintf(&b, "%-26s %6d calls %3d scenarios  %s", op.ID, calls, len(l.Scenarios[op.ID]), strings.Join(statuses, " "))
		if len(unseen) > 0 {
			fmt.Fprintf(&b, "  (never: %s)", strings.Join(unseen, " "))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "requests: %d positive, %d negative, %d outside the document\n",
		l.Verdicts[Positive.String()], l.Verdicts[Negative.String()], l.Verdicts[Unspecified.String()])
	all := map[string]int{}
	for _, scenarios := range l.Scenarios {
		for name, n := range scenarios {
			all[name] += n
		}
	}
	names := slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Compare(a, b) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, all[name])
	}
	fmt.Fprintf(&b, "%d scenarios: %s\n", len(names), strings.Join(names, ", "))
	return b.String()
}
