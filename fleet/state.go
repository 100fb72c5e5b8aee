package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// The bounds of a state file; whatever exceeds them is an error.
const (
	// MaxStateSize is the largest file that is read or written, in bytes.
	MaxStateSize = 16 << 20
	// MaxDeckies is the largest fleet.
	MaxDeckies = 10_000
	// MaxName is the longest name of a decky, in bytes.
	MaxName = 255
)

// State is the content of a state file.
type State struct {
	Config Config `json:"config"`
	// ComposePath names the compose file that runs the fleet, "" for none.
	ComposePath string `json:"compose_path"`
}

// Config is what was deployed.
type Config struct {
	// Mode is "unihost" or "swarm"; [StateFile.Write] writes "" as "unihost".
	Mode      string  `json:"mode"`
	Interface string  `json:"interface"`
	Subnet    string  `json:"subnet"`
	Gateway   string  `json:"gateway"`
	Deckies   []Decky `json:"deckies"`
	LogFile   *string `json:"log_file"`
	IPvlan    bool    `json:"ipvlan"`
	// MutateInterval is in minutes; null means never.
	MutateInterval *int64 `json:"mutate_interval"`
}

// defaultMode is the mode of a fleet on one host, the only one that the tools
// which share the file accept beside "swarm".
const defaultMode = "unihost"

// parseState reads a state file. Keys that are unknown are ignored, and those
// that are missing are zero, except the config itself: a file without it is not
// a state file, and taking it for an empty fleet would hide the damage.
func parseState(b []byte) (State, error) {
	var top struct {
		Config      json.RawMessage `json:"config"`
		ComposePath string          `json:"compose_path"`
	}
	if err := json.Unmarshal(b, &top); err != nil {
		return State{}, describe(err, "")
	}
	if config := bytes.TrimSpace(top.Config); len(config) == 0 || bytes.Equal(config, []byte("null")) {
		return State{}, errors.New(`it has no "config"`)
	}
	s := State{ComposePath: top.ComposePath}
	if err := json.Unmarshal(top.Config, &s.Config); err != nil {
		return State{}, describe(err, "config")
	}
	s.Config.Deckies = normal(s.Config.Deckies)
	return s, s.validate()
}

// normal returns a copy in which lists and maps are [] and {} where they were
// null.
func normal(deckies []Decky) []Decky {
	all := make([]Decky, len(deckies))
	for i, d := range deckies {
		if d.Services == nil {
			d.Services = []string{}
		}
		config := make(map[string]map[string]json.RawMessage, len(d.ServiceConfig))
		for service, values := range d.ServiceConfig {
			if values == nil {
				values = map[string]json.RawMessage{}
			}
			config[service] = values
		}
		d.ServiceConfig = config
		all[i] = d
	}
	return all
}

func (s *State) validate() error {
	if n := len(s.Config.Deckies); n > MaxDeckies {
		return fmt.Errorf("it has %d deckies; at most %d are possible", n, MaxDeckies)
	}
	seen := make(map[string]bool, len(s.Config.Deckies))
	for i, d := range s.Config.Deckies {
		switch {
		case d.Name == "":
			return fmt.Errorf("decky number %d has no name", i+1)
		case len(d.Name) > MaxName:
			return fmt.Errorf("the name of decky number %d is longer than %d bytes", i+1, MaxName)
		case strings.ContainsFunc(d.Name, unicode.IsControl):
			return fmt.Errorf("the name of decky number %d has a control character", i+1)
		case seen[d.Name]:
			return fmt.Errorf("two deckies are named %s", strconv.Quote(d.Name))
		}
		seen[d.Name] = true
	}
	return nil
}

// describe says for an operator what encoding/json says for a programmer, about
// the value under a key or, for "", about the whole file.
func describe(err error, key string) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("it is not valid JSON (%w, at byte %d)", err, syntax.Offset)
	}
	var wrongType *json.UnmarshalTypeError
	if !errors.As(err, &wrongType) {
		return err
	}
	field := strings.Trim(key+"."+wrongType.Field, ".")
	if field == "" {
		return fmt.Errorf("it holds a JSON %s, not an object", wrongType.Value)
	}
	return fmt.Errorf("%s cannot be a JSON %s", strconv.Quote(field), wrongType.Value)
}
