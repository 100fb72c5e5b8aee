package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// hostility is what a hostile client does. It is a process of its own, since
// what it uses up is not to be counted as that of the decoys.
type hostility struct {
	// Connections are opened in all, PerSecond at a time; those that end are opened
	// again, at most Again of them a second.
	Connections, PerSecond, Again int
	// Network is a range of 127.0.0.0/8, written 127.200., that they come from:
	// half of them from four addresses, the rest from 250.
	Network string
	// Targets are where they go, and Kinds what they do there, in turns.
	Targets []target
	Kinds   []string
}

// target is a port of a decoy.
type target struct{ Service, Address string }

// campaign is a hostility that is going on.
type campaign struct {
	hostility
	opened, failed, alive atomic.Int64
	again                 chan int
}

// asAttacker is the variable that makes this binary the hostile client.
const asAttacker = "DECNET_TEST_AS_ATTACKER"

// attackAs is the hostile client as a program: it says when it has opened all its
// connections, goes on until its input ends, and then says how it was.
func attackAs(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadString('\n')
	if err != nil {
		return err
	}
	var c campaign
	if err := json.Unmarshal([]byte(line), &c.hostility); err != nil {
		return err
	}
	c.again = make(chan int, c.Connections)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() {
		c.open(ctx, &all)
		_, _ = fmt.Fprintf(out, "opened %d failed %d alive %d\n", c.opened.Load(), c.failed.Load(), c.alive.Load())
		c.reopen(ctx, &all)
	})
	_, _ = lines.ReadByte()
	alive := c.alive.Load()
	cancel()
	all.Wait()
	_, err = fmt.Fprintf(out, "opened %d failed %d alive %d\n", c.opened.Load(), c.failed.Load(), alive)
	return err
}

// open opens all connections at the pace that was asked for, and returns when
// each was taken or refused.
func (c *campaign) open(ctx context.Context, all *sync.WaitGroup) {
	tick := time.NewTicker(time.Second / time.Duration(c.PerSecond))
	defer tick.Stop()
	var dials sync.WaitGroup
	defer dials.Wait()
	for n := range c.Connections {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		dials.Add(1)
		all.Go(func() { c.visit(ctx, n, dials.Done) })
	}
}

// reopen opens those that ended.
func (c *campaign) reopen(ctx context.Context, all *sync.WaitGroup) {
	tick := time.NewTicker(time.Second / time.Duration(c.Again))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		select {
		case n := <-c.again:
			all.Go(func() { c.visit(ctx, n, func() {}) })
		default:
		}
	}
}

// visit is connection n from its begin to its end; dialed is called in between.
func (c *campaign) visit(ctx context.Context, n int, dialed func()) {
	defer func() { c.again <- n }()
	who := rand.New(rand.NewPCG(uint64(n), 1)) // the same one each time
	from := fmt.Sprintf("%s1.%d", c.Network, 1+who.IntN(250))
	if who.IntN(2) == 0 {
		from = fmt.Sprintf("%s2.%d", c.Network, 1+who.IntN(4))
	}
	to, kind := c.Targets[who.IntN(len(c.Targets))], c.Kinds[who.IntN(len(c.Kinds))]
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 20 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", to.Address)
	dialed()
	if err != nil {
		c.failed.Add(1)
		return
	}
	defer conn.Close() //nolint:errcheck // the decoy may have closed it
	c.opened.Add(1)
	c.alive.Add(1)
	defer c.alive.Add(-1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	misbehave(ctx, cancel, conn, to.Service, kind)
}

// The kinds of connections.
const (
	silent = "silent" // it says nothing
	drip   = "drip"   // a byte now and then
	noise  = "noise"  // bytes at random, and then nothing
	flood  = "flood"  // the begin of something endless, and 2 kB of it a second
	shake  = "shake"  // what a client says until it would have to log in, and then nothing
	fill   = "fill"   // a login, and then what nobody in there reads
)

// misbehave talks as a hostile client until the decoy has enough of it.
func misbehave(ctx context.Context, cancel func(), conn net.Conn, service, kind string) {
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	if service == "ssh" && (kind == shake || kind == fill) {
		useSSH(ctx, conn, kind == fill)
		return
	}
	go func() { // what the decoy says is of no interest, only that it hangs up
		defer cancel()
		_, _ = io.Copy(io.Discard, conn)
	}()
	var err error
	switch kind {
	case drip:
		text := polite(service)
		every(ctx, time.Second, 3*time.Second, r, func(i int) bool {
			_, err = conn.Write([]byte{text[i%len(text)]})
			return err == nil
		})
	case noise:
		b := make([]byte, 1+r.IntN(4096))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		_, err = conn.Write(b)
	case flood:
		_, err = io.WriteString(conn, endless(service))
		if err == nil {
			more := []byte(strings.Repeat("A", 2048))
			every(ctx, time.Second, time.Second, r, func(int) bool {
				_, err = conn.Write(more)
				return err == nil
			})
		}
	case shake:
		_, err = io.WriteString(conn, polite(service))
	}
	if err == nil {
		<-ctx.Done()
	}
}

// every calls do again and again, until it returns false or ctx is done.
func every(ctx context.Context, least, most time.Duration, r *rand.Rand, do func(i int) bool) {
	for i := 0; do(i); i++ {
		t := time.NewTimer(least + time.Duration(r.Int64N(int64(most-least)+1)))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// useSSH exchanges keys with an SSH server and then never logs in, or logs in and
// sends data to ten channels in which nothing runs.
func useSSH(ctx context.Context, conn net.Conn, in bool) {
	c, channels, requests, err := ssh.NewClientConn(conn, "", &ssh.ClientConfig{
		User: "root", HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Auth: []ssh.AuthMethod{ssh.PasswordCallback(func() (string, error) {
			if in {
				return adminPassword, nil
			}
			_, err := conn.Read(make([]byte, 1)) // for as long as the server has patience
			return "", err
		})},
	})
	if err != nil {
		return
	}
	defer c.Close() //nolint:errcheck // the decoy may have closed it
	go ssh.DiscardRequests(requests)
	go func() {
		for n := range channels {
			_ = n.Reject(ssh.Prohibited, "")
		}
	}()
	var all sync.WaitGroup
	for range 10 {
		ch, requests, err := c.OpenChannel("session", nil)
		if err != nil {
			break
		}
		go ssh.DiscardRequests(requests)
		all.Go(func() { _, _ = ch.Write(make([]byte, 2<<20)) })
	}
	<-ctx.Done()
	_ = c.Close()
	all.Wait()
}

// polite is how a client of the service begins.
func polite(service string) string {
	switch service {
	case "ssh":
		return "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\x00\x00\x04\xf4\x0a\x14"
	case "http", "docker_api", "elasticsearch", "k8s":
		return "POST /login.php HTTP/1.1\r\nHost: www\r\nContent-Length: 100000\r\nX-A: b\r\n"
	case "https":
		return "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	case "mysql":
		return "\xff\x3f\x00\x01\x85\xa6\xff\x01"
	case "redis":
		return "*3\r\n$3\r\nSET\r\n$10\r\nabc\r\n"
	case "smtp":
		return "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nA: b\r\n"
	case "imap":
		return "a LOGIN {100}\r\nb"
	default:
		return "USER root\r\nPASS root\r\nHELP\r\n"
	}
}

// endless is the begin of something that would be very large.
func endless(service string) string {
	switch service {
	case "ssh":
		return "SSH-2.0-Go\r\n\x00\x03\xff\xfc\x0a\x14"
	case "http", "docker_api", "elasticsearch", "k8s":
		return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"
	case "https":
		return "\x16\x03\x01\xff\xff\x01\xff\xff\xff\x03\x03"
	case "mysql":
		return "\xff\xff\xff\x01"
	case "postgres":
		return "\x7f\xff\xff\xff\x00\x03\x00\x00"
	case "redis":
		return "*1048576\r\n$536870912\r\n"
	case "imap":
		return "a LOGIN {2147483647}\r\n"
	case "ldap":
		return "\x30\x84\x7f\xff\xff\xff\x02\x01\x01\x60"
	case "smb":
		return "\x00\xff\xff\xff\xffSMB"
	case "rdp":
		return "\x03\x00\xff\xff\xff\xe0"
	default:
		return "USER "
	}
}
