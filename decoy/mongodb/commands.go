package mongodb

import (
	"context"
	"strings"
	"time"
)

// command answers one request.
type command struct {
	// open commands are answered to who isn't logged in, where others must be.
	open bool
	// admin commands are refused outside of the database admin.
	admin bool
	run   func(ctx context.Context, c *client, q *request) doc
}

// plain makes a command of a function that waits for nothing.
func plain(run func(c *client, q *request) doc) command {
	return command{run: func(_ context.Context, c *client, q *request) doc { return run(c, q) }}
}

// always makes a command that has always the same answer.
func always(d doc) command {
	return command{run: func(context.Context, *client, *request) doc { return d }}
}

// waiting makes a command that takes its time, and that everybody may ask for.
func waiting(run func(ctx context.Context, c *client, q *request) doc) command {
	return command{open: true, run: run}
}

func open(c command) command  { c.open = true; return c }
func admin(c command) command { c.admin = true; return c }

// commands are those that the server knows, in lower case where it takes any.
func commands() map[string]command {
	hello := waiting(func(ctx context.Context, c *client, q *request) doc { return c.hello(ctx, q) })
	build := open(plain(func(c *client, _ *request) doc { return c.buildInfo() }))
	all := map[string]command{
		"hello": hello, "ismaster": hello, "isMaster": hello,
		"buildInfo": build, "buildinfo": build,
		"ping":                    open(always(ok())),
		"whatsmyuri":              open(plain(func(c *client, _ *request) doc { return ok(el("you", c.conn.Remote.String())) })),
		"getLog":                  admin(plain((*client).getLog)),
		"serverStatus":            plain((*client).serverStatus),
		"hostInfo":                admin(plain((*client).hostInfo)),
		"getCmdLineOpts":          admin(plain((*client).commandLine)),
		"getParameter":            admin(plain((*client).getParameter)),
		"setParameter":            admin(always(ok(el("was", int32(0))))),
		"connectionStatus":        open(plain((*client).connectionStatus)),
		"endSessions":             open(always(ok())),
		"startSession":            plain((*client).startSession),
		"refreshSessions":         always(ok()),
		"logout":                  open(always(ok())),
		"getFreeMonitoringStatus": admin(always(ok(el("state", "undecided")))),
		"replSetGetStatus":        admin(always(failure(76, "NoReplicationEnabled", "not running with --replSet"))),
		"shutdown":                admin(always(failure(13, "Unauthorized", "shutdown must run from localhost when running db without auth"))),
		"currentOp":               admin(plain(func(*client, *request) doc { return ok(el("inprog", list{})) })),
		"fsync":                   admin(always(ok(el("numFiles", int32(1))))),
		"usersInfo":               always(ok(el("users", list{}))),
		"rolesInfo":               always(ok(el("roles", list{}))),
		"createUser":              always(ok()),
		"updateUser":              always(ok()),
		"dropUser":                plain((*client).dropUser),
		"listCommands":            plain((*client).listCommands),
		"saslStart":               waiting(func(ctx context.Context, c *client, q *request) doc { return c.saslStart(ctx, q.body, q.database) }),
		"saslContinue":            waiting(func(ctx context.Context, c *client, q *request) doc { return c.saslContinue(ctx, q.body) }),
		"getnonce":                open(plain((*client).getNonce)),
		"authenticate":            waiting(func(ctx context.Context, c *client, q *request) doc { return c.authenticate(ctx, q) }),
	}
	for name, run := range dataCommands() {
		all[name] = plain(run)
	}
	list := all["listDatabases"]
	list.admin = true
	all["listDatabases"] = list
	return all
}

// failure is the answer to what can't be done.
func failure(code int32, name, message string) doc {
	return doc{el("ok", 0.0), el("errmsg", message), el("code", code), el("codeName", name)}
}

// unsupported is the answer to old clients.
const unsupported = "The client driver may require an upgrade. For more details see https://dochub.mongodb.org/core/legacy-opcode-removal"

// run records a request and carries it out.
func (c *client) run(ctx context.Context, q *request) doc {
	if q.collection != "" {
		return c.oldQuery(q)
	}
	name := q.body[0].key
	known, found := c.commands[name]
	isHello := strings.EqualFold(name, "hello") || strings.EqualFold(name, "isMaster")
	isLogin := strings.HasPrefix(name, "sasl") || name == "authenticate" // those have an event of their own
	if !isLogin && (!isHello || !c.greeted) {                            // drivers say hello every ten seconds
		c.record(q, name)
	}
	switch {
	case q.legacy && !isHello && c.release() >= 501:
		return failure(352, "UnsupportedOpQueryCommand", "Unsupported OP_QUERY command: "+name+". "+unsupported)
	case q.database == "":
		return failure(40571, "Location40571", "OP_MSG requests require a $db argument")
	case !found:
		return failure(59, "CommandNotFound", "no such command: '"+name+"'")
	case c.locked && !known.open:
		word := "command "
		if c.release() >= 600 {
			word = "Command "
		}
		return failure(13, "Unauthorized", word+name+" requires authentication")
	case known.admin && q.database != "admin":
		return failure(13, "Unauthorized", name+" may only be run against the admin database.")
	}
	return known.run(ctx, c, q)
}

// oldQuery answers the first way to find something. Its answer to a failure has a
// form of its own.
func (c *client) oldQuery(q *request) doc {
	q.body = append(doc{el("find", q.collection)}, q.body...)
	c.record(q, "find")
	if c.release() >= 501 {
		return doc{el("$err", "Unsupported OP_QUERY command: find. "+unsupported), el("code", int32(5739101)), el("ok", 0.0)}
	}
	filter := q.body[1:]
	if inner, ok := filter.get("$query").(doc); ok {
		filter = inner
	}
	for _, d := range c.documents(q.database, q.collection) {
		if matches(d, filter) {
			return d // one at a time; such clients are few
		}
	}
	return doc{el("$err", "no document found"), el("code", int32(10065)), el("ok", 0.0)}
}

// hello answers what every driver asks first, and again and again.
func (c *client) hello(ctx context.Context, q *request) doc {
	if !c.greeted {
		c.greeted = true
		c.recordClient(q.body.sub("client"))
	}
	if wait := q.body.number("maxAwaitTimeMS"); wait > 0 && q.body.get("topologyVersion") != nil {
		// The client wants to hear of changes, and there are never any.
		d := time.Duration(min(wait, 10_000)) * time.Millisecond
		c.conn.Pause(ctx, d, d)
	}
	var d doc
	if q.body.truth("helloOk") {
		d = append(d, el("helloOk", true))
	}
	primary := "ismaster"
	if q.body[0].key == "hello" {
		primary = "isWritablePrimary"
	}
	d = append(d, el(primary, true))
	if c.release() >= 404 {
		d = append(d, el("topologyVersion", doc{el("processId", c.processID()), el("counter", int64(0))}))
	}
	d = append(d, el("maxBsonObjectSize", int32(16<<20)), el("maxMessageSizeBytes", int32(48_000_000)), el("maxWriteBatchSize", int32(100_000)),
		el("localTime", c.conn.Now()), el("logicalSessionTimeoutMinutes", int32(30)), el("connectionId", count(c.id)),
		el("minWireVersion", int32(0)), el("maxWireVersion", c.wireVersion()), el("readOnly", false))
	if q.body.get("saslSupportedMechs") != nil {
		d = append(d, el("saslSupportedMechs", list{"SCRAM-SHA-256", "SCRAM-SHA-1"}))
	}
	if speculative := q.body.sub("speculativeAuthenticate"); speculative != nil {
		if answer := c.saslStart(ctx, speculative, speculative.text("db")); answer.truth("ok") {
			d = append(d, el("speculativeAuthenticate", answer[:len(answer)-1]))
		}
	}
	return append(d, el("ok", 1.0))
}

// wireVersion is what the release calls its protocol.
func (c *client) wireVersion() int32 {
	for _, v := range []struct {
		release int
		wire    int32
	}{{800, 25}, {700, 21}, {600, 17}, {500, 13}, {404, 9}, {402, 8}, {400, 7}, {306, 6}} {
		if c.release() >= v.release {
			return v.wire
		}
	}
	return 5
}

func (c *client) processID() objectID {
	return objectID(c.host.Derive("mongodb process", 12))
}

func (c *client) connectionStatus(*request) doc {
	return ok(el("authInfo", doc{el("authenticatedUsers", list{}), el("authenticatedUserRoles", list{})}))
}

func (c *client) startSession(*request) doc {
	id := doc{el("id", blob{4, string(c.host.Derive("mongodb session "+c.conn.ID, 16))})}
	return ok(el("id", id), el("timeoutMinutes", int32(30)))
}

func (c *client) dropUser(q *request) doc {
	name, _ := q.body[0].value.(string)
	return failure(11, "UserNotFound", "User '"+name+"@"+q.database+"' not found")
}

func (c *client) listCommands(*request) doc {
	var all doc
	for name := range c.commands {
		all = append(all, el(name, doc{el("help", ""), el("requiresAuth", !c.commands[name].open), el("adminOnly", c.commands[name].admin)}))
	}
	return ok(el("commands", all))
}
