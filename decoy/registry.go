package decoy

import (
	"decnet/decoy/catchall"
	"decnet/decoy/dockerapi"
	"decnet/decoy/elastic"
	"decnet/decoy/ftp"
	"decnet/decoy/ics"
	"decnet/decoy/kubernetes"
	"decnet/decoy/ldap"
	"decnet/decoy/llmnr"
	"decnet/decoy/mailbox"
	"decnet/decoy/memcached"
	"decnet/decoy/mongodb"
	"decnet/decoy/mqtt"
	"decnet/decoy/mssql"
	"decnet/decoy/mysql"
	"decnet/decoy/postgres"
	"decnet/decoy/rdp"
	"decnet/decoy/redis"
	"decnet/decoy/sip"
	"decnet/decoy/smb"
	"decnet/decoy/smtp"
	"decnet/decoy/snmp"
	"decnet/decoy/ssh"
	"decnet/decoy/telnet"
	"decnet/decoy/tftp"
	"decnet/decoy/trap"
	"decnet/decoy/vnc"
	"decnet/decoy/web"
)

// Makers returns what makes each service, by the names that package fleet has
// for them.
func Makers() map[string]trap.Maker {
	return map[string]trap.Maker{
		"catchall":      catchall.New,
		"conpot":        ics.New,
		"docker_api":    dockerapi.New,
		"elasticsearch": elastic.New,
		"ftp":           ftp.New,
		"http":          web.New,
		"https":         web.NewTLS,
		"imap":          mailbox.NewIMAP,
		"k8s":           kubernetes.New,
		"ldap":          ldap.New,
		"llmnr":         llmnr.New,
		"memcached":     memcached.New,
		"mongodb":       mongodb.New,
		"mqtt":          mqtt.New,
		"mssql":         mssql.New,
		"mysql":         mysql.New,
		"pop3":          mailbox.NewPOP3,
		"postgres":      postgres.New,
		"rdp":           rdp.New,
		"redis":         redis.New,
		"sip":           sip.New,
		"smb":           smb.New,
		"smtp":          smtp.New,
		"smtp_relay":    smtp.NewRelay,
		"snmp":          snmp.New,
		"ssh":           ssh.New,
		"telnet":        telnet.New,
		"tftp":          tftp.New,
		"vnc":           vnc.New,
	}
}
