package seed

import "strings"

// The law of credentials: some attempts are of a short list that everybody
// tries, the others of a dictionary so long that most of its words come once.
const (
	popularShare  = 0.29
	popularFlat   = 4.0
	popularSlope  = 1.9
	dictionary    = 600_000
	dictionaryPow = 2
	// knownUsers is the share of the dictionary's words that are of a name from
	// the list of users.
	knownUsers = 0.4
	rootShare  = 0.45
)

// credential chooses what is tried next. The texts are valid until the next call.
func (g *Generator) credential() (user, password []byte) {
	w := g.words
	if g.chance(popularShare) {
		p := &w.pairs[g.zipf(popularFlat, popularSlope, len(w.pairs))]
		w.user, w.password = append(w.user[:0], p.user...), append(w.password[:0], p.password...)
		return w.user, w.password
	}
	x := g.rand.Float64()
	h := mix(uint64(x*x*dictionary) ^ 0x5eed)
	return g.wordOf(h)
}

// wordOf is an entry of the dictionary.
func (g *Generator) wordOf(h uint64) (user, password []byte) {
	w := g.words
	w.user, w.password = w.user[:0], w.password[:0]
	pick := func(n int) int {
		h = mix(h)
		return int(h % uint64(n))
	}
	part := func() float64 {
		h = mix(h)
		return float64(h&0xffff) / 0x10000
	}
	switch p := part(); {
	case p < rootShare*knownUsers:
		w.user = append(w.user, "root"...)
	case p < knownUsers:
		w.user = append(w.user, w.users[pick(len(w.users))]...)
	default:
		for range 2 + pick(2) {
			w.user = append(w.user, w.syllables[pick(len(w.syllables))]...)
		}
		if part() < 0.3 {
			w.user = appendInt(w.user, pick(100))
		}
	}
	switch p := part(); {
	case p < 0.2:
		w.password = append(w.password, w.user...)
	case p < 0.6:
		w.password = append(w.password, w.bases[pick(len(w.bases))]...)
	default:
		for range 2 + pick(3) {
			w.password = append(w.password, w.syllables[pick(len(w.syllables))]...)
		}
	}
	if part() < 0.75 {
		w.password = append(w.password, w.endings[pick(len(w.endings))]...)
	} else {
		w.password = appendInt(w.password, pick(1_000_000))
	}
	return w.user, w.password
}

// pairs are what everybody tries, the most frequent first.
func pairs() []pair {
	var list []pair
	for _, text := range lines(`
user user
admin admin
root admin
support support
root 123456
admin 1234
root root
sh shell
nproc nproc
enable system
ubnt ubnt
root password
admin &
root 12345
ubuntu ubuntu
admin password
guest guest
root 1234
root jvbzd
666666 666666
root !@
root 123
root vizxv
root oelinux1234
CUAdmin support
root aquario
e8ehome e8ehome
linuxshell development
root xc3511
root 7ujMko0admin
admin 123456
pi raspberry
test test
oracle oracle
postgres postgres
solana solana123
validator validator
sol 123
root Aa@123456
root 123456@b
git git
hadoop hadoop
ftpuser ftpuser
user r3B\>p1x#06Vq)Yt4[KE
root "';--
minecraft minecraft
default 
root 
admin admin123
tomcat tomcat
nagios nagios
deploy deploy
www www-data
es elastic
root raspberryraspberry993311
mysql mysql
root Пароль1
`) {
		user, password, _ := strings.Cut(text, " ")
		list = append(list, pair{user, password})
	}
	return list
}

func users() []string {
	return strings.Fields("admin test user support guest ubnt minecraft ubuntu ftpuser oracle postgres git mysql nagios hadoop ts3 testuser pi sinusbot ftp redhat default tomcat " +
		"solana sol solv es gitlab flask esuser app www wang nginx lighthouse tom oscar dolphinscheduler sonar jenkins zabbix deploy ansible kafka teamspeak backup elastic " +
		"developer docker student web dev steam server vagrant centos debian operator supervisor jira jboss nexus www-data mongo redis grafana prometheus node odoo svn")
}
