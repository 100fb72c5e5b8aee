//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy"
)

// inCage is the variable that tells this binary that it runs in a cage.
const inCage = "DECNET_TEST_IN_CAGE"

// TestDecoys_ReachNobodyFromACage runs the whole program with decoys in a network
// namespace of its own, that is, with a network stack that nobody else uses and
// that leads nowhere, and asks it in every way that is known for them to connect
// to somebody. Then the stack has counted no connection and no datagram but those
// of the attack itself, and none that it found no way for. So nothing of the
// process, library or not, even tried to reach anybody, name servers included;
// TestSafety_DecoysReachOutNowhere reads the source for the same.
func TestDecoys_ReachNobodyFromACage(t *testing.T) {
	t.Parallel()
	if os.Getenv(inCage) != "" {
		runCaged(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), inCage+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Start()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSPC) {
		t.Skipf("this system lets nobody make a user and network namespace of their own: %v", err)
	}
	require.NoError(t, err)
	require.NoErrorf(t, cmd.Wait(), "in the cage:\n%s", &out)
	if strings.Contains(out.String(), "--- SKIP") {
		t.Skip(out.String())
	}
	assert.Contains(t, out.String(), "--- PASS: "+t.Name())
}

// sent are what a network stack sent of what was to leave it.
type sent struct {
	// dials are TCP connections that were begun, datagrams those that were sent
	// over UDP, lost all that no way was found for.
	dials, datagrams, lost int64
}

func (c sent) since(before sent) sent {
	return sent{c.dials - before.dials, c.datagrams - before.datagrams, c.lost - before.lost}
}

// counted reads what the stack of this process has counted so far.
func counted(t *testing.T) sent {
	t.Helper()
	text, err := os.ReadFile("/proc/self/net/snmp")
	require.NoError(t, err)
	values := map[string]int64{}
	lines := strings.Split(string(text), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, numbers := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for k := 1; k < len(names); k++ {
			values[names[0]+names[k]], _ = strconv.ParseInt(numbers[k], 10, 64)
		}
	}
	text, err = os.ReadFile("/proc/self/net/snmp6")
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 {
			values[f[0]], _ = strconv.ParseInt(f[1], 10, 64)
		}
	}
	for _, name := range []string{"Tcp:ActiveOpens", "Udp:OutDatagrams", "Udp6OutDatagrams", "Ip:OutNoRoutes", "Ip6OutNoRoutes"} {
		require.Contains(t, values, name, "the system sent it")
	}
	return sent{
		values["Tcp:ActiveOpens"], values["Udp:OutDatagrams"] + values["Udp6OutDatagrams"], values["Ip:OutNoRoutes"] + values["Ip6OutNoRoutes"],
	}
}

// loopbackUp makes the loopback interface of a new namespace usable.
func loopbackUp(t *testing.T) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	require.NoError(t, err)
	defer syscall.Close(fd) //nolint:errcheck // it was only asked
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{name: [syscall.IFNAMSIZ]byte{'l', 'o'}, flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	_, _, number := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
	if number != 0 {
		t.Skipf("this system lets nobody use the loopback interface of a namespace of their own: %v", number)
	}
}

// cagedFleet asks for every service that there is.
const cagedFleet = `[general]
net = 127.77.0.0/24
[a]
ip = 127.77.0.1
services = ssh,telnet,http,ftp,smtp_relay,redis,docker_api,elasticsearch,mysql,postgres,ldap,sip,snmp,tftp,llmnr,smb,rdp,vnc,imap,pop3
[a.ssh]
password = hunter2
[a.telnet]
password = hunter2
[b]
ip = 127.77.0.2
services = k8s,https,conpot
[c]
ip = 127.77.0.3
services = smtp,mongodb,mqtt,memcached,mssql,catchall
`

func runCaged(t *testing.T) {
	t.Helper()
	loopbackUp(t)
	before := counted(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "fleet.ini")
	require.NoError(t, os.WriteFile(file, []byte(cagedFleet), 0o600))
	p := beginWith(t, decoy.Makers(), filepath.Join(dir, "data"), withAdmin(), "--decoys="+file)
	require.NotEmptyf(t, p.url, "decnet did not start: %s", p.stderr.String())

	a := &temptation{}
	a.run(t)
	assert.Equal(t, exitOK, p.end(t))
	journal, err := os.ReadFile(filepath.Join(dir, "data", "decoys", "events.jsonl"))
	require.NoError(t, err)
	assert.Empty(t, missed(string(journal)), "every temptation arrived, and is recorded")
	assert.Equal(t, sent{dials: a.dials.Load(), datagrams: a.datagrams.Load()}, counted(t).since(before))

	// It would have been seen: each of these is counted.
	for _, c := range []struct {
		network, address string
		want             sent
	}{
		{"tcp", elsewhere + ":80", sent{lost: 1}},
		{"udp", elsewhere + ":53", sent{lost: 1}},
		{"tcp", "[2001:db8::7]:80", sent{lost: 1}},
		{"tcp", "127.0.0.9:9", sent{dials: 1}},
	} {
		before = counted(t)
		var dialer net.Dialer
		conn, err := dialer.DialContext(t.Context(), c.network, c.address)
		if err == nil {
			require.NoError(t, conn.Close())
		}
		require.Error(t, err, c.address)
		assert.Equal(t, c.want, counted(t).since(before), c.address)
	}
}

// elsewhere is whom the decoys are to connect to.
const elsewhere = "198.51.100.7"

// missed are the services in whose events nothing of elsewhere is.
func missed(journal string) []string {
	var all []string
	for _, service := range []string{
		"ssh", "telnet", "http", "https", "ftp", "smtp", "redis", "docker_api", "elasticsearch", "k8s", "ldap", "sip", "tftp", "mysql", "pop3", "imap", "memcached", "catchall", "mqtt",
	} {
		found := false
		for line := range strings.Lines(journal) {
			found = found || strings.Contains(line, `"service":"`+service+`"`) && strings.Contains(line, elsewhere)
		}
		if !found {
			all = append(all, service)
		}
	}
	return all
}

// temptation sent what the attack itself sends.
type temptation struct{ dials, datagrams atomic.Int64 }

func (a *temptation) dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	if network == "tcp" {
		a.dials.Add(1)
	}
	dialer := net.Dialer{Timeout: patience}
	c, err := dialer.DialContext(t.Context(), network, address)
	require.NoError(t, err, address)
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// talk sends every second text, after it has read the one before.
func (a *temptation) talk(t *testing.T, address string, steps ...string) {
	t.Helper()
	c := a.dial(t, "tcp", address)
	defer c.Close() //nolint:errcheck // the visit is over
	var got []byte
	for i, text := range steps {
		if i%2 == 1 {
			_, err := io.WriteString(c, text)
			require.NoError(t, err, address)
			continue
		}
		for !bytes.Contains(got, []byte(text)) {
			b := make([]byte, 1024)
			n, err := c.Read(b)
			got = append(got, b[:n]...)
			require.NoErrorf(t, err, "%s: %q came, and not %q", address, got, text)
		}
		got = nil
	}
	_ = c.(*net.TCPConn).CloseWrite() // the decoy may have hung up
	_, _ = io.Copy(io.Discard, c)     // else what the decoy has not read yet would be lost
}

// run tempts every service, all at a time, and waits for the end.
func (a *temptation) run(t *testing.T) {
	t.Helper()
	t.Run("tempted", func(t *testing.T) {
		for service, tempt := range a.all() {
			t.Run(service, func(t *testing.T) {
				t.Parallel()
				tempt(t)
			})
		}
	})
}

// ask sends a datagram and takes the answer, if there is to be one.
func (a *temptation) ask(t *testing.T, address, text string, answered bool) {
	t.Helper()
	c := a.dial(t, "udp", address)
	defer c.Close() //nolint:errcheck // one datagram was all
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
	a.datagrams.Add(1)
	if answered {
		_, err := c.Read(make([]byte, 2000))
		require.NoError(t, err)
		a.datagrams.Add(1) // the decoy's
	}
}
