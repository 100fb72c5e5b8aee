package mongodb_test

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"decnet/decoy/mongodb"
	"decnet/decoy/trap"
	"decnet/decoy/traptest"
)

func newBench(t *testing.T, config trap.Config) *traptest.Bench {
	t.Helper()
	return traptest.New(t, mongodb.New, traptest.Options{Service: "mongodb", Config: config})
}

// connect is a real client with one connection, so that it sees what it wrote.
func connect(t *testing.T, b *traptest.Bench, how ...func(*options.ClientOptions)) *mongo.Client {
	t.Helper()
	o := options.Client().ApplyURI("mongodb://" + b.Listen(27017) + "/?directConnection=true&maxPoolSize=1&serverSelectionTimeoutMS=5000&appName=evil.py")
	for _, change := range how {
		change(o)
	}
	c, err := mongo.Connect(o)
	require.NoError(t, err)
	// By then the bench has ended, and with it all that there is to wait for.
	t.Cleanup(func() { _ = c.Disconnect(t.Context()) })
	return c
}

func run(t *testing.T, c *mongo.Client, database string, command bson.D) bson.M {
	t.Helper()
	var answer bson.M
	require.NoError(t, c.Database(database).RunCommand(t.Context(), command).Decode(&answer), "%v", command)
	return answer
}

// application is the database that the decoy's machine is there for.
func application(t *testing.T, c *mongo.Client) string {
	t.Helper()
	names, err := c.ListDatabaseNames(t.Context(), bson.D{})
	require.NoError(t, err)
	for _, own := range []string{"admin", "config", "local"} {
		assert.Contains(t, names, own)
	}
	for _, name := range names {
		collections, err := c.Database(name).ListCollectionNames(t.Context(), bson.D{})
		require.NoError(t, err)
		for _, collection := range collections {
			if collection == "users" {
				return name
			}
		}
	}
	require.FailNow(t, "there is no application")
	return ""
}

// A bot looks around, takes away what is there and leaves its demand; the real
// driver believes all of it.
func TestMongoDB_IsHeldToRansom(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := connect(t, b)
	require.NoError(t, c.Ping(t.Context(), nil))
	name := application(t, c)
	users := c.Database(name).Collection("users")
	n, err := users.CountDocuments(t.Context(), bson.D{})
	require.NoError(t, err)
	assert.Greater(t, n, int64(10))
	estimated, err := users.EstimatedDocumentCount(t.Context())
	require.NoError(t, err)
	assert.Equal(t, n, estimated)
	cursor, err := users.Find(t.Context(), bson.D{}, options.Find().SetBatchSize(5))
	require.NoError(t, err)
	var all []bson.M
	require.NoError(t, cursor.All(t.Context(), &all), "over several batches")
	assert.Len(t, all, int(n))
	assert.Contains(t, all[0]["email"], "@")

	require.NoError(t, c.Database(name).Drop(t.Context()))
	note := "All your data is backed up. You must pay 0.01 BTC to bc1qexample or it will be public. \xff"
	_, err = c.Database("READ_ME_TO_RECOVER_YOUR_DATA").Collection("README").InsertOne(t.Context(), bson.D{{Key: "content", Value: strings.TrimSuffix(note, "\xff")}})
	require.NoError(t, err)
	names, err := c.ListDatabaseNames(t.Context(), bson.D{})
	require.NoError(t, err)
	assert.NotContains(t, names, name)
	var left bson.M
	require.NoError(t, c.Database("READ_ME_TO_RECOVER_YOUR_DATA").Collection("README").FindOne(t.Context(), bson.D{}).Decode(&left))
	assert.Contains(t, left["content"], "0.01 BTC")

	var dropped, demanded bool
	for _, e := range b.Events() {
		f := traptest.Fields(e)
		dropped = dropped || f["cmd"] == "dropDatabase" && f["database"] == name
		demanded = demanded || f["cmd"] == "insert" && f["collection"] == "README" && strings.Contains(f["query"], `"content": "All your data is backed up.`)
	}
	assert.True(t, dropped)
	assert.True(t, demanded)

	another := connect(t, b)
	assert.Equal(t, name, application(t, another), "another session finds everything as it was")
}

func TestMongoDB_RecordsWhatDriversTell(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	require.NoError(t, connect(t, b).Ping(t.Context(), nil))
	f := traptest.Fields(b.Wait("client_metadata"))
	assert.Equal(t, "mongo-go-driver", f["driver"])
	assert.NotEmpty(t, f["driver_version"])
	assert.Equal(t, "linux", f["os_type"])
	assert.Equal(t, "evil.py", f["app_name"])
	assert.Contains(t, f["client"], `{"application": {"name": "evil.py"}, "driver": `)
}

func TestMongoDB_ChangesWhatItIsAskedTo(t *testing.T) {
	t.Parallel()
	c := connect(t, newBench(t, nil))
	coll := c.Database("test").Collection("things")
	_, err := coll.InsertMany(t.Context(), []any{
		bson.D{{Key: "_id", Value: 1}, {Key: "kind", Value: "a"}, {Key: "deep", Value: bson.D{{Key: "n", Value: 5}}}},
		bson.D{{Key: "_id", Value: 2}, {Key: "kind", Value: "b"}, {Key: "tags", Value: bson.A{"x", "y"}}},
		bson.D{{Key: "_id", Value: 3}, {Key: "kind", Value: "b"}},
	})
	require.NoError(t, err)
	count := func(filter bson.D) int64 {
		n, err := coll.CountDocuments(t.Context(), filter)
		require.NoError(t, err)
		return n
	}
	for _, test := range []struct {
		filter bson.D
		want   int64
	}{
		{bson.D{{Key: "kind", Value: "b"}}, 2},
		{bson.D{{Key: "deep.n", Value: int64(5)}}, 1},
		{bson.D{{Key: "tags", Value: "y"}}, 1},
		{bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: 1}, {Key: "$lte", Value: 2.5}}}}, 1},
		{bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{1, 3, 9}}}}}, 2},
		{bson.D{{Key: "tags", Value: bson.D{{Key: "$exists", Value: false}}}}, 2},
		{bson.D{{Key: "$or", Value: bson.A{bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "_id", Value: 3}}}}}, 2},
		{bson.D{{Key: "kind", Value: bson.D{{Key: "$ne", Value: "b"}}}}, 1},
		{bson.D{{Key: "absent", Value: nil}}, 3},
	} {
		assert.Equal(t, test.want, count(test.filter), "%v", test.filter)
	}
	changed, err := coll.UpdateMany(t.Context(), bson.D{{Key: "kind", Value: "b"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "kind", Value: "c"}, {Key: "new", Value: true}}}})
	require.NoError(t, err)
	assert.Equal(t, int64(2), changed.ModifiedCount)
	assert.Equal(t, int64(2), count(bson.D{{Key: "kind", Value: "c"}, {Key: "new", Value: true}}))
	upserted, err := coll.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: 9}}, bson.D{{Key: "$set", Value: bson.D{{Key: "kind", Value: "z"}}}}, options.UpdateOne().SetUpsert(true))
	require.NoError(t, err)
	assert.Equal(t, int64(1), upserted.UpsertedCount)
	var z bson.M
	require.NoError(t, coll.FindOne(t.Context(), bson.D{{Key: "kind", Value: "z"}}).Decode(&z))
	assert.Equal(t, bson.M{"_id": int32(9), "kind": "z"}, z)
	var last bson.M
	require.NoError(t, coll.FindOne(t.Context(), bson.D{}, options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}}).SetProjection(bson.D{{Key: "kind", Value: 0}})).Decode(&last))
	assert.Equal(t, bson.M{"_id": int32(9)}, last)
	require.NoError(t, coll.FindOneAndDelete(t.Context(), bson.D{{Key: "_id", Value: 9}}).Err())
	deleted, err := coll.DeleteOne(t.Context(), bson.D{{Key: "kind", Value: "c"}})
	require.NoError(t, err)
	assert.Equal(t, int64(1), deleted.DeletedCount)
	assert.Equal(t, int64(2), count(bson.D{}))
	require.NoError(t, coll.Drop(t.Context()))
	assert.Zero(t, count(bson.D{}))
}

func TestMongoDB_TellsAboutItself(t *testing.T) {
	t.Parallel()
	for distro, version := range map[string]string{"debian": "7.0.5", "ubuntu22": "6.0.5", "ubuntu20": "4.4.6", "centos7": "4.2.8"} {
		b := traptest.New(t, mongodb.New, traptest.Options{Service: "mongodb", Identity: trap.Identity{Distro: distro}})
		c := connect(t, b)
		build := run(t, c, "test", bson.D{{Key: "buildInfo", Value: 1}})
		assert.Equal(t, version, build["version"])
		assert.Len(t, build["versionArray"], 4)
		parameter := run(t, c, "admin", bson.D{{Key: "getParameter", Value: 1}, {Key: "featureCompatibilityVersion", Value: 1}})
		assert.Equal(t, version[:3], parameter["featureCompatibilityVersion"].(bson.D)[0].Value)
		assert.Equal(t, "srv-web-07", run(t, c, "admin", bson.D{{Key: "serverStatus", Value: 1}})["host"])
		assert.Contains(t, run(t, c, "admin", bson.D{{Key: "getLog", Value: "startupWarnings"}})["log"].(bson.A)[0], "Access control is not enabled")
		assert.Contains(t, run(t, c, "admin", bson.D{{Key: "whatsmyuri", Value: 1}})["you"], "127.0.0.1:")
		run(t, c, "admin", bson.D{{Key: "hostInfo", Value: 1}})
		run(t, c, "admin", bson.D{{Key: "getCmdLineOpts", Value: 1}})
		run(t, c, "test", bson.D{{Key: "dbStats", Value: 1}})
		run(t, c, "test", bson.D{{Key: "connectionStatus", Value: 1}})
	}
}

func TestMongoDB_RefusesAsARealOne(t *testing.T) {
	t.Parallel()
	c := connect(t, newBench(t, nil))
	for _, test := range []struct {
		database string
		command  bson.D
		code     int32
		message  string
	}{
		{"admin", bson.D{{Key: "nonsense", Value: 1}}, 59, "no such command: 'nonsense'"},
		{"admin", bson.D{{Key: "shutdown", Value: 1}}, 13, "shutdown must run from localhost when running db without auth"},
		{"admin", bson.D{{Key: "replSetGetStatus", Value: 1}}, 76, "not running with --replSet"},
		{"test", bson.D{{Key: "listDatabases", Value: 1}}, 13, "listDatabases may only be run against the admin database."},
		{"test", bson.D{{Key: "getMore", Value: int64(5)}, {Key: "collection", Value: "x"}}, 43, "cursor id 5 not found"},
		{"test", bson.D{{Key: "find", Value: 1}}, 73, "collection name has invalid type"},
	} {
		err := c.Database(test.database).RunCommand(t.Context(), test.command).Err()
		var refusal mongo.CommandError
		require.ErrorAs(t, err, &refusal, "%v", test.command)
		assert.Equal(t, test.code, refusal.Code)
		assert.Equal(t, test.message, refusal.Message)
	}
	locked := connect(t, newBench(t, trap.Config{"auth": "true"}))
	require.NoError(t, locked.Ping(t.Context(), nil), "anybody may ping")
	_, err := locked.ListDatabaseNames(t.Context(), bson.D{})
	assert.ErrorContains(t, err, "(Unauthorized) Command listDatabases requires authentication")
}

// proves reports whether the password is the one of a login, from nothing but what
// its event has.
func proves(t *testing.T, f map[string]string, password string) bool {
	t.Helper()
	iterations, err := strconv.Atoi(f["iterations"])
	require.NoError(t, err)
	salt, err := base64.StdEncoding.DecodeString(f["salt"])
	require.NoError(t, err)
	proof, err := base64.StdEncoding.DecodeString(f["response"])
	require.NoError(t, err)
	sum := func() hash.Hash { return sha256.New() }
	if f["mechanism"] == "SCRAM-SHA-1" {
		sum = sha1.New
		digest := md5.Sum([]byte(f["username"] + ":mongo:" + password))
		password = hex.EncodeToString(digest[:])
	}
	salted, err := pbkdf2.Key(sum, password, salt, iterations, sum().Size())
	require.NoError(t, err)
	keyed := func(key []byte, text string) []byte {
		h := hmac.New(sum, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	clientKey := keyed(salted, "Client Key")
	h := sum()
	h.Write(clientKey)
	signature := keyed(h.Sum(nil), f["auth_message"])
	for i := range clientKey {
		clientKey[i] ^= signature[i]
	}
	return hmac.Equal(clientKey, proof)
}

func TestMongoDB_LoginsCanBeTriedOffline(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"", "SCRAM-SHA-1", "SCRAM-SHA-256"} {
		b := newBench(t, nil)
		c := connect(t, b, func(o *options.ClientOptions) {
			o.SetAuth(options.Credential{AuthMechanism: mechanism, Username: "ad=mi,n", Password: "hunter2", AuthSource: "admin"})
		})
		err := c.Ping(t.Context(), nil)
		require.ErrorContains(t, err, "(AuthenticationFailed) Authentication failed.")
		f := traptest.Fields(b.Wait("auth"))
		assert.Equal(t, "ad=mi,n", f["username"])
		assert.Equal(t, "admin", f["database"])
		assert.NotContains(t, f, "password", "a proof is no password")
		assert.True(t, proves(t, f, "hunter2"), mechanism)
		assert.False(t, proves(t, f, "hunter3"), mechanism)
	}
}

func TestMongoDB_PasswordsInTheClear(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	c := connect(t, b, func(o *options.ClientOptions) {
		o.SetAuth(options.Credential{AuthMechanism: "PLAIN", Username: "root", Password: "s3cret", AuthSource: "$external"})
	})
	require.ErrorContains(t, c.Ping(t.Context(), nil), "Received authentication for mechanism PLAIN which is unknown or not enabled")
	f := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, "root", f["username"])
	assert.Equal(t, "s3cret", f["password"])
}

// query is a command as old clients send it.
func query(t *testing.T, collection string, d bson.D) []byte {
	t.Helper()
	body, err := bson.Marshal(d)
	require.NoError(t, err)
	b := binary.LittleEndian.AppendUint32(nil, uint32(16+4+len(collection)+1+8+len(body)))
	b = append(b, 7, 0, 0, 0, 0, 0, 0, 0, 0xd4, 7, 0, 0, 0, 0, 0, 0)
	b = append(append(b, collection...), 0)
	b = append(b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
	return append(b, body...)
}

// ask sends an old query and reads the one document of its answer.
func ask(t *testing.T, c net.Conn, collection string, d bson.D) bson.M {
	t.Helper()
	_, err := c.Write(query(t, collection, d))
	require.NoError(t, err)
	head := make([]byte, 36)
	_, err = io.ReadFull(c, head)
	require.NoError(t, err)
	require.Equal(t, byte(1), head[12], "OP_REPLY")
	require.Equal(t, byte(7), head[8], "it answers the question")
	rest := make([]byte, binary.LittleEndian.Uint32(head)-36)
	_, err = io.ReadFull(c, rest)
	require.NoError(t, err)
	var answer bson.M
	require.NoError(t, bson.Unmarshal(rest, &answer))
	return answer
}

func TestMongoDB_OldClients(t *testing.T) {
	t.Parallel()
	modern := newBench(t, nil).Dial(27017)
	assert.Equal(t, true, ask(t, modern, "admin.$cmd", bson.D{{Key: "isMaster", Value: 1}})["ismaster"])
	assert.Contains(t, ask(t, modern, "admin.$cmd", bson.D{{Key: "listDatabases", Value: 1}})["errmsg"], "Unsupported OP_QUERY command: listDatabases. ")
	assert.Contains(t, ask(t, modern, "shop.users", bson.D{})["$err"], "Unsupported OP_QUERY command: find. ")

	b := traptest.New(t, mongodb.New, traptest.Options{Service: "mongodb", Identity: trap.Identity{Distro: "centos7"}})
	old := b.Dial(27017)
	assert.Equal(t, int32(8), ask(t, old, "admin.$cmd", bson.D{{Key: "ismaster", Value: 1}})["maxWireVersion"])
	assert.NotEmpty(t, ask(t, old, "admin.$cmd", bson.D{{Key: "$query", Value: bson.D{{Key: "listDatabases", Value: 1}}}})["databases"])
	assert.Equal(t, "featureCompatibilityVersion", ask(t, old, "admin.system.version", bson.D{})["_id"])

	nonce := ask(t, old, "admin.$cmd", bson.D{{Key: "getnonce", Value: 1}})["nonce"].(string)
	key := strings.Repeat("ab", 16)
	refused := ask(t, old, "admin.$cmd", bson.D{{Key: "authenticate", Value: 1}, {Key: "user", Value: "sa"}, {Key: "nonce", Value: nonce}, {Key: "key", Value: key}})
	assert.Equal(t, int32(18), refused["code"])
	assert.Equal(t, "$mongodb$1$sa$"+nonce+"$"+key, traptest.Fields(b.Wait("auth"))["john"])

	insert := append(binary.LittleEndian.AppendUint32(nil, 20), 9, 0, 0, 0, 0, 0, 0, 0, 0xd2, 7, 0, 0, 0, 0, 0, 0)
	_, err := old.Write(insert)
	require.NoError(t, err)
	m := traptest.Fields(b.Wait("message"))
	assert.Equal(t, "2002", m["opcode"])
	assert.Equal(t, "20", m["length"])
	assert.NotEmpty(t, ask(t, old, "admin.$cmd", bson.D{{Key: "ping", Value: 1}}), "it has no answer, and all goes on")
}

func TestMongoDB_ALoginThatIsGivenUp(t *testing.T) {
	t.Parallel()
	b := traptest.New(t, mongodb.New, traptest.Options{Service: "mongodb", Identity: trap.Identity{Distro: "centos7"}})
	c := b.Dial(27017)
	ask(t, c, "admin.$cmd", bson.D{
		{Key: "saslStart", Value: 1},
		{Key: "mechanism", Value: "SCRAM-SHA-1"},
		{Key: "payload", Value: bson.Binary{Data: []byte("n,,n=oracle,r=abc")}},
	})
	require.NoError(t, c.Close())
	f := traptest.Fields(b.Wait("auth"))
	assert.Equal(t, "oracle", f["username"])
	assert.NotContains(t, f, "response")
}

func TestMongoDB_WhatIsNoMessage(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	deep := bson.D{{Key: "a", Value: 1}}
	for range 200 {
		deep = bson.D{{Key: "a", Value: deep}}
	}
	for name, text := range map[string]string{
		"TLS":       "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00\x00\x00\x00",
		"too short": "\x05\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00",
		"no body":   "\x14\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00",
		"too long":  "\xff\xff\xff\x7f\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00",
		"lies":      "\x1a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00\x00\xff\x00\x00\x00\x00",
		"too deep":  string(query(t, "admin.$cmd", deep)),
	} {
		c := b.Dial(27017)
		_, err := io.WriteString(c, text)
		require.NoError(t, err)
		got, err := io.ReadAll(c)
		require.NoError(t, err, "it hangs up: %s", name)
		assert.Empty(t, got, name)
	}
	b.WaitN("protocol_error", 6)
	c := b.Dial(27017)
	_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	const text = "It looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n"
	assert.Equal(t, fmt.Sprintf("HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(text), text), string(got))
}

func TestMongoDB_IsBounded(t *testing.T) {
	t.Parallel()
	c := connect(t, newBench(t, nil))
	coll := c.Database("drop").Collection("box")
	big := strings.Repeat("x", 100<<10)
	for i := range 20 {
		_, err := coll.InsertOne(t.Context(), bson.D{{Key: "i", Value: i}, {Key: "data", Value: big}})
		require.NoError(t, err, "what is too much is acknowledged")
	}
	n, err := coll.CountDocuments(t.Context(), bson.D{})
	require.NoError(t, err)
	assert.Equal(t, int64(5), n, "and forgotten")
}

func TestMongoDB_IsTheSameAfterARestart(t *testing.T) {
	t.Parallel()
	first := func(secret string) bson.M {
		b := traptest.New(t, mongodb.New, traptest.Options{Service: "mongodb", Identity: trap.Identity{Secret: []byte(secret)}})
		c := connect(t, b)
		var one bson.M
		require.NoError(t, c.Database(application(t, c)).Collection("users").FindOne(t.Context(), bson.D{}).Decode(&one))
		return one
	}
	one := first("the secret of one machine")
	assert.Equal(t, one, first("the secret of one machine"))
	assert.NotEqual(t, one, first("the secret of another one"))
}
