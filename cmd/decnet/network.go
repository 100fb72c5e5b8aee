package main

import (
	"bufio"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"decnet/fleet"
)

// dockerNetwork is where containers stand when nobody says: beside this host, or
// in a network of their own.
func dockerNetwork(kind string) fleet.Network {
	if kind == networkBridge {
		return fleet.Network{Subnet: "172.29.0.0/24", Gateway: "172.29.0.1"}
	}
	routes, err := os.Open("/proc/net/route")
	if err != nil {
		return fleet.Network{} // not Linux; the fleet's file must say
	}
	defer routes.Close() //nolint:errcheck // nothing was written
	name, gateway, ok := defaultRoute(routes)
	if !ok {
		return fleet.Network{}
	}
	device, err := net.InterfaceByName(name)
	if err != nil {
		return fleet.Network{}
	}
	all, err := device.Addrs()
	if err != nil {
		return fleet.Network{}
	}
	for _, address := range all {
		if subnet, err := netip.ParsePrefix(address.String()); err == nil && subnet.Contains(gateway) {
			return fleet.Network{Subnet: subnet.Masked().String(), Gateway: gateway.String(), Interface: name, IPvlan: kind == "ipvlan"}
		}
	}
	return fleet.Network{}
}

// defaultRoute finds the router in the table of the Linux kernel, whose addresses
// are in hexadecimal digits and in the byte order of the machine.
func defaultRoute(table io.Reader) (device string, gateway netip.Addr, ok bool) {
	for lines := bufio.NewScanner(table); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 || fields[1] != "00000000" {
			continue
		}
		b, err := hex.DecodeString(fields[2])
		if err != nil || len(b) != 4 {
			continue
		}
		slices.Reverse(b) // little endian, as all machines are that decnet is built for
		if addr := netip.AddrFrom4([4]byte(b)); !addr.IsUnspecified() {
			return fields[0], addr, true
		}
	}
	return "", netip.Addr{}, false
}
