package decoy

import (
	"decnet/decoy/dockerapi"
	"decnet/decoy/elastic"
	"decnet/decoy/kubernetes"
	"decnet/decoy/mysql"
	"decnet/decoy/postgres"
	"decnet/decoy/rdp"
	"decnet/decoy/redis"
	"decnet/decoy/smb"
	"decnet/decoy/ssh"
	"decnet/decoy/telnet"
	"decnet/decoy/trap"
	"decnet/decoy/vnc"
	"decnet/decoy/web"
)

// Makers returns what makes each service, by the names that package fleet has
// for them.
func Makers() map[string]trap.Maker {
	return map[string]trap.Maker{
		"docker_api":    dockerapi.New,
		"elasticsearch": elastic.New,
		"http":          web.New,
		"https":         web.NewTLS,
		"k8s":           kubernetes.New,
		"mysql":         mysql.New,
		"postgres":      postgres.New,
		"rdp":           rdp.New,
		"redis":         redis.New,
		"smb":           smb.New,
		"ssh":           ssh.New,
		"telnet":        telnet.New,
		"vnc":           vnc.New,
	}
}
