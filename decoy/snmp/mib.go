package snmp

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"decnet/decoy/ber"
	"decnet/decoy/trap"
)

// OID is the name of an object.
type OID []uint32

// maxArcs bounds a name, as SMIv2 does.
const maxArcs = 128

func decodeOID(b []byte) (OID, error) {
	var o OID
	var arc uint64
	for i, c := range b {
		arc = arc<<7 | uint64(c&0x7f)
		if arc > 1<<32-1 || len(o) == maxArcs {
			return nil, errMalformed
		}
		if c&0x80 != 0 {
			if i == len(b)-1 {
				return nil, errMalformed
			}
			continue
		}
		if len(o) == 0 {
			first := min(arc/40, 2)
			o = append(o, uint32(first))
			arc -= first * 40
		}
		o, arc = append(o, uint32(arc)), 0
	}
	return o, nil
}

func (o OID) encode() []byte {
	if len(o) < 2 {
		return ber.Wrap(ber.OID)
	}
	var b []byte
	for i, arc := range o[1:] {
		n := uint64(arc)
		if i == 0 {
			n += uint64(o[0]) * 40
		}
		part := []byte{byte(n & 0x7f)}
		for n >>= 7; n > 0; n >>= 7 {
			part = append(part, byte(n&0x7f)|0x80)
		}
		slices.Reverse(part)
		b = append(b, part...)
	}
	return ber.Wrap(ber.OID, b)
}

// String writes the name with dots.
func (o OID) String() string {
	s := make([]string, len(o))
	for i, arc := range o {
		s[i] = strconv.FormatUint(uint64(arc), 10)
	}
	return strings.Join(s, ".")
}

func (o OID) compare(p OID) int { return slices.Compare(o, p) }

// parseOID reads a name of our own.
func parseOID(s string) OID {
	var o OID
	for part := range strings.SplitSeq(s, ".") {
		n, _ := strconv.ParseUint(part, 10, 32)
		o = append(o, uint32(n))
	}
	return o
}

// deviceOf returns what a host is.
func deviceOf(h *trap.Host) Device {
	r := h.Rand("snmp device")
	switch {
	case h.Archetype == "printer":
		serial := "PHB" + strings.ToUpper(hex.EncodeToString(h.Derive("printer serial", 4)))[:7]
		return Device{
			Descr:    "HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24150033,CIDATE 05/17/2019",
			ObjectID: "1.3.6.1.4.1.11.2.3.9.1",
			Extra: map[string]string{
				"1.3.6.1.2.1.25.3.2.1.3.1":     "HP LaserJet MFP M426fdn",
				"1.3.6.1.2.1.43.5.1.1.16.1":    "HP LaserJet MFP M426fdn",
				"1.3.6.1.2.1.43.5.1.1.17.1":    serial,
				"1.3.6.1.2.1.43.11.1.1.6.1.1":  "Black Cartridge HP CF226X",
				"1.3.6.1.2.1.43.16.5.1.2.1.1":  "Ready",
				"1.3.6.1.4.1.11.2.3.9.1.1.7.0": "MFG:Hewlett-Packard;CMD:PJL,PML,PCLXL,URP,PCL,PDF,POSTSCRIPT;MDL:HP LaserJet MFP M426fdn;CLS:PRINTER;SERN:" + serial + ";",
			},
		}
	case h.System == "cisco":
		return Device{
			Descr: "Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M), Version 15.0(2)SE11, RELEASE SOFTWARE (fc3)\r\n" +
				"Technical Support: http://www.cisco.com/techsupport\r\nCopyright (c) 1986-2017 by Cisco Systems, Inc.\r\nCompiled Sat 19-Aug-17 09:34 by prod_rel_team",
			ObjectID: "1.3.6.1.4.1.9.1.716",
		}
	case h.System == "windows":
		return Device{
			Descr:    "Hardware: Intel64 Family 6 Model 85 Stepping 7 AT/AT COMPATIBLE - Software: Windows Version 6.3 (Build 14393 Multiprocessor Free)",
			ObjectID: "1.3.6.1.4.1.311.1.1.3.1.2",
		}
	case h.Archetype == "iot-device" || h.System == "embedded":
		return Device{Descr: "Linux " + h.Hostname + " 4.14.241 #0 Sun Aug 15 06:00:20 2021 mips", ObjectID: "1.3.6.1.4.1.8072.3.2.10"}
	case h.System == "bsd":
		return Device{Descr: "FreeBSD " + h.Hostname + " 13.2-RELEASE FreeBSD 13.2-RELEASE releng/13.2-n254617-525ecfdad597 GENERIC amd64", ObjectID: "1.3.6.1.4.1.8072.3.2.8"}
	}
	kernel := map[string]string{
		"ubuntu22": "5.15.0-97-generic #107-Ubuntu SMP Wed Feb 7 13:26:48 UTC 2024", "ubuntu20": "5.4.0-172-generic #190-Ubuntu SMP Fri Feb 2 23:24:22 UTC 2024",
		"rocky9": "5.14.0-362.18.1.el9_3.0.1.x86_64 #1 SMP PREEMPT_DYNAMIC Sun Feb 11 13:49:23 UTC 2024", "centos7": "3.10.0-1160.108.1.el7.x86_64 #1 SMP Thu Jan 25 16:17:31 UTC 2024",
	}[h.Distro]
	if kernel == "" {
		kernel = []string{"6.1.0-17-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.69-1 (2023-12-30)", "6.1.0-18-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)"}[r.IntN(2)]
	}
	return Device{Descr: "Linux " + h.Hostname + " " + kernel + " x86_64", ObjectID: "1.3.6.1.4.1.8072.3.2.10"}
}

// mib returns all objects in order.
func (a *agent) mib(d *trap.Datagram) []Binding {
	h, now := d.Host, d.Now()
	up := int64(now.Sub(h.Booted(now)) / (10 * time.Millisecond))
	traffic := up * int64(h.Rand("snmp traffic").IntN(90)+10)
	mac := append([]byte{0x00, 0x50, 0x56}, h.Derive("snmp mac", 3)...)
	text := func(s string) []byte { return ber.Text(ber.Octets, s) }
	number := func(n int64) []byte { return ber.Int(ber.Integer, n) }
	address := []byte{10, 0, 0, 1}
	if h.Addr.Is4() {
		address = h.Addr.AsSlice()
	}
	objects := map[string][]byte{
		"1.1.0": text(a.device.Descr), "1.2.0": parseOID(a.device.ObjectID).encode(), "1.3.0": ber.Int(typeTicks, up&0xffffffff),
		"1.4.0": text("root"), "1.5.0": text(h.Hostname), "1.6.0": text("Unknown"), "1.7.0": number(72),
		"2.1.0": number(2), "2.2.1.1.1": number(1), "2.2.1.1.2": number(2), "2.2.1.2.1": text("lo"), "2.2.1.2.2": text("eth0"),
		"2.2.1.3.1": number(24), "2.2.1.3.2": number(6), "2.2.1.5.1": ber.Int(typeGauge, 10000000), "2.2.1.5.2": ber.Int(typeGauge, 1000000000),
		"2.2.1.6.1": text(""), "2.2.1.6.2": ber.Wrap(ber.Octets, mac), "2.2.1.7.2": number(1), "2.2.1.8.2": number(1),
		"2.2.1.10.2": ber.Int(typeCounter, traffic&0xffffffff), "2.2.1.16.2": ber.Int(typeCounter, traffic/3&0xffffffff),
		"4.20.1.1." + dotted(address): ber.Wrap(typeAddress, address), "4.20.1.2." + dotted(address): number(2),
		"25.1.1.0": ber.Int(typeTicks, (up+1500)&0xffffffff),
	}
	var all []Binding
	for name, value := range objects {
		all = append(all, Binding{parseOID("1.3.6.1.2.1." + name), value})
	}
	for name, value := range a.device.Extra {
		all = append(all, Binding{parseOID(name), text(value)})
	}
	slices.SortFunc(all, func(x, y Binding) int { return x.Name.compare(y.Name) })
	return all
}

func dotted(address []byte) string {
	o := make(OID, len(address))
	for i, b := range address {
		o[i] = uint32(b)
	}
	return o.String()
}
