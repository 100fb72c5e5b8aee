package mqtt

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// device is a thing that reports to the broker.
type device struct {
	kind  string
	name  string
	mac   string
	phase int
	// mean is the middle of what it measures.
	mean float64
}

// household are the devices of a broker: those of one maker, as people buy them.
func household(h *trap.Host) []device {
	r := h.Rand("mqtt devices")
	kinds := []string{"tasmota", "zigbee", "shelly"}
	rooms := []string{"kitchen", "bedroom", "bathroom", "garage", "office", "hall", "basement", "livingroom", "laundry", "garden"}
	if h.Archetype == "industrial-control" || h.System == "windows" {
		kinds = []string{"plant"}
		rooms = []string{"pump1", "pump2", "conveyor1", "conveyor2", "boiler", "compressor", "mixer1", "tank3", "press2", "oven1"}
	}
	kind := kinds[r.IntN(len(kinds))]
	r.Shuffle(len(rooms), func(i, j int) { rooms[i], rooms[j] = rooms[j], rooms[i] })
	vendors := map[string]string{"tasmota": "84f3eb", "zigbee": "00158d00", "shelly": "3494546c"}
	var all []device
	for _, room := range rooms[:3+r.IntN(5)] {
		prefix, digits := vendors[kind], 12
		if kind == "zigbee" {
			digits = 16
		}
		all = append(all, device{
			kind: kind, name: room, mac: prefix + hexDigits(r, digits-len(prefix)), phase: r.IntN(500), mean: 18 + 6*r.Float64(),
		})
	}
	return all
}

func hexDigits(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte("0123456789abcdef"[r.IntN(16)])
	}
	return b.String()
}

// topics are what is retained of the device.
func (d *device) topics(at time.Time) []message {
	switch d.kind {
	case "tasmota":
		return d.tasmota()
	case "zigbee":
		return d.zigbee(at)
	case "shelly":
		return d.shelly(at)
	}
	return d.plant(at)
}

func text(topic, payload string) message {
	return message{topic: topic, payload: []byte(payload), qos: 1}
}

func (d *device) tasmota() []message {
	id := strings.ToUpper(d.mac[6:])
	name := "tasmota_" + id
	return []message{
		text("tele/"+name+"/LWT", "Online"),
		text("stat/"+name+"/POWER", []string{"ON", "OFF"}[d.phase%2]),
		text("tasmota/discovery/"+strings.ToUpper(d.mac)+"/config", fmt.Sprintf(
			`{"ip":"192.168.1.%d","dn":"%s","fn":["%s",null,null,null,null,null,null,null],"hn":"tasmota-%s-%d","mac":"%s","md":"Sonoff Basic","ty":0,"if":0,`+
				`"ofln":"Offline","onln":"Online","state":["OFF","ON","TOGGLE","HOLD"],"sw":"12.5.0","t":"%s","ft":"%%prefix%%/%%topic%%/","tp":["cmnd","stat","tele"],`+
				`"rl":[1,0,0,0,0,0,0,0],"ver":1}`,
			20+d.phase%200, d.name, d.name, id, d.phase*16%8192, strings.ToUpper(d.mac), name)),
	}
}

func (d *device) zigbee(at time.Time) []message {
	id := "0x" + d.mac
	state := fmt.Sprintf(`{"battery":%d,"humidity":%.2f,"linkquality":%d,"temperature":%.2f,"voltage":%d}`,
		60+d.phase%41, wave(at, d.phase+90, 48, 6), 40+d.phase%120, wave(at, d.phase, d.mean, 2), 2900+d.phase%140)
	return []message{
		text("zigbee2mqtt/"+d.name, state),
		text("homeassistant/sensor/"+id+"/temperature/config", fmt.Sprintf(
			`{"device":{"identifiers":["zigbee2mqtt_%s"],"manufacturer":"Xiaomi","model":"MiJia temperature & humidity sensor (WSDCGQ01LM)","name":"%s"},`+
				`"device_class":"temperature","state_class":"measurement","state_topic":"zigbee2mqtt/%s","unique_id":"%s_temperature_zigbee2mqtt","unit_of_measurement":"°C",`+
				`"value_template":"{{ value_json.temperature }}"}`, id, d.name, d.name, id)),
	}
}

func (d *device) shelly(at time.Time) []message {
	name := "shellies/shelly1pm-" + strings.ToUpper(d.mac)
	on := d.phase%2 == 0
	relay, power := "off", 0.0
	if on {
		relay, power = "on", wave(at, d.phase, 4*d.mean, 9)
	}
	return []message{
		text(name+"/online", "true"),
		text(name+"/relay/0", relay),
		text(name+"/relay/0/power", fmt.Sprintf("%.2f", power)),
		text(name+"/temperature", fmt.Sprintf("%.2f", wave(at, d.phase, d.mean+20, 3))),
	}
}

func (d *device) plant(at time.Time) []message {
	name := "plant/" + d.name
	return []message{
		text(name+"/status", "RUN"),
		text(name+"/temperature", fmt.Sprintf("%.1f", wave(at, d.phase, 2*d.mean, 4))),
		text(name+"/setpoint", fmt.Sprintf("%.1f", 2*d.mean)),
	}
}
