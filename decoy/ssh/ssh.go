package ssh

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"decnet/decoy/shell"
	"decnet/decoy/trap"
)

// Bounds of a session.
const (
	// grace is how long a client has to log in.
	grace       = 2 * time.Minute
	maxTries    = 6
	maxChannels = 10
	maxEnv      = 32
)

// server is the service of one decky.
type server struct {
	version version
	signers []ssh.Signer
	public  []ssh.PublicKey
	machine *shell.Machine
	gate    *shell.Gate
}

// New makes the service.
func New(e trap.Env) (trap.Service, error) {
	signers, public, err := hostKeys(e.Host)
	if err != nil {
		return trap.Service{}, fmt.Errorf("ssh: %w", err)
	}
	m := shell.NewMachine(e, e.Config["hostname"])
	return trap.Service{TCP: &server{
		version: versionOf(e.Host), signers: signers, public: public, machine: m, gate: shell.NewGate(e.Host, e.Config, m),
	}}, nil
}

var errDenied = errors.New("permission denied")

// config is that of one session, whose attempts to log in it records.
func (v *server) config(ctx context.Context, s *trap.Session) *ssh.ServerConfig {
	c := &ssh.ServerConfig{
		Config:        ssh.Config{KeyExchanges: names(v.version.kex), Ciphers: names(v.version.ciphers), MACs: names(v.version.macs)},
		ServerVersion: v.version.banner, MaxAuthTries: maxTries,
		PublicKeyAuthAlgorithms: []string{
			ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
			ssh.KeyAlgoSKECDSA256, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
		},
		PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			return nil, v.attempt(ctx, s, c.User(), string(password), "password")
		},
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			s.Record("key_attempt", trap.Field{Key: "username", Value: c.User()}, trap.Field{Key: "method", Value: "publickey"},
				trap.Field{Key: "key_type", Value: key.Type()}, trap.Field{Key: "fingerprint", Value: ssh.FingerprintSHA256(key)}, trap.Field{Key: "status", Value: "failed"})
			return nil, errDenied
		},
	}
	if v.version.keyboard {
		c.KeyboardInteractiveCallback = func(c ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil {
				return nil, err
			}
			if len(answers) != 1 {
				return nil, errDenied
			}
			return nil, v.attempt(ctx, s, c.User(), answers[0], "keyboard-interactive")
		}
	}
	for _, signer := range v.signers {
		c.AddHostKey(signer)
	}
	return c
}

func (v *server) attempt(ctx context.Context, s *trap.Session, user, password, method string) error {
	ok := v.gate.Allows(user, password)
	status := "failed"
	if ok {
		status = "success"
	}
	s.Record("auth_attempt", trap.Field{Key: "username", Value: user}, trap.Field{Key: "password", Value: password},
		trap.Field{Key: "method", Value: method}, trap.Field{Key: "status", Value: status})
	if ok {
		return nil
	}
	s.Pause(ctx, 1500*time.Millisecond, 2500*time.Millisecond) // as pam_unix does
	return errDenied
}

// Serve implements [trap.Server].
func (v *server) Serve(ctx context.Context, s *trap.Session) {
	_ = s.SetDeadline(time.Now().Add(grace))
	w, err := greet(s, &v.version)
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, w.flow.stop)()
	conn, channels, requests, err := ssh.NewServerConn(w, v.config(ctx, s))
	if err != nil {
		var auth *ssh.ServerAuthError
		if !errors.As(err, &auth) && !errors.Is(err, io.EOF) && len(w.first) > 0 {
			s.Record("protocol_error", trap.Field{Key: "error", Value: err.Error()}, trap.Field{Key: "data", Value: hex.EncodeToString(w.first)})
		}
		return
	}
	w.trusted.Store(true)
	_ = s.SetDeadline(time.Time{})
	if !v.version.dropbear {
		v.announce(conn)
	}
	l := &login{server: v, s: s, flow: w.flow, end: conn, panics: make(chan any, 1), user: conn.User(), first: v.machine.Start(&s.Peer, conn.User())}
	var wg sync.WaitGroup
	wg.Go(func() { l.guard(func() { l.requests(requests) }) })
	l.channels(ctx, channels, &wg)
	_ = conn.Close()
	_ = conn.Wait()
	wg.Wait()
	select {
	case p := <-l.panics:
		panic(p) // for the caller, who catches those of this goroutine only
	default:
	}
}

// announce tells the host keys, as OpenSSH does after each login.
func (v *server) announce(conn *ssh.ServerConn) {
	var payload []byte
	for _, k := range v.public {
		blob := k.Marshal()
		payload = binary.BigEndian.AppendUint32(payload, uint32(len(blob)))
		payload = append(payload, blob...)
	}
	_, _, _ = conn.SendRequest("hostkeys-00@openssh.com", false, payload)
}

// login is a client that got in.
type login struct {
	*server
	s    *trap.Session
	flow *flow
	user string
	// end closes the connection; panics has what a goroutine panicked with.
	end    io.Closer
	panics chan any

	// mu is held while something runs that sees the files of the first shell.
	mu    sync.Mutex
	first *shell.Shell
}

// shell returns one for a channel, and what is to be called when it has ended.
// Those that run one after the other see what the ones before did. One that
// runs at the same time sees the machine as it was at first.
func (l *login) shell() (*shell.Shell, func()) {
	sh, done := (*shell.Shell)(nil), func() {}
	if l.mu.TryLock() {
		sh, done = l.first.Again(), l.mu.Unlock
	} else {
		sh = l.machine.Start(&l.s.Peer, l.user)
	}
	sh.Setenv("SSH_CLIENT", fmt.Sprintf("%s %d %d", l.s.Remote.Addr(), l.s.Remote.Port(), l.s.Port))
	return sh, done
}

// guard runs a part of the session. A panic in it ends the session, and waits
// for the goroutine that serves it.
func (l *login) guard(part func()) {
	defer func() {
		if p := recover(); p != nil {
			select {
			case l.panics <- p:
			default:
			}
			_ = l.end.Close()
		}
	}()
	part()
}

// requests answers those that are about no channel.
func (l *login) requests(requests <-chan *ssh.Request) {
	for r := range requests {
		ok := false
		var answer []byte
		switch r.Type {
		case "tcpip-forward":
			var m struct {
				Address string
				Port    uint32
			}
			if err := ssh.Unmarshal(r.Payload, &m); err != nil {
				break
			}
			ok = true
			l.s.Record("port_forward", trap.Field{Key: "direction", Value: "remote"}, trap.Field{Key: "bind_host", Value: m.Address},
				trap.Field{Key: "bind_port", Value: number(m.Port)}, trap.Field{Key: "status", Value: "accepted"})
			if m.Port == 0 {
				answer = ssh.Marshal(struct{ Port uint32 }{40000 + uint32(l.s.Remote.Port())%20000})
			}
		case "cancel-tcpip-forward":
			ok = true
		}
		if r.WantReply {
			_ = r.Reply(ok, answer)
		}
	}
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// channels serves those that the client opens, until it leaves.
func (l *login) channels(ctx context.Context, channels <-chan ssh.NewChannel, wg *sync.WaitGroup) {
	open := make(chan struct{}, maxChannels)
	for n := range channels {
		kind := n.ChannelType()
		if kind != "session" && kind != "direct-tcpip" {
			_ = n.Reject(ssh.UnknownChannelType, "unknown channel type")
			continue
		}
		select {
		case open <- struct{}{}:
		default:
			_ = n.Reject(ssh.ResourceShortage, "open failed")
			continue
		}
		wg.Go(func() {
			defer func() { <-open }()
			l.guard(func() {
				if kind == "session" {
					l.session(ctx, n)
				} else {
					l.tunnel(n)
				}
			})
		})
	}
}

// tunnel takes what the client wants to send elsewhere, and sends it nowhere.
func (l *login) tunnel(n ssh.NewChannel) {
	var m struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(n.ExtraData(), &m); err != nil {
		_ = n.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	to := []trap.Field{
		{Key: "direction", Value: "local"}, {Key: "target_host", Value: m.Host}, {Key: "target_port", Value: number(m.Port)},
		{Key: "origin_host", Value: m.Origin}, {Key: "origin_port", Value: number(m.OriginPort)},
	}
	l.s.Record("port_forward", append(to, trap.Field{Key: "status", Value: "accepted"})...)
	accepted, requests, err := n.Accept()
	if err != nil {
		return
	}
	ch, ended := l.flow.over(accepted)
	defer ended()
	defer ch.Close()                 //nolint:errcheck // the client may have closed it
	go ssh.DiscardRequests(requests) // ends with the channel
	first := make([]byte, 512)
	size, _ := io.ReadAtLeast(ch, first, 1)
	if size == 0 {
		return
	}
	rest, _ := io.Copy(io.Discard, ch)
	l.s.Record("port_forward_data", append(to[:3:3], trap.Field{Key: "data", Value: string(first[:size])},
		trap.Field{Key: "bytes", Value: strconv.FormatInt(int64(size)+rest, 10)})...)
}
