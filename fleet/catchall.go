package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// catchall is the service that listens where nothing is imitated: on the ports
// that its setting "ports" lists.
const catchall = "catchall"

// MaxCatchall is on how many ports a decky records what nothing is imitated for.
const MaxCatchall = 100

// catchallPorts are those that a catchall without a setting has: what scanners
// and worms ask for besides the ports of other services.
func catchallPorts() []Port {
	return tcp(81, 4444, 5555, 7547, 8081, 8088, 8888, 9000, 10000, 37215, 52869, 60001)
}

var errNoPorts = errors.New("it names no port")

// parsePorts reads a list such as "81, 9000-9010, 1900/udp" of ports and ranges of
// them, each named once in what it returns.
func parsePorts(text string) ([]Port, error) {
	var all []Port
	for item := range strings.SplitSeq(text, ",") {
		if item = strip(item); item == "" {
			continue
		}
		numbers, network, given := strings.Cut(strings.ToLower(item), "/")
		if !given {
			network = "tcp"
		}
		from, to, isRange := strings.Cut(numbers, "-")
		low, ok := portNumber(from)
		high := low
		if ok && isRange {
			high, ok = portNumber(to)
		}
		if !ok || high < low || network != "tcp" && network != "udp" {
			return nil, fmt.Errorf("%s is no port or range of ports from 1 to 65535, such as 81, 9000-9010 or 1900/udp", described(item))
		}
		for n := low; n <= high; n++ {
			if p := (Port{network, n}); !slices.Contains(all, p) {
				all = append(all, p)
			}
			if len(all) > MaxCatchall {
				return nil, fmt.Errorf("it names more than %d ports", MaxCatchall)
			}
		}
	}
	if len(all) == 0 {
		return nil, errNoPorts
	}
	return all, nil
}

func portNumber(text string) (int, bool) {
	text = strip(text)
	digits := text != "" && strings.Trim(text, "0123456789") == ""
	n, err := strconv.Atoi(text)
	return n, digits && err == nil && n >= 1 && n <= 65535
}

// Listeners returns the ports on which the decky listens, in the order of its
// services. A port that several have is the one's that has it as its main port
// (443 is the https of a decky with http and https), else the first one's, and
// that of catchall last. The error is about the decky's settings, a sentence
// without an end.
func (d *Decky) Listeners() ([]Listener, error) {
	ports := catchallPorts()
	if raw, given := d.ServiceConfig[catchall]["ports"]; given {
		text := string(raw) // the state file of others may have a number
		_ = json.Unmarshal(raw, &text)
		var err error
		if ports, err = parsePorts(text); err != nil {
			return nil, fmt.Errorf("the ports of %s: %w", catchall, err)
		}
	}
	return listeners(d.Services, ports), nil
}
