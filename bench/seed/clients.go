package seed

import "strings"

// client is an SSH client, as a server sees it. The texts are ready to be put
// into a line.
type client struct {
	version string
	hassh   string
	// algorithms are what the hash is of; hostKeys are those of its keys.
	algorithms, hostKeys string
	// cowrie are the fields of Cowrie's event between hassh and message.
	cowrie string
}

const (
	goKeys      = "rsa-sha2-256-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,ssh-rsa-cert-v01@openssh.com,ssh-dss-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-256,rsa-sha2-512,ssh-rsa,ssh-dss,ssh-ed25519"
	goOldKeys   = "ssh-rsa-cert-v01@openssh.com,ssh-dss-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,ssh-rsa,ssh-dss,ssh-ed25519"
	libsshKeys  = "ecdsa-sha2-nistp256,ssh-rsa,ssh-dss"
	libssh2Keys = "ssh-rsa,ssh-dss"
	goCiphers   = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr"
	goMACs      = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1,hmac-sha1-96"
	oldCiphers  = "aes128-ctr,aes192-ctr,aes256-ctr,aes256-cbc,rijndael-cbc@lysator.liu.se,aes192-cbc,aes128-cbc,blowfish-cbc,arcfour128,arcfour,cast128-cbc,3des-cbc"
	oldMACs     = "hmac-sha1,hmac-sha1-96,hmac-md5,hmac-md5-96,hmac-ripemd160,hmac-ripemd160@openssh.com"
	curves      = "curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
)

// addClients sets who is seen how often, of both captures.
func (w *words) addClients() {
	add := func(weight float64, version, hassh, kex, keys, ciphers, macs string) {
		list := func(name, text string) string {
			return `,"` + name + `":["` + strings.ReplaceAll(text, ",", `","`) + `"]`
		}
		algorithms := kex + ";" + ciphers + ";" + macs + ";none"
		w.clientOf.add(weight, len(w.clients))
		w.clients = append(w.clients, client{
			version: version, hassh: hassh, algorithms: algorithms, hostKeys: keys,
			cowrie: `"hasshAlgorithms":"` + algorithms + `"` + list("kexAlgs", kex) + list("keyAlgs", keys) +
				list("encCS", ciphers) + list("macCS", macs) + `,"compCS":["none"],"langCS":[""]`,
		})
	}
	add(52, "SSH-2.0-libssh-0.6.3", "51cba57125523ce4b9db67714a90bf6e",
		"curve25519-sha256@libssh.org,ecdh-sha2-nistp256,diffie-hellman-group14-sha1,diffie-hellman-group1-sha1", libsshKeys,
		"aes256-ctr,aes192-ctr,aes128-ctr,aes256-cbc,aes192-cbc,aes128-cbc,blowfish-cbc,3des-cbc,des-cbc-ssh1", "hmac-sha1")
	add(20, "SSH-2.0-Go", "0a07365cc01fa9fc82608ba4019af499",
		"curve25519-sha256,"+curves+"diffie-hellman-group14-sha256,diffie-hellman-group14-sha1,ext-info-c,kex-strict-c-v00@openssh.com",
		goKeys, goCiphers, goMACs)
	add(9, "SSH-2.0-libssh2_1.4.3", "92674389fa1e47a27ddd8d9b63ecd42b",
		"diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1", libssh2Keys, oldCiphers, oldMACs)
	add(8, "SSH-2.0-Go", "2f300334eb474e4d5ef932343447dd80",
		curves+"diffie-hellman-group14-sha1,diffie-hellman-group1-sha1", goOldKeys,
		"aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,arcfour256,arcfour128,aes128-cbc,arcfour,3des-cbc",
		"hmac-sha2-256-etm@openssh.com,hmac-sha2-256,hmac-sha1,hmac-sha1-96")
	add(4, "SSH-2.0-PUTTY", "1616c6d18e845e7a01168a44591f7a35",
		"ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group-exchange-sha1,diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
		libsshKeys, oldCiphers, "hmac-sha2-256,hmac-sha2-512,"+oldMACs)
	add(4, "SSH-2.0-Go", "98f63c4d9c87edbd97ed4747fa031019",
		"curve25519-sha256,"+curves+"diffie-hellman-group14-sha256,diffie-hellman-group14-sha1,ext-info-c", goKeys, goCiphers, goMACs)
	add(2, "SSH-2.0-Go", "16443846184eafde36765c9bab2f4397",
		"mlkem768x25519-sha256,curve25519-sha256,"+curves+"diffie-hellman-group14-sha256,diffie-hellman-group14-sha1,ext-info-c,kex-strict-c-v00@openssh.com",
		goKeys, goCiphers, goMACs)
	add(1, "SSH-2.0-libssh_0.8.2", "d7f0b97eb79d6533c492545cc6a207e1",
		"curve25519-sha256,"+curves+"diffie-hellman-group14-sha1,diffie-hellman-group1-sha1", libsshKeys+",ssh-ed25519",
		"chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr,aes256-cbc,aes192-cbc,aes128-cbc,blowfish-cbc,3des-cbc", "hmac-sha2-256,hmac-sha2-512,hmac-sha1")
}
