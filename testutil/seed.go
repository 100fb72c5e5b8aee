package testutil

import (
	"encoding/json"
	"fmt"
	"time"

	"decnet/fleet"
	"decnet/repo"
)

// Event returns the i-th event of a deterministic series: a few attackers on a
// few decoys, one event each 90 seconds, some with a credential or a command.
// A test changes what it cares about.
func Event(i int) repo.Event {
	services := []string{"ssh", "http", "telnet"}
	service := services[i%len(services)]
	attacker := fmt.Sprintf("203.0.113.%d", i*7%11+1)
	e := repo.Event{Log: repo.Log{
		Time: epoch().Add(time.Duration(i) * 90 * time.Second), Decky: fmt.Sprintf("decky-%d", i%4), Service: service,
		EventType: "connect", AttackerIP: attacker, Fields: fmt.Sprintf(`{"n":%d,"src_ip":"%s"}`, i, attacker),
	}}
	switch i % 5 {
	case 1, 2:
		e.EventType = "auth_attempt"
		user, password := fmt.Sprintf("user%d", i%3), fmt.Sprintf("pw%d", i%13)
		e.Fields = fmt.Sprintf(`{"password":"%s","src_ip":"%s","username":"%s"}`, password, attacker, user)
		e.Bounties = []repo.Bounty{{
			Type: repo.BountyCredential, Payload: fmt.Sprintf(`{"password":"%s","username":"%s"}`, password, user),
		}}
	case 3:
		e.EventType, e.Command = "command", fmt.Sprintf("cat /etc/passwd | head -%d", i)
		e.Fields = fmt.Sprintf(`{"command":"%s","src_ip":"%s"}`, e.Command, attacker)
	}
	e.RawLine = fmt.Sprintf("<134>1 %s %s %s - %s - from %s", e.Time.Format(time.RFC3339), e.Decky, service, e.EventType, attacker)
	return e
}

// Decky returns the i-th decky of a deterministic fleet.
func Decky(i int) fleet.Decky {
	archetype := "linux-server"
	return fleet.Decky{
		Name: fmt.Sprintf("decky-%d", i), IP: fmt.Sprintf("192.0.2.%d", i+1), Services: []string{"ssh", "http"},
		Distro: "debian", BaseImage: "debian:bookworm-slim", BuildBase: "debian:bookworm-slim",
		Hostname: fmt.Sprintf("SRV-TEST-%02d", i), Archetype: &archetype, NmapOS: "linux",
		ServiceConfig: map[string]map[string]json.RawMessage{"ssh": {"banner": json.RawMessage(`"OpenSSH_9.2"`)}},
	}
}
