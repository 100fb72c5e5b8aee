package seed

import "strconv"

// The events of a Cowrie: the keys that an event has of its own first, then the
// message, then what all have.

// cowrieOpen begins an event.
func (g *Generator) cowrieOpen(event string) {
	g.lines = append(g.lines, line{begin: len(g.text)})
	b := append(g.text, `{"eventid":"cowrie.`...)
	b = append(b, event...)
	g.text = append(b, '"')
}

// put appends texts as they are.
func (g *Generator) put(texts ...string) {
	for _, text := range texts {
		g.text = append(g.text, text...)
	}
}

// cowrieClose ends an event: the address of the attacker comes last in all but
// the first of a session.
func (g *Generator) cowrieClose(v *visit, first bool) {
	b := append(g.text, `,"sensor":"`...)
	b = append(b, v.decky.name...)
	b = append(b, `","timestamp":"`...)
	b = g.clock.append(b, g.stamp(v))
	b = append(b, '"')
	if !first {
		b = append(b, `,"src_ip":"`...)
		b = append(b, v.who.ip...)
		b = append(b, `","session":"`...)
		b = append(b, v.session...)
		b = append(b, '"')
	}
	g.text = append(b, '}')
	last := &g.lines[len(g.lines)-1]
	last.at, last.end = v.at, len(g.text)
}

func (g *Generator) cowrieConnect(v *visit) {
	ip, port, own := string(v.who.ip), strconv.Itoa(v.port), strconv.Itoa(g.words.ports[v.service])
	g.cowrieOpen("session.connect")
	g.put(`,"src_ip":"`, ip, `","src_port":`, port, `,"dst_ip":"`, v.decky.addr, `","dst_port":`, own, `,"session":"`, string(v.session),
		`","protocol":"`, string(v.service), `","message":"New connection: `, ip, `:`, port, ` (`, v.decky.addr, `:`, own, `) [session: `, string(v.session), `]"`)
	g.cowrieClose(v, true)
}

func (g *Generator) cowrieClosed(v *visit) {
	g.stamp(v)
	d := strconv.FormatFloat(float64((v.at-v.began)/100_000)/10, 'f', 1, 64)
	g.cowrieOpen("session.closed")
	if v.service == serviceTelnet {
		g.put(`,"duration":`, d)
	} else {
		g.put(`,"duration":"`, d, `"`)
	}
	g.put(`,"message":"Connection lost after `, d, ` seconds"`)
	g.cowrieClose(v, false)
}

func (g *Generator) cowrieVersion(v *visit) {
	g.cowrieOpen("client.version")
	g.put(`,"version":"`, v.client.version, `","message":"Remote SSH version: `, v.client.version, `"`)
	g.cowrieClose(v, false)
}

func (g *Generator) cowrieKex(v *visit) {
	g.cowrieOpen("client.kex")
	g.put(`,"hassh":"`, v.client.hassh, `",`, v.client.cowrie, `,"message":"SSH client hassh fingerprint: `, v.client.hassh, `"`)
	g.cowrieClose(v, false)
}

func (g *Generator) cowrieLogin(v *visit, user, password []byte, ok bool) {
	event, word := "login.failed", "failed"
	if ok {
		event, word = "login.success", "succeeded"
	}
	u, p := string(user), string(password)
	g.cowrieOpen(event)
	g.put(`,"username":"`, u, `","password":"`, p, `","message":"login attempt [`, u, `/`, p, `] `, word, `"`)
	g.cowrieClose(v, false)
}

// cowrieCommands has a log of its own for each channel.
func (g *Generator) cowrieCommands(v *visit, list []string, channels bool) {
	arch := g.words.archs[v.who.hash%uint64(len(g.words.archs))]
	for i, command := range list {
		if channels || i == 0 {
			g.pass(v, 300)
			g.cowrieOpen("session.params")
			g.put(`,"arch":"`, arch, `","message":[]`)
			g.cowrieClose(v, false)
		}
		v.at += 600
		g.cowrieOpen("command.input")
		g.put(`,"input":"`, command, `","message":"CMD: `, command, `"`)
		g.cowrieClose(v, false)
		v.at += 500
		switch p := g.rand.Float64(); {
		case p < 0.17:
			g.cowrieOpen("command.failed")
			g.put(`,"input":"`, command, `","message":"Command not found: `, command, `"`)
			g.cowrieClose(v, false)
		case p < 0.3 && !channels:
			g.cowrieOpen("command.success")
			g.put(`,"input":"`, command, `","message":"Command found: `, command, `"`)
			g.cowrieClose(v, false)
		}
		if channels || i == len(list)-1 {
			g.pass(v, 150)
			g.cowrieLog(v)
		}
	}
}

// cowrieLog is the end of a channel's log, of which there are few different ones.
func (g *Generator) cowrieLog(v *visit) {
	var sum [64]byte
	h := mix(uint64(g.rand.IntN(4000)))
	for i := range sum {
		sum[i] = "0123456789abcdef"[h&15]
		if h >>= 4; i%16 == 15 {
			h = mix(h + uint64(sum[0]))
		}
	}
	name := string(sum[:])
	g.cowrieOpen("log.closed")
	g.put(`,"ttylog":"log/tty/`, name, `","size":`, strconv.Itoa(g.rand.IntN(1500)), `,"shasum":"`, name,
		`","duplicate":true,"duration":"0.2","message":"Closing TTY Log: log/tty/`, name, ` after 0.2 seconds"`)
	g.cowrieClose(v, false)
}

func (g *Generator) cowrieForward(v *visit) {
	ip, port := string(v.who.ip), strconv.Itoa(v.port)
	g.cowrieOpen("direct-tcpip.request")
	g.put(`,"dst_ip":"www.ip-score.com","dst_port":80,"src_ip":"`, ip, `","src_port":`, port,
		`,"message":"direct-tcp connection request to www.ip-score.com:80 from `, ip, `:`, port, `","session":"`, string(v.session), `"`)
	g.cowrieClose(v, true)
}

func (g *Generator) cowrieDownload(v *visit) {
	url, sum := string(g.words.url), string(g.words.sum)
	g.cowrieOpen("session.file_download")
	g.put(`,"url":"`, url, `","outfile":"dl/`, sum, `","shasum":"`, sum, `","message":"Downloaded URL (`, url, `) with SHA-256 `, sum, ` to dl/`, sum, `"`)
	g.cowrieClose(v, false)
}
