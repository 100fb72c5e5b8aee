package seed

import "strconv"

// The events of a decoy's journal: flat objects whose fields are all text.

// open begins an event. The fields that all have are written.
func (g *Generator) open(v *visit, event string) {
	g.lines = append(g.lines, line{begin: len(g.text)})
	b := append(g.text, `{"timestamp":"`...)
	b = g.clock.append(b, g.stamp(v))
	g.lines[len(g.lines)-1].at = v.at
	b = append(b, `","decky":"`...)
	b = append(b, v.decky.name...)
	b = append(b, `","service":"`...)
	b = append(b, v.service...)
	b = append(b, `","event_type":"`...)
	b = append(b, event...)
	b = append(b, `","attacker_ip":"`...)
	b = append(b, v.who.ip...)
	b = append(b, `","fields":{"`...)
	b = append(b, sourceKey(v.service)...)
	b = append(b, `":"`...)
	b = append(b, v.who.ip...)
	b = append(b, `","src_port":"`...)
	b = appendInt(b, v.port)
	b = append(b, `","dst_port":"`...)
	b = appendInt(b, g.words.ports[v.service])
	b = append(b, `","session":"`...)
	b = append(b, v.session...)
	g.text = append(b, '"')
}

// sourceKey is what a service's events call the address.
func sourceKey(s service) string {
	switch s {
	case serviceSSH, serviceTelnet, serviceFTP:
		return "src_ip"
	case serviceHTTP:
		return "remote_addr"
	default:
		return "src"
	}
}

// field adds one; the value is escaped.
func (g *Generator) field(key, value string) {
	b := append(g.text, ',', '"')
	b = append(b, key...)
	b = append(b, '"', ':', '"')
	b = append(b, value...)
	g.text = append(b, '"')
}

// close ends the event.
func (g *Generator) close() {
	g.text = append(g.text, '}', '}')
	g.lines[len(g.lines)-1].end = len(g.text)
}

func (g *Generator) connect(v *visit) {
	if v.decky.cowrie {
		g.cowrieConnect(v)
		return
	}
	event := "connect"
	if sourceKey(v.service) == "src_ip" {
		event = "connection"
	}
	g.open(v, event)
	g.close()
}

func (g *Generator) disconnect(v *visit) {
	if v.decky.cowrie {
		g.cowrieClosed(v)
		return
	}
	g.open(v, "disconnect")
	g.field("duration_s", strconv.FormatFloat(float64((v.at-v.began)/1000)/1000, 'f', 3, 64))
	g.field("bytes_in", strconv.Itoa(20+g.rand.IntN(4000)))
	g.field("bytes_out", strconv.Itoa(20+g.rand.IntN(4000)))
	g.close()
}

func (g *Generator) clientVersion(v *visit) {
	if v.decky.cowrie {
		g.cowrieVersion(v)
		return
	}
	g.open(v, "client_banner")
	g.field("client_version", v.client.version)
	g.close()
}

func (g *Generator) kex(v *visit) {
	if v.decky.cowrie {
		g.cowrieKex(v)
		return
	}
	g.open(v, "kex")
	g.field("hassh", v.client.hassh)
	g.field("hassh_algorithms", v.client.algorithms)
	g.field("host_key_algorithms", v.client.hostKeys)
	g.close()
}

// attempt is an attempt to log in.
func (g *Generator) attempt(v *visit, user, password []byte, ok bool) {
	if v.decky.cowrie {
		g.cowrieLogin(v, user, password, ok)
		return
	}
	event := "auth_attempt"
	if v.service == serviceMySQL || v.service == serviceSMB {
		event = "auth"
	}
	g.open(v, event)
	g.field("username", string(user))
	g.field("password", string(password))
	status := "failed"
	if ok {
		status = "success"
	}
	g.field("status", status)
	g.close()
}

// commands are typed one after the other, or each in a channel of its own.
func (g *Generator) commands(v *visit, list []string, channels bool) {
	if v.decky.cowrie {
		g.cowrieCommands(v, list, channels)
		return
	}
	mode := "shell"
	if channels {
		mode = "exec"
	}
	for _, command := range list {
		g.pass(v, 400)
		g.open(v, "command")
		g.field("username", "root")
		g.field("command", command)
		g.field("mode", mode)
		g.close()
	}
}

// forward is a connection that the attacker wants to have made.
func (g *Generator) forward(v *visit) {
	g.pass(v, 300)
	if v.decky.cowrie {
		g.cowrieForward(v)
		return
	}
	g.open(v, "port_forward")
	g.field("direction", "local")
	g.field("dst_host", "ya.ru")
	g.field("dst_port_wanted", "80")
	g.field("status", "accepted")
	g.close()
}

// download is a program that is fetched. Its address and hash come from few
// campaigns, so they come again.
func (g *Generator) download(v *visit) {
	g.pass(v, 1500)
	w := g.words
	campaign := mix(g.config.Seed + uint64(g.zipf(10, 1.6, 1<<20))<<8)
	w.url = append(w.url[:0], "http://"...)
	w.url = address(w.url, campaign)
	w.url = append(append(w.url, '/'), w.files[campaign>>8%uint64(len(w.files))]...)
	w.url = append(append(w.url, '.'), w.machines[g.rand.IntN(len(w.machines))]...)
	w.sum = w.sum[:0]
	for i := range uint64(4) {
		h := mix(campaign + i)
		for range 16 {
			w.sum = append(w.sum, "0123456789abcdef"[h&15])
			h >>= 4
		}
	}
	if v.decky.cowrie {
		g.cowrieDownload(v)
		return
	}
	g.open(v, "file_download")
	g.field("url", string(w.url))
	g.field("sha256", string(w.sum))
	g.field("size", strconv.Itoa(1000+int(campaign>>40)))
	g.field("kept", "true")
	g.close()
}

func (g *Generator) webRequest(v *visit) {
	r := g.words.requests.at(g.rand.Float64())
	agent := g.words.agents[v.who.agent]
	g.open(v, "request")
	g.field("method", r.method)
	g.field("path", r.path)
	b := append(g.text, `,"headers":"{\"Host\": \"`...)
	b = append(b, v.decky.addr...)
	b = append(b, `\", \"User-Agent\": \"`...)
	b = append(b, agent...)
	g.text = append(b, `\", \"Accept\": \"*/*\"}"`...)
	g.field("body", r.body)
	if r.body != "" {
		g.field("body_bytes", strconv.Itoa(len(r.body)))
	}
	g.field("user_agent", agent)
	g.close()
}

func (g *Generator) redisCommand(v *visit, command string) {
	g.open(v, "command")
	end := 0
	for end < len(command) && command[end] != ' ' {
		end++
	}
	g.field("cmd", command[:end])
	g.field("query", command)
	g.close()
}
