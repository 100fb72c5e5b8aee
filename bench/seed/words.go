package seed

import (
	"encoding/json"
	"strings"
)

// service is one that attackers look for.
type service string

const (
	serviceSSH    service = "ssh"
	serviceTelnet service = "telnet"
	serviceHTTP   service = "http"
	serviceFTP    service = "ftp"
	serviceSMB    service = "smb"
	serviceMySQL  service = "mysql"
	serviceRedis  service = "redis"
)

// decky is a machine that is attacked.
type decky struct {
	name string
	// cowrie says that its log is that of a Cowrie; else it is a decoy's journal.
	cowrie bool
	addr   string
}

// words are the tables from which lines are made. All texts are escaped as in
// JSON, without the quotes.
type words struct {
	services share[service]
	shares   share[int]
	deckies  map[service]*share[decky]
	ports    map[service]int

	clients  []client
	clientOf share[int]
	agents   []string

	pairs     []pair
	users     []string
	syllables []string
	bases     []string
	endings   []string

	single   share[string]
	scripts  share[[]string]
	shell    share[[]string]
	requests share[request]
	redis    share[[]string]
	files    []string
	machines []string
	archs    []string

	// user and password are the credential that was made last, url and sum the
	// program that was fetched last.
	user, password []byte
	url, sum       []byte
}

// pair is a credential.
type pair struct{ user, password string }

// request is a web request; body is empty for most.
type request struct{ method, path, body string }

func newWords() *words {
	w := &words{
		shares: workShares(), deckies: map[service]*share[decky]{},
		ports: map[service]int{
			serviceSSH: 22, serviceTelnet: 23, serviceHTTP: 80, serviceFTP: 21, serviceSMB: 445, serviceMySQL: 3306, serviceRedis: 6379,
		},
		agents: agents(), pairs: pairs(), users: users(), syllables: syllables(), bases: bases(), endings: endings(),
		files: files(), machines: machines(), archs: archs(),
	}
	w.addServices()
	w.addDeckies()
	w.addClients()
	w.addCommands()
	w.addRequests()
	w.addRedis()
	return w
}

// addServices sets how many attackers come for what.
func (w *words) addServices() {
	w.services.add(0.66, serviceSSH)
	w.services.add(0.09, serviceTelnet)
	w.services.add(0.12, serviceHTTP)
	w.services.add(0.05, serviceSMB)
	w.services.add(0.03, serviceFTP)
	w.services.add(0.03, serviceMySQL)
	w.services.add(0.02, serviceRedis)
}

func (w *words) addDeckies() {
	add := func(weight float64, d decky, services ...service) {
		for _, s := range services {
			if w.deckies[s] == nil {
				w.deckies[s] = &share[decky]{}
			}
			w.deckies[s].add(weight, d)
		}
	}
	for _, d := range []decky{{"cowrie-eu1", true, "172.29.0.2"}, {"cowrie-us1", true, "172.23.0.2"}} {
		add(2.5, d, serviceSSH)
		add(0.8, d, serviceTelnet)
	}
	add(4, decky{"decoy-web01", false, "192.168.1.110"}, serviceSSH, serviceHTTP, serviceFTP)
	add(3, decky{"decoy-web02", false, "192.168.1.111"}, serviceSSH, serviceHTTP)
	add(3, decky{"decoy-db01", false, "192.168.1.120"}, serviceSSH, serviceMySQL, serviceRedis)
	add(2, decky{"decoy-db02", false, "192.168.1.121"}, serviceSSH, serviceMySQL)
	add(2, decky{"decoy-cache01", false, "192.168.1.122"}, serviceSSH, serviceRedis)
	add(2, decky{"decoy-file01", false, "192.168.1.130"}, serviceSMB, serviceFTP, serviceSSH)
	add(2, decky{"decoy-ws03", false, "192.168.1.143"}, serviceSMB)
	add(2, decky{"decoy-router01", false, "192.168.1.1"}, serviceTelnet, serviceHTTP, serviceSSH)
	add(2, decky{"decoy-camera01", false, "192.168.1.151"}, serviceTelnet, serviceHTTP)
	add(1, decky{"decoy-devops01", false, "192.168.1.160"}, serviceSSH, serviceHTTP)
}

// escaped makes texts what they are within a JSON string.
func escaped(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = escape(text)
	}
	return out
}

func escape(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic("seed: " + err.Error()) // a string can be encoded
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(b.String()), `"`), `"`)
}

// lines splits a table that has one text a line, and escapes them.
func lines(table string) []string {
	return escaped(strings.Split(strings.Trim(table, "\n"), "\n"))
}

func agents() []string {
	return lines(`
Mozilla/5.0 (Linux; Android 9; HW-01K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0.3945.116 Mobile Safari/537.36
Mozilla/5.0 (Windows NT 5.1; rv:9.0.1) Gecko/20100101 Firefox/9.0.1
Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/75.0.3770.100 Safari/537.36
Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_6) AppleWebKit/601.7.7 (KHTML, like Gecko) Version/9.1.2 Safari/601.7.7
Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)
Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)
Mozilla/5.0 zgrab/0.x
masscan/1.0 (https://github.com/robertdavidgraham/masscan)
python-requests/2.21.0
python-requests/2.31.0
Go-http-client/1.1
curl/8.5.0
curl/7.29.0
Hello, World
libredtail-http
`)
}

func syllables() []string {
	return strings.Fields("an bo ca da el fi ga ha in jo ka li ma no os pa qu ra sa ti un vi wa xa yu zo mi ser ver lan tom rob kim max leo dev")
}

func endings() []string {
	return strings.Fields("1 12 123 1234 12345 123456 1! 123! @123 @2019 @2020 @2024 @2025 2024 2025 #1 !@# 321 666 888 01 007 00 qwe abc . !! 123qwe")
}

func bases() []string {
	return strings.Fields("admin root pass password passw0rd qwerty test user server oracle postgres changeme welcome letmein master super dragon football iloveyou " +
		"monkey shadow ubuntu debian centos linux vps cloud backup mysql redis web www data ftp guest info support service system manager dev git jenkins hadoop")
}

func files() []string {
	return strings.Fields("bins.sh fbot nig.sh x.sh wget.sh ohshit.sh dota3.tar.gz kinsing.sh update.sh .j retrieve sora mirai brute.tgz xmrig.tar.gz mozi.m")
}

func machines() []string {
	return strings.Fields("arm arm5 arm6 arm7 mips mipsel mpsl powerpc sh4 sparc x86 x86_64 i586 m68k")
}

func archs() []string {
	return strings.Fields("linux-x64-lsb linux-mips-lsb linux-powerpc-msb linux-aarch64-lsb linux-s390x-msb linux-bfin-lsb bsd-sparc64-msb osx-x32-lsb linux-xtensa-msb")
}
