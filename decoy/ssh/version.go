package ssh

import (
	"strings"

	"decnet/decoy/trap"
)

// version is what an imitated server says of itself, before anything is secret.
type version struct {
	banner             string
	kex, ciphers, macs string
	// keyboard says that keyboard-interactive is on, as distributions other than
	// Debian's leave it.
	keyboard bool
	dropbear bool
}

const (
	kexBase    = "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521"
	kexGroups  = "diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256"
	kexPrime   = "sntrup761x25519-sha512@openssh.com"
	cipherBase = "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com"
	macBase    = "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com," +
		"umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1"
	// The policy "DEFAULT" of Red Hat's distributions.
	kexPolicy    = kexBase + ",diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512"
	cipherPolicy = "aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes128-gcm@openssh.com,aes128-ctr"
	macPolicy    = "hmac-sha2-256-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-512-etm@openssh.com," +
		"hmac-sha2-256,hmac-sha1,umac-128@openssh.com,hmac-sha2-512"
)

// versionOf is the server of a machine. The lists are complete; the library
// leaves out what it doesn't know.
func versionOf(h *trap.Host) version {
	v := version{kex: kexPrime + "," + kexBase + "," + kexGroups, ciphers: cipherBase, macs: macBase}
	if h.System == "embedded" {
		return version{
			banner: "SSH-2.0-dropbear_2019.78", dropbear: true,
			kex:     "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp521,ecdh-sha2-nistp384,ecdh-sha2-nistp256,diffie-hellman-group14-sha256,diffie-hellman-group14-sha1",
			ciphers: "aes128-ctr,aes256-ctr", macs: "hmac-sha1,hmac-sha2-256",
		}
	}
	switch h.Distro {
	case "ubuntu22":
		v.banner = "SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.10"
		v.kex = kexBase + "," + kexPrime + "," + kexGroups
	case "ubuntu20":
		v.banner = "SSH-2.0-OpenSSH_8.2p1 Ubuntu-4ubuntu0.11"
		v.kex = kexBase + "," + kexGroups
	case "rocky9":
		v.banner, v.kex, v.ciphers, v.macs, v.keyboard = "SSH-2.0-OpenSSH_8.7", kexPolicy, cipherPolicy, macPolicy, true
	case "fedora":
		v.banner, v.kex, v.ciphers, v.macs, v.keyboard = "SSH-2.0-OpenSSH_9.3", kexPolicy, cipherPolicy, macPolicy, true
	case "centos7":
		v.banner = "SSH-2.0-OpenSSH_7.4"
		v.kex = kexBase + ",diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512," +
			"diffie-hellman-group-exchange-sha1,diffie-hellman-group14-sha256,diffie-hellman-group14-sha1,diffie-hellman-group1-sha1"
		v.ciphers = cipherBase + ",aes128-cbc,aes192-cbc,aes256-cbc,blowfish-cbc,cast128-cbc,3des-cbc"
	case "alpine":
		v.banner, v.keyboard = "SSH-2.0-OpenSSH_9.6", true
	case "arch":
		v.banner, v.keyboard = "SSH-2.0-OpenSSH_9.9", true
		v.kex = "sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,mlkem768x25519-sha256," + kexBase + "," + kexGroups
	case "kali":
		v.banner = "SSH-2.0-OpenSSH_9.9p1 Debian-3"
		v.kex = "sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,mlkem768x25519-sha256," + kexBase + "," + kexGroups
	default:
		v.banner = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6"
	}
	return v
}

func names(list string) []string { return strings.Split(list, ",") }
