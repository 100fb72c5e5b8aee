package mongodb

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"decnet/decoy/trap"
)

// recordClient records what a driver tells about itself.
func (c *client) recordClient(d doc) {
	if len(d) == 0 {
		return
	}
	system, driver := d.sub("os"), d.sub("driver")
	c.conn.Record("client_metadata",
		trap.Field{Key: "driver", Value: short(driver.text("name"), 256)},
		trap.Field{Key: "driver_version", Value: short(driver.text("version"), 256)},
		trap.Field{Key: "os_type", Value: short(system.text("type"), 256)},
		trap.Field{Key: "os_name", Value: short(system.text("name"), 256)},
		trap.Field{Key: "os_arch", Value: short(system.text("architecture"), 256)},
		trap.Field{Key: "os_version", Value: short(system.text("version"), 256)},
		trap.Field{Key: "platform", Value: short(d.text("platform"), 512)},
		trap.Field{Key: "app_name", Value: short(d.sub("application").text("name"), 256)},
		trap.Field{Key: "client", Value: jsonOf(d, 2048)})
}

// commit is the version's in the maker's repository.
func (c *client) commit() string {
	switch c.version {
	case "7.0.5":
		return "7809d71e84e314b497f282ea8aa06d7ded3eb205"
	case "6.0.5":
		return "c9a99c120371d4d4c52cbb15dac34a36ce8d3b1d"
	case "4.4.6":
		return "72e66213c2c3eab37d9358d5e78ad7f5c1d0d0d7"
	case "4.2.8":
		return "43d25964249164d76d5e04dd6cf38f6111e21f5f"
	}
	return hex.EncodeToString(c.host.Derive("mongodb commit "+c.version, 20))
}

// platform is the system that the packages of a distribution are made for.
type platform struct{ build, name, version, kernel, openssl string }

func (c *client) platform() platform {
	switch c.host.Distro {
	case "ubuntu22":
		return platform{"ubuntu2204", "Ubuntu", "22.04", "5.15.0-105-generic", "OpenSSL 3.0.2 15 Mar 2022"}
	case "ubuntu20":
		return platform{"ubuntu2004", "Ubuntu", "20.04", "5.4.0-177-generic", "OpenSSL 1.1.1f  31 Mar 2020"}
	case "rocky9":
		return platform{"rhel90", "Rocky Linux release 9.4 (Blue Onyx)", "Kernel 5.14.0-427.13.1.el9_4.x86_64", "5.14.0-427.13.1.el9_4.x86_64", "OpenSSL 3.0.7 1 Nov 2022"}
	case "centos7":
		return platform{"rhel70", "CentOS Linux release 7.9.2009 (Core)", "Kernel 3.10.0-1160.118.1.el7.x86_64", "3.10.0-1160.118.1.el7.x86_64", "OpenSSL 1.0.1e-fips 11 Feb 2013"}
	}
	return platform{"debian12", `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"`, "Kernel 6.1.0-20-amd64", "6.1.0-20-amd64", "OpenSSL 3.0.11 19 Sep 2023"}
}

func (c *client) buildInfo() doc {
	p := c.platform()
	var numbers list
	for part := range strings.SplitSeq(c.version, ".") {
		n, _ := strconv.ParseInt(part, 10, 32)
		numbers = append(numbers, int32(n))
	}
	compiler, cxx := "/opt/mongodbtoolchain/v4/bin/gcc: gcc (GCC) 11.3.0", "-Woverloaded-virtual -Wpessimizing-move -std=c++20"
	if c.release() < 600 {
		compiler, cxx = "/opt/mongodbtoolchain/v3/bin/gcc: gcc (GCC) 8.5.0", "-Woverloaded-virtual -Wno-maybe-uninitialized -fsized-deallocation -std=c++17"
	}
	return ok(
		el("version", c.version), el("gitVersion", c.commit()), el("modules", list{}), el("allocator", "tcmalloc"),
		el("javascriptEngine", "mozjs"), el("sysInfo", "deprecated"), el("versionArray", append(numbers, int32(0))),
		el("openssl", doc{el("running", p.openssl), el("compiled", p.openssl)}),
		el("buildEnvironment", doc{
			el("distmod", p.build), el("distarch", "x86_64"), el("cc", compiler), el("cxxflags", cxx), el("target_arch", "x86_64"), el("target_os", "linux"),
		}),
		el("bits", int32(64)), el("debug", false), el("maxBsonObjectSize", int32(16<<20)),
		el("storageEngines", list{"devnull", "wiredTiger"}),
	)
}

func (c *client) booted() time.Time { return c.host.Booted(c.conn.Now()).Add(21 * time.Second) }

// pid is the server's.
func (c *client) pid() int { return 600 + c.host.Rand("mongodb pid").IntN(800) }

func (c *client) getLog(q *request) doc {
	what, _ := q.body[0].value.(string)
	at := c.booted()
	line := func(id int, severity, component, message, rest string) string {
		return fmt.Sprintf(`{"t":{"$date":"%s"},"s":"%s",  "c":"%s",  "id":%d,   "ctx":"initandlisten","msg":"%s"%s}`,
			at.Add(time.Duration(id%1000)*time.Millisecond).Format("2006-01-02T15:04:05.000+00:00"), severity, component, id, message, rest)
	}
	var lines list
	switch what {
	case "*":
		return ok(el("names", list{"global", "startupWarnings"}))
	case "startupWarnings":
		lines = list{line(22120, "W", "CONTROL", "Access control is not enabled for the database. Read and write access to data and configuration is unrestricted",
			`,"tags":["startupWarnings"]`)}
		if c.locked {
			lines = list{}
		}
	case "global":
		lines = list{
			line(4615611, "I", "CONTROL", "MongoDB starting", fmt.Sprintf(`,"attr":{"pid":%d,"port":27017,"dbPath":"/var/lib/mongodb","architecture":"64-bit","host":"%s"}`, c.pid(), c.host.Hostname)),
			line(23403, "I", "CONTROL", "Build Info", fmt.Sprintf(`,"attr":{"buildInfo":{"version":"%s","gitVersion":"%s"}}`, c.version, c.commit())),
			line(23016, "I", "NETWORK", "Waiting for connections", `,"attr":{"port":27017,"ssl":"off"}`),
		}
	default:
		return failure(96, "OperationFailed", "No log named '"+short(what, 256)+"'")
	}
	return ok(el("totalLinesWritten", count(len(lines))), el("log", lines))
}

func (c *client) hostInfo(*request) doc {
	p, r := c.platform(), c.host.Rand("mongodb host")
	return ok(
		el("system", doc{
			el("currentTime", c.conn.Now()), el("hostname", c.host.Hostname), el("cpuAddrSize", int32(64)), el("memSizeMB", int64(c.memory())),
			el("memLimitMB", int64(c.memory())), el("numCores", int32(2<<r.IntN(3))), el("cpuArch", "x86_64"), el("numaEnabled", false),
		}),
		el("os", doc{el("type", "Linux"), el("name", p.name), el("version", p.version)}),
		el("extra", doc{el("versionString", "Linux version "+p.kernel), el("kernelVersion", p.kernel), el("cpuFrequencyMHz", "2399.998"), el("pageSize", int64(4096)), el("maxOpenFiles", int32(64000))}),
	)
}

// memory is the machine's, in MiB.
func (c *client) memory() int { return 3919 << c.host.Rand("mongodb memory").IntN(3) }

func (c *client) commandLine(*request) doc {
	security := doc{}
	if c.locked {
		security = doc{el("security", doc{el("authorization", "enabled")})}
	}
	parsed := append(doc{
		el("config", "/etc/mongod.conf"), el("net", doc{el("bindIp", "0.0.0.0"), el("port", int32(27017))}),
		el("processManagement", doc{el("timeZoneInfo", "/usr/share/zoneinfo")}),
	}, security...)
	parsed = append(parsed, el("storage", doc{el("dbPath", "/var/lib/mongodb")}),
		el("systemLog", doc{el("destination", "file"), el("logAppend", true), el("path", "/var/log/mongodb/mongod.log")}))
	return ok(el("argv", list{"/usr/bin/mongod", "--config", "/etc/mongod.conf"}), el("parsed", parsed))
}

func (c *client) getParameter(q *request) doc {
	known := doc{
		el("featureCompatibilityVersion", doc{el("version", c.compatible())}), el("authenticationMechanisms", list{"MONGODB-X509", "SCRAM-SHA-1", "SCRAM-SHA-256"}),
		el("enableLocalhostAuthBypass", true), el("logLevel", int32(0)), el("quiet", false), el("cursorTimeoutMillis", int64(600000)), el("enableTestCommands", false),
	}
	if all, isText := q.body[0].value.(string); isText && all == "*" {
		return ok(known...)
	}
	var asked doc
	for _, e := range known {
		if q.body.get(e.key) != nil {
			asked = append(asked, e)
		}
	}
	if asked == nil {
		return failure(72, "InvalidOptions", "no option found to get")
	}
	return ok(asked...)
}

// serverStatus has what people and tools look at, of a real one's several hundred
// numbers.
func (c *client) serverStatus(*request) doc {
	now := c.conn.Now()
	up := now.Sub(c.booted())
	seconds := int64(up.Seconds())
	r := c.host.Rand("mongodb status")
	per := func(every int) int64 { return seconds / int64(every+r.IntN(every)) }
	return ok(
		el("host", c.host.Hostname), el("version", c.version), el("process", "mongod"), el("service", list{"shard"}), el("pid", int64(c.pid())),
		el("uptime", float64(seconds)), el("uptimeMillis", up.Milliseconds()), el("uptimeEstimate", seconds), el("localTime", now),
		el("asserts", doc{el("regular", int32(0)), el("warning", int32(0)), el("msg", int32(0)), el("user", count(per(900))), el("tripwire", int32(0)), el("rollovers", int32(0))}),
		el("connections", doc{
			el("current", int32(2+r.IntN(9))), el("available", int32(51190)), el("totalCreated", count(c.id)), el("rejected", int32(0)), el("active", int32(1)),
			el("threaded", int32(4)),
		}),
		el("extra_info", doc{el("note", "fields vary by platform"), el("page_faults", count(per(4000)))}),
		el("network", doc{el("bytesIn", per(1)*190), el("bytesOut", per(1)*2300), el("numRequests", per(2))}),
		el("opcounters", doc{
			el("insert", per(60)), el("query", per(9)), el("update", per(40)), el("delete", per(700)), el("getmore", per(300)), el("command", per(2)),
		}),
		el("storageEngine", doc{
			el("name", "wiredTiger"), el("supportsCommittedReads", true), el("oldestRequiredTimestampForCrashRecovery", timestamp(0)),
			el("dropPendingIdents", int64(0)), el("supportsSnapshotReadConcern", true), el("readOnly", false), el("persistent", true), el("backupCursorOpen", false),
		}),
		el("mem", doc{el("bits", int32(64)), el("resident", int32(90+r.IntN(120))), el("virtual", int32(1500+r.IntN(300))), el("supported", true)}),
	)
}
