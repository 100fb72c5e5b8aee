// Package mqtt imitates mosquitto, the broker of MQTT 3.1, 3.1.1 and 5.0 (the
// OASIS standards), in the version that the distribution packages.
//
// It records each CONNECT with all that it tells (auth: the name and the password
// make a credential), what is subscribed to, unsubscribed from and published, with
// payloads over 8 kB in the quarantine, and what breaks the protocol. A message is
// given back to the session that sent it and to nobody else, so that no broker of
// ours carries anything between attackers. Answers, also those to broken packets,
// are those of mosquitto 2.0.11, byte for byte where it is tested.
//
// What it promises: a session holds at most one packet of 64 kB and some 48 kB
// that it published or subscribed to; a longer payload streams by.
package mqtt

import (
	"fmt"
	"strconv"
	"strings"

	"decnet/decoy/trap"
)

// server is the broker of one decky.
type server struct {
	host    *trap.Host
	version string
	// anonymous lets in who names no user.
	anonymous bool
	// password opens the broker, for every user where username is "". Where it is
	// "" there is no list of users.
	username, password string
	devices            []device
}

// New makes the service. Of its settings it knows "version" (such as 2.0.18),
// "anonymous" (true or false), "username" and "password". Without them it follows
// from the host whether everybody is let in, which all embedded machines and old
// versions do, or one weak pair of a name and a password.
func New(e trap.Env) (trap.Service, error) {
	s := &server{host: e.Host, version: e.Config["version"], username: e.Config["username"], password: e.Config["password"]}
	if s.version == "" {
		s.version = packaged(e.Host.Distro)
	}
	r := e.Host.Rand("mqtt access")
	s.anonymous = e.Host.System == "embedded" || e.Host.Archetype == "iot-device" || strings.HasPrefix(s.version, "1.") || r.IntN(2) == 0
	if s.password != "" {
		s.anonymous = false
	}
	if v := e.Config["anonymous"]; v != "" {
		var err error
		if s.anonymous, err = strconv.ParseBool(v); err != nil {
			return trap.Service{}, fmt.Errorf("anonymous is true or false, not %s", strconv.Quote(v))
		}
	}
	if !s.anonymous && s.password == "" {
		pairs := weak()
		pair := pairs[r.IntN(len(pairs))]
		s.username, s.password = pair[0], pair[1]
	}
	s.devices = household(e.Host)
	return trap.Service{TCP: s}, nil
}

// packaged is the version that a distribution has.
func packaged(distro string) string {
	switch distro {
	case "ubuntu20":
		return "1.6.9"
	case "centos7":
		return "1.6.10"
	case "alpine", "fedora":
		return "2.0.18"
	case "rocky9", "arch":
		return "2.0.20"
	case "kali":
		return "2.0.21"
	}
	return "2.0.11"
}

// weak are names and passwords that people give to a broker, and others guess.
func weak() [][2]string {
	return [][2]string{
		{"mqtt", "mqtt"}, {"admin", "admin"}, {"user", "password"}, {"mosquitto", "mosquitto"}, {"homeassistant", "homeassistant"},
		{"iot", "iot"}, {"mqtt", "password"}, {"admin", "password"}, {"test", "test"}, {"guest", "guest"}, {"mqttuser", "mqttpassword"},
	}
}
