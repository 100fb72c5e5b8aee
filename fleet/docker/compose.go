package docker

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// composeFile is the fleet as a compose file, for people who want to see what
// runs, or to run it themselves.
type composeFile struct {
	Name     string                    `yaml:"name"`
	Services map[string]composeService `yaml:"services"`
	Networks map[string]composeNetwork `yaml:"networks"`
}

type composeService struct {
	Image         string                     `yaml:"image"`
	ContainerName string                     `yaml:"container_name"`
	Hostname      string                     `yaml:"hostname"`
	Command       []string                   `yaml:"command"`
	User          string                     `yaml:"user"`
	MacAddress    string                     `yaml:"mac_address,omitempty"`
	ReadOnly      bool                       `yaml:"read_only"`
	CapDrop       []string                   `yaml:"cap_drop"`
	SecurityOpt   []string                   `yaml:"security_opt"`
	Sysctls       map[string]string          `yaml:"sysctls"`
	MemLimit      int64                      `yaml:"mem_limit"`
	PidsLimit     int64                      `yaml:"pids_limit"`
	Restart       string                     `yaml:"restart"`
	Volumes       []string                   `yaml:"volumes"`
	Labels        map[string]string          `yaml:"labels"`
	Networks      map[string]composeEndpoint `yaml:"networks"`
}

type composeEndpoint struct {
	IPv4Address string `yaml:"ipv4_address"`
}

type composeNetwork struct {
	Name       string            `yaml:"name"`
	Driver     string            `yaml:"driver"`
	DriverOpts map[string]string `yaml:"driver_opts,omitempty"`
	IPAM       struct {
		Config []composeIPAM `yaml:"config"`
	} `yaml:"ipam"`
	Labels map[string]string `yaml:"labels"`
}

type composeIPAM struct {
	Subnet  string `yaml:"subnet"`
	Gateway string `yaml:"gateway,omitempty"`
}

// composeNetworkName is what the services call their network.
const composeNetworkName = "decoys"

// composeOf writes the compose file of a fleet.
func composeOf(n network, machines []*machine) ([]byte, error) {
	c := composeFile{Name: "decnet", Services: map[string]composeService{}, Networks: map[string]composeNetwork{}}
	net := composeNetwork{Name: n.Name, Driver: n.Driver, DriverOpts: n.Options, Labels: n.Labels}
	for _, i := range n.IPAM.Config {
		net.IPAM.Config = append(net.IPAM.Config, composeIPAM(i))
	}
	c.Networks[composeNetworkName] = net
	for _, m := range machines {
		s, place := m.spec, m.spec.NetworkingConfig.EndpointsConfig[n.Name]
		mac := s.MacAddress
		if mac == "" {
			mac = place.MacAddress
		}
		c.Services[m.decky.Name] = composeService{
			Image: s.Image, ContainerName: m.name, Hostname: s.Hostname, Command: s.Cmd, User: s.User, MacAddress: mac,
			ReadOnly: s.HostConfig.ReadonlyRootfs, CapDrop: s.HostConfig.CapDrop, SecurityOpt: s.HostConfig.SecurityOpt,
			Sysctls: s.HostConfig.Sysctls, MemLimit: s.HostConfig.Memory, PidsLimit: s.HostConfig.PidsLimit,
			Restart: s.HostConfig.RestartPolicy.Name, Volumes: s.HostConfig.Binds, Labels: s.Labels,
			Networks: map[string]composeEndpoint{composeNetworkName: {place.IPAMConfig.IPv4Address}},
		}
	}
	var b bytes.Buffer
	b.WriteString("# Written by decnet whenever the fleet changes; what you change here is lost.\n")
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(c), encoder.Close()); err != nil {
		return nil, fmt.Errorf("encode the compose file: %w", err)
	}
	return b.Bytes(), nil
}

// pendingCompose is a compose file that is written but not in its place.
type pendingCompose struct{ path, tmp string }

// prepareCompose writes the compose file beside the old one, so that a full disk
// shows before anything was changed.
func (d *Driver) prepareCompose(n network, machines []*machine) (pendingCompose, error) {
	if d.o.Compose == "" {
		return pendingCompose{}, nil
	}
	content, err := composeOf(n, machines)
	if err != nil {
		return pendingCompose{}, err
	}
	p := pendingCompose{path: d.o.Compose, tmp: d.o.Compose + ".new"}
	if err := os.WriteFile(p.tmp, content, 0o600); err != nil {
		return pendingCompose{}, fmt.Errorf("write the compose file: %w", err)
	}
	return p, nil
}

// commit puts the file in its place.
func (p pendingCompose) commit() error {
	if p.path == "" {
		return nil
	}
	if err := os.Rename(p.tmp, p.path); err != nil {
		return fmt.Errorf("write the compose file: %w", err)
	}
	return nil
}

// discard removes the file unless it is in its place.
func (p pendingCompose) discard() {
	if p.tmp != "" {
		_ = os.Remove(p.tmp) // it is gone after a commit
	}
}

func addressOf(ip string, port int) string { return net.JoinHostPort(ip, strconv.Itoa(port)) }
