package seed

// visit is one session of an attacker on a decky.
type visit struct {
	who     *attacker
	service service
	decky   decky
	client  *client
	port    int
	session []byte
	// began and at are microseconds since the block's begin: at is that of the next
	// event.
	began, at int64
}

// session makes the events of one session, or, where there is no room for as
// many, those of a short one. Room is at least 1.
func (g *Generator) session(room int) {
	text, n := len(g.text), len(g.lines)
	v := g.someVisit()
	if len(g.lines)-n <= room {
		return
	}
	g.text, g.lines = g.text[:text], g.lines[:n]
	if room == 1 {
		v.service, v.decky = serviceHTTP, g.words.deckies[serviceHTTP].at(g.rand.Float64())
		v.at = v.began
		g.webRequest(v)
		return
	}
	v.at = v.began
	g.connect(v)
	g.disconnect(v)
}

// The parts of all sessions that are of somebody who comes once: to look who is
// there, or to try one password after the other at a steady pace.
const (
	passersBy = 0.008
	steady    = 0.0009
)

// someVisit makes the events of a session, however many they are.
func (g *Generator) someVisit() *visit {
	p := g.rand.Float64()
	if p >= passersBy+steady {
		a := g.someone()
		v := g.visit(a, g.serviceOf(a))
		g.run(v)
		return v
	}
	g.invent(&g.stranger)
	if p < passersBy {
		v := g.visit(&g.stranger, g.stranger.kind)
		g.connect(v)
		g.pass(v, 5000)
		g.disconnect(v)
		return v
	}
	v := g.visit(&g.stranger, [...]service{serviceSSH, serviceFTP, serviceMySQL}[g.rand.IntN(3)])
	g.connect(v)
	for range 12 + g.rand.IntN(30) {
		g.login(v, false)
	}
	g.pass(v, 900)
	g.disconnect(v)
	return v
}

// visit begins a session.
func (g *Generator) visit(a *attacker, s service) *visit {
	v := &g.current
	v.who, v.service = a, s
	v.decky = g.words.deckies[v.service].at(g.rand.Float64())
	v.client = &g.words.clients[a.client]
	v.port = 1024 + g.rand.IntN(64512)
	v.began = a.from + g.rand.Int64N(a.length+1)
	v.at = v.began
	const hex = "0123456789abcdef"
	v.session = v.session[:0]
	bits, size := g.rand.Uint64(), 16
	if v.decky.cowrie {
		size = 12
	}
	for range size {
		v.session = append(v.session, hex[bits&15])
		bits >>= 4
	}
	return v
}

func (g *Generator) run(v *visit) {
	switch v.service {
	case serviceSSH, serviceTelnet:
		g.shellVisit(v)
	case serviceHTTP:
		g.webVisit(v)
	case serviceRedis:
		g.redisVisit(v)
	default:
		g.loginVisit(v)
	}
}

// pass lets some time pass between two events of a session: from half to three
// halves of a typical time in milliseconds.
func (g *Generator) pass(v *visit, milliseconds int64) {
	v.at += milliseconds*500 + g.rand.Int64N(milliseconds*1000+1)
}

// stamp is the time of the next event, in microseconds since 1970: none is
// behind the block's end.
func (g *Generator) stamp(v *visit) int64 {
	if v.at >= g.length {
		v.at = g.length - 1
	}
	return g.begin + v.at
}

// The shapes of SSH and Telnet sessions and how many there are of each, of the
// captures: nearly all try one password and are refused.
const (
	onlyConnect  = 0.085
	onlyVersion  = 0.012
	onlyKex      = 0.010
	forwards     = 0.017
	entersShell  = 0.045
	entersTelnet = 0.100
	moreAttempts = 0.035
)

func (g *Generator) shellVisit(v *visit) {
	telnet := v.service == serviceTelnet
	g.connect(v)
	p := g.rand.Float64()
	if p < onlyConnect {
		g.pass(v, 1500)
		g.disconnect(v)
		return
	}
	p -= onlyConnect
	if !telnet {
		g.pass(v, 120)
		g.clientVersion(v)
		if p < onlyVersion {
			g.disconnect(v)
			return
		}
		p -= onlyVersion
		g.pass(v, 40)
		g.kex(v)
		if p < onlyKex {
			g.disconnect(v)
			return
		}
		p -= onlyKex
	}
	shell := entersShell
	if telnet {
		shell = entersTelnet
	}
	switch {
	case p < forwards && !telnet:
		g.login(v, true)
		g.forward(v)
	case p < forwards+shell:
		for range g.rand.IntN(2) {
			g.login(v, false)
		}
		g.login(v, true)
		g.shell(v, telnet)
	case p < forwards+shell+moreAttempts:
		for range 2 + g.rand.IntN(3) {
			g.login(v, false)
		}
	default:
		g.login(v, false)
	}
	g.pass(v, 700)
	g.disconnect(v)
}

func (g *Generator) login(v *visit, ok bool) {
	g.pass(v, 900)
	user, password := g.credential()
	g.attempt(v, user, password, ok)
}

// shell is what somebody does who got in.
func (g *Generator) shell(v *visit, telnet bool) {
	w := g.words
	x := g.rand.Float64()
	switch {
	case telnet:
		g.commands(v, w.shell.at(x), false)
	case g.chance(0.32):
		g.commands(v, w.scripts.at(x), true)
	default:
		one := [1]string{w.single.at(x)}
		g.commands(v, one[:], true)
	}
	if telnet || g.chance(0.25) {
		g.download(v)
	}
}

// webVisit is one request, a few, or a scan.
func (g *Generator) webVisit(v *visit) {
	n := 1
	switch p := g.rand.Float64(); {
	case p < 0.06:
		n = 10 + g.rand.IntN(40)
	case p < 0.25:
		n = 2 + g.rand.IntN(4)
	}
	for range n {
		g.webRequest(v)
		g.pass(v, 250)
	}
}

func (g *Generator) redisVisit(v *visit) {
	g.connect(v)
	for _, command := range g.words.redis.at(g.rand.Float64()) {
		g.pass(v, 150)
		g.redisCommand(v, command)
	}
	g.pass(v, 100)
	g.disconnect(v)
}

// loginVisit is a session of a service where all that matters is who wants in.
func (g *Generator) loginVisit(v *visit) {
	g.connect(v)
	for range 1 + g.rand.IntN(2) {
		g.login(v, false)
	}
	g.pass(v, 300)
	g.disconnect(v)
}
