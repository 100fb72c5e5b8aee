package mqtt_test

import (
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

// dial3 connects as the older versions do.
func dial3(t *testing.T, b *traptest.Bench, version uint, user, password string) (paho3.Client, error) {
	t.Helper()
	o := paho3.NewClientOptions().AddBroker("tcp://" + b.Listen(1883)).SetClientID("probe").
		SetUsername(user).SetPassword(password).SetProtocolVersion(version).
		SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(10 * time.Second)
	c := paho3.NewClient(o)
	return c, wait(t, c.Connect())
}

func wait(t *testing.T, token paho3.Token) error {
	t.Helper()
	require.True(t, token.WaitTimeout(10*time.Second), "no answer")
	return token.Error()
}

// What the client of Eclipse for 3.1 and 3.1.1 makes of it: it logs in, finds
// what is retained, and all three qualities of service are completed.
func TestClients_PahoOfVersion3(t *testing.T) {
	t.Parallel()
	for version, name := range map[uint]string{3: "3.1", 4: "3.1.1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, trap.Config{"password": "pw"})
			_, err := dial3(t, b, version, "root", "wrong")
			require.ErrorContains(t, err, "not Authorized")
			c, err := dial3(t, b, version, "root", "pw")
			require.NoError(t, err)
			defer c.Disconnect(0)
			got := make(chan paho3.Message, 200)
			take := func(_ paho3.Client, m paho3.Message) { got <- m }
			require.NoError(t, wait(t, c.Subscribe("$SYS/#", 2, take)))
			names := map[string]string{}
			for range 52 {
				m := next(t, got)
				assert.True(t, m.Retained())
				names[m.Topic()] = string(m.Payload())
			}
			assert.Equal(t, "mosquitto version 2.0.11", names["$SYS/broker/version"])
			assert.Len(t, names, 52, "none came twice, though only twenty are on their way at once")

			require.NoError(t, wait(t, c.Subscribe("own/+", 2, take)))
			for qos := range byte(3) {
				require.NoError(t, wait(t, c.Publish("own/topic", qos, false, []byte("hello"))))
				m := next(t, got)
				assert.Equal(t, "own/topic hello", m.Topic()+" "+string(m.Payload()))
				assert.Equal(t, qos, m.Qos())
			}
			require.NoError(t, wait(t, c.Unsubscribe("own/+")))
			events := b.WaitN("auth", 2)
			assert.Equal(t, name, traptest.Fields(events[1])["version"])
			assert.Equal(t, "wrong", traptest.Fields(events[0])["password"])
			assert.Equal(t, "['own/+']", traptest.Fields(b.Wait("unsubscribe"))["topics"])
			b.WaitN("publish", 3)
		})
	}
}

func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(10 * time.Second):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

func TestClients_PahoOfVersion5(t *testing.T) {
	t.Parallel()
	b := newBench(t, open())
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", b.Listen(1883))
	require.NoError(t, err)
	got := make(chan *paho.Publish, 10)
	c := paho.NewClient(paho.ClientConfig{Conn: conn, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(p paho.PublishReceived) (bool, error) { got <- p.Packet; return true, nil },
	}})
	ack, err := c.Connect(t.Context(), &paho.Connect{KeepAlive: 60, CleanStart: true, UsernameFlag: true, Username: "hue", PasswordFlag: true, Password: []byte("s3cret")})
	require.NoError(t, err)
	assert.Regexp(t, "^auto-[0-9A-F-]{36}$", ack.Properties.AssignedClientID)
	assert.Equal(t, uint16(20), *ack.Properties.ReceiveMaximum)

	_, err = c.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "cmd/#", QoS: 1}}})
	require.NoError(t, err)
	r, err := c.Publish(t.Context(), &paho.Publish{Topic: "cmd/run", QoS: 2, Payload: []byte("reboot"), Properties: &paho.PublishProperties{ContentType: "text"}})
	require.NoError(t, err)
	assert.Zero(t, r.ReasonCode)
	p := next(t, got)
	assert.Equal(t, "cmd/run reboot text", p.Topic+" "+string(p.Payload)+" "+p.Properties.ContentType)
	r, err = c.Publish(t.Context(), &paho.Publish{Topic: "elsewhere", QoS: 1})
	require.NoError(t, err)
	assert.Equal(t, byte(0x10), r.ReasonCode, "nobody subscribed")
	require.NoError(t, c.Disconnect(&paho.Disconnect{}))
	assert.Equal(t, "s3cret", traptest.Fields(b.Wait("auth"))["password"])
}

// The clients of mosquitto itself, where they are installed.
func TestClients_Mosquitto(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("mosquitto_sub")
	if err != nil {
		t.Skip("mosquitto_sub is not installed (Debian: mosquitto-clients)")
	}
	for _, version := range []string{"mqttv31", "mqttv311", "mqttv5"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, trap.Config{"anonymous": "false", "username": "dev", "password": "secret"})
			host, port, err := net.SplitHostPort(b.Listen(1883))
			require.NoError(t, err)
			ask := func(password string) (string, error) {
				out, err := exec.CommandContext(t.Context(), path, "-h", host, "-p", port, "-V", version, "-i", "x", "-u", "dev", "-P", password,
					"-t", "#", "-C", "3", "-W", "5", "-F", "%r %t").CombinedOutput()
				return string(out), err
			}
			out, err := ask("wrong")
			require.Error(t, err)
			assert.Contains(t, strings.ToLower(out), "not authori")
			out, err = ask("secret")
			require.NoError(t, err)
			assert.Equal(t, 3, strings.Count("\n"+out, "\n1 "), "the devices are there: %s", out)
			assert.NotContains(t, out, "$SYS")
		})
	}
}
