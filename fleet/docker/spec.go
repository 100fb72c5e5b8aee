package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"

	"decnet/fleet"
)

// The labels by which the driver knows what is its own.
const (
	labelFleet  = "decnet.fleet"  // which installation
	labelDecky  = "decnet.decky"  // the decky's name
	labelConfig = "decnet.config" // a hash of all that the container was made from
)

// What a decoy may use up, beside the limits that it has inside.
const (
	memoryLimit = 256 << 20 // bytes
	pidsLimit   = 256
)

// endpoint is a container's place in a network.
type endpoint struct {
	IPAMConfig *struct {
		IPv4Address string `json:"IPv4Address"`
	} `json:"IPAMConfig"`
	MacAddress string `json:"MacAddress,omitempty"`
}

// container is the body of POST /containers/create, as far as it is used.
type container struct {
	Image            string            `json:"Image"`
	Cmd              []string          `json:"Cmd"`
	User             string            `json:"User"`
	Hostname         string            `json:"Hostname"`
	Labels           map[string]string `json:"Labels"`
	MacAddress       string            `json:"MacAddress,omitempty"`
	HostConfig       hostConfig        `json:"HostConfig"`
	NetworkingConfig struct {
		EndpointsConfig map[string]endpoint `json:"EndpointsConfig"`
	} `json:"NetworkingConfig"`
}

type hostConfig struct {
	Binds          []string          `json:"Binds"`
	NetworkMode    string            `json:"NetworkMode"`
	ReadonlyRootfs bool              `json:"ReadonlyRootfs"`
	CapDrop        []string          `json:"CapDrop"`
	SecurityOpt    []string          `json:"SecurityOpt"`
	Sysctls        map[string]string `json:"Sysctls"`
	Memory         int64             `json:"Memory"`
	PidsLimit      int64             `json:"PidsLimit"`
	RestartPolicy  struct {
		Name string `json:"Name"`
	} `json:"RestartPolicy"`
	LogConfig struct {
		Type   string            `json:"Type"`
		Config map[string]string `json:"Config"`
	} `json:"LogConfig"`
}

// network is the body of POST /networks/create, as far as it is used.
type network struct {
	Name    string            `json:"Name"`
	Driver  string            `json:"Driver"`
	Options map[string]string `json:"Options"`
	Labels  map[string]string `json:"Labels"`
	IPAM    struct {
		Config []ipam `json:"Config"`
	} `json:"IPAM"`
}

type ipam struct {
	Subnet  string `json:"Subnet"`
	Gateway string `json:"Gateway,omitempty"`
}

// machine is a decky as it goes into a container.
type machine struct {
	decky fleet.Decky
	// dir is the decky's directory on the host, file the name of its description.
	dir, file string
	// description is what the process inside reads.
	description []byte
	// hash stands for all that the container is made from.
	hash string
	// name is the container's.
	name string
	spec container
}

// networkSpec is the network in which the fleet stands.
func (d *Driver) networkSpec(c *fleet.Config) network {
	n := network{Driver: d.o.Network, Options: map[string]string{}, Labels: map[string]string{labelFleet: d.o.Fleet}}
	if n.Driver == "" {
		n.Driver = "macvlan"
		if c.IPvlan {
			n.Driver = "ipvlan"
		}
	}
	if n.Driver != bridge {
		n.Options["parent"] = c.Interface
	}
	n.IPAM.Config = []ipam{{Subnet: c.Subnet, Gateway: c.Gateway}}
	n.Name = "decnet-" + hashOf(n)[:12]
	n.Labels[labelConfig] = n.Name
	return n
}

// macPerEndpoint is the version since which an address belongs to an endpoint.
const macPerEndpoint = 44

// bridge is a network that only the host reaches, and what it routes there.
const bridge = "bridge"

// machineOf describes the container of a decky.
func (d *Driver) machineOf(ctx context.Context, decky fleet.Decky, image, network string) (*machine, error) {
	decky.LastMutated, decky.LastLoginAttempt, decky.MutateInterval = 0, 0, nil // the container needs none of them
	description, err := json.MarshalIndent(decky, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("describe the decky: %w", err)
	}
	m := &machine{decky: decky, description: description, dir: d.dirOf(decky.Name)}
	s := container{Image: image, Hostname: decky.Hostname, User: d.o.User}
	s.HostConfig = hostConfig{
		Binds: []string{m.dir + ":/decoy"}, NetworkMode: network, ReadonlyRootfs: true,
		CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
		Sysctls: sysctls(decky.NmapOS), Memory: memoryLimit, PidsLimit: pidsLimit,
	}
	s.HostConfig.RestartPolicy.Name = "unless-stopped"
	s.HostConfig.LogConfig.Type = "json-file"
	s.HostConfig.LogConfig.Config = map[string]string{"max-size": "1m", "max-file": "2"}
	place := endpoint{IPAMConfig: &struct {
		IPv4Address string `json:"IPv4Address"`
	}{decky.IP}}
	if d.o.Network != bridge {
		minor, err := d.engine.minor(ctx)
		if err != nil {
			return nil, err
		}
		if minor >= macPerEndpoint {
			place.MacAddress = macOf(d.o.Fleet, decky.Name)
		} else {
			s.MacAddress = macOf(d.o.Fleet, decky.Name)
		}
	}
	s.NetworkingConfig.EndpointsConfig = map[string]endpoint{network: place}
	m.hash = hashOf(struct {
		Description string
		Spec        container
	}{string(description), s})
	m.file = "decky-" + m.hash[:12] + ".json"
	m.name = "decnet-" + strings.ReplaceAll(decky.Name, "_", "-") + "-" + m.hash[:12]
	s.Cmd = []string{"decoy", "--config=/decoy/" + m.file, "--dir=/decoy"}
	s.Labels = map[string]string{labelFleet: d.o.Fleet, labelDecky: decky.Name, labelConfig: m.hash}
	m.spec = s
	return m, nil
}

// hashOf is the same for equal values.
func hashOf(v any) string {
	encoded, _ := json.Marshal(v) // strings, numbers and maps of them always encode
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

// macOf makes the address of a virtual machine, since Docker's own begin with
// 02:42 and say so.
func macOf(fleet, decky string) string {
	sum := sha256.Sum256([]byte(fleet + "\x00" + decky))
	return net.HardwareAddr{0x00, 0x50, 0x56, sum[0] & 0x3f, sum[1], sum[2]}.String()
}

// sysctls make the network stack of a container resemble a family of systems,
// as far as Linux lets itself be told: the initial time to live and the options
// of TCP, by which scanners guess. The first lets a process without privileges
// listen on low ports.
func sysctls(family string) map[string]string {
	ttl, timestamps, sack, scaling, ecn := 64, 1, 1, 1, 2
	switch family {
	case "windows":
		ttl, timestamps, ecn = 128, 0, 0
	case "bsd":
		ecn = 0
	case "embedded", "cisco":
		ttl, timestamps, sack, scaling, ecn = 255, 0, 0, 0, 0
	}
	return map[string]string{
		"net.ipv4.ip_unprivileged_port_start": "0",
		"net.ipv4.ip_default_ttl":             strconv.Itoa(ttl),
		"net.ipv4.tcp_timestamps":             strconv.Itoa(timestamps),
		"net.ipv4.tcp_sack":                   strconv.Itoa(sack),
		"net.ipv4.tcp_window_scaling":         strconv.Itoa(scaling),
		"net.ipv4.tcp_ecn":                    strconv.Itoa(ecn),
	}
}
