package mongodb

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
)

// dataCommands are those about databases and what is in them.
func dataCommands() map[string]func(c *client, q *request) doc {
	return map[string]func(c *client, q *request) doc{
		"listDatabases":   (*client).listDatabases,
		"listCollections": (*client).listCollections,
		"listIndexes":     (*client).listIndexes,
		"find":            (*client).find,
		"getMore":         (*client).getMore,
		"killCursors":     (*client).killCursors,
		"aggregate":       (*client).aggregate,
		"count":           (*client).count,
		"distinct":        (*client).distinct,
		"dbStats":         (*client).dbStats,
		"dbstats":         (*client).dbStats,
		"collStats":       (*client).collStats,
		"collstats":       (*client).collStats,
		"insert":          (*client).insert,
		"update":          (*client).update,
		"delete":          (*client).remove,
		"findAndModify":   (*client).findAndModify,
		"create":          (*client).create,
		"createIndexes":   (*client).createIndexes,
		"drop":            (*client).drop,
		"dropDatabase":    (*client).dropDatabase,
	}
}

// The bounds of what sessions can store, in bytes: one, and all of a decky. What
// is over them is acknowledged and forgotten.
const (
	maxWritten = 512 << 10
	maxStored  = 16 << 20
	// maxDocuments bounds a collection that a session has written to, maxSteps how
	// many updates or deletes of one command are carried out, and maxStages how many
	// of the stages of a pipeline.
	maxDocuments = 1000
	maxSteps     = 1000
	maxStages    = 20
)

func (c *client) documents(database, collection string) []doc {
	return c.databases[database][collection]
}

// keep puts documents in place of those of a collection, which it makes.
func (c *client) keep(database, collection string, docs []doc) {
	if c.databases[database] == nil {
		if len(c.databases) >= 64 {
			return
		}
		c.databases[database] = map[string][]doc{}
	}
	if _, there := c.databases[database][collection]; !there && len(c.databases[database]) >= 64 {
		return
	}
	c.databases[database][collection] = docs
}

// room reports whether a document may be kept, and counts it.
func (c *client) room(d doc) bool {
	if c.full {
		return false
	}
	size := len(encode(nil, d)) + 48*len(d)
	if c.full = c.written+size > maxWritten; c.full {
		return false
	}
	if c.stored.Add(int64(size)) > maxStored {
		c.stored.Add(-int64(size))
		return false
	}
	c.written += size
	return true
}

// collection is the name that a command is about; without one it returns what the
// server says to that.
func collection(q *request) (name string, refusal doc) {
	name, ok := q.body[0].value.(string)
	switch {
	case !ok:
		return "", failure(73, "InvalidNamespace", "collection name has invalid type")
	case name == "" || strings.ContainsAny(name, "\x00") || strings.HasPrefix(name, "."):
		return "", failure(73, "InvalidNamespace", "Invalid namespace specified '"+q.database+"."+name+"'")
	}
	return name, nil
}

func size(docs []doc) int64 {
	n := 0
	for _, d := range docs {
		n += len(encode(nil, d))
	}
	return int64(n)
}

// onDisk is what a collection takes there, in bytes: whole blocks.
func onDisk(docs []doc) int64 { return 4096 * (5 + size(docs)/2/4096) }

func (c *client) listDatabases(q *request) doc {
	var total int64
	all := list{}
	for _, name := range slices.Sorted(maps.Keys(c.databases)) {
		var bytes int64
		for _, docs := range c.databases[name] {
			bytes += 2 * onDisk(docs) // with its index
		}
		d := doc{el("name", name), el("sizeOnDisk", bytes), el("empty", false)}
		if !matches(d, q.body.sub("filter")) {
			continue
		}
		if q.body.truth("nameOnly") {
			d = d[:1]
		}
		total += bytes
		all = append(all, d)
	}
	if q.body.truth("nameOnly") {
		return ok(el("databases", all))
	}
	return ok(el("databases", all), el("totalSize", total), el("totalSizeMb", total>>20))
}

func (c *client) listCollections(q *request) doc {
	var all []doc
	for _, name := range slices.Sorted(maps.Keys(c.databases[q.database])) {
		d := doc{
			el("name", name), el("type", "collection"), el("options", doc{}),
			el("info", doc{el("readOnly", false), el("uuid", blob{4, string(c.host.Derive("mongodb uuid "+q.database+"."+name, 16))})}),
			el("idIndex", primaryIndex()),
		}
		if !matches(d, q.body.sub("filter")) {
			continue
		}
		if q.body.truth("nameOnly") {
			d = d[:2]
		}
		all = append(all, d)
	}
	return c.cursor(q, "$cmd.listCollections", all, q.body.sub("cursor"))
}

func primaryIndex() doc {
	return doc{el("v", int32(2)), el("key", doc{el("_id", int32(1))}), el("name", "_id_")}
}

func (c *client) listIndexes(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	if _, there := c.databases[q.database][name]; !there {
		return failure(26, "NamespaceNotFound", "ns does not exist: "+q.database+"."+name)
	}
	return c.cursor(q, name, []doc{primaryIndex()}, nil)
}

// cursor is an answer that has not all been fetched.
type cursor struct {
	name string
	docs []doc
}

// The bounds of one batch, and of the cursors that a session may have open.
const (
	firstBatch    = 101
	maxBatch      = 1000
	maxBatchBytes = 1 << 20
	maxCursors    = 8
)

// batch cuts the documents that go into one answer.
func batch(docs []doc, most int64) (now list, later []doc) {
	now = list{}
	bytes := 0
	for len(docs) > 0 && int64(len(now)) < min(most, maxBatch) && bytes < maxBatchBytes {
		bytes += len(encode(nil, docs[0]))
		now, docs = append(now, docs[0]), docs[1:]
	}
	return now, docs
}

// cursor answers with the first documents, and remembers the others.
func (c *client) cursor(q *request, name string, docs []doc, options doc) doc {
	most := int64(firstBatch)
	if n, ok := asNumber(options.get("batchSize")); ok && n >= 0 {
		most = int64(n)
	}
	now, later := batch(docs, most)
	var id int64
	if len(later) > 0 && !options.truth("singleBatch") && len(c.cursors) < maxCursors {
		for id == 0 || c.cursors[id] != nil {
			id = int64(binary.BigEndian.Uint64(c.host.Derive("mongodb cursor "+c.conn.ID+itoa(len(c.cursors))+itoa(int(c.lastID)), 8)) >> 1)
		}
		c.cursors[id] = &cursor{name, later}
	}
	return ok(el("cursor", doc{el("firstBatch", now), el("id", id), el("ns", q.database+"."+name)}))
}

func (c *client) getMore(q *request) doc {
	id, _ := q.body[0].value.(int64)
	open := c.cursors[id]
	if open == nil {
		return failure(43, "CursorNotFound", "cursor id "+itoa(int(id))+" not found")
	}
	most := q.body.number("batchSize")
	if most <= 0 {
		most = maxBatch
	}
	now, later := batch(open.docs, most)
	if open.docs = later; len(later) == 0 {
		delete(c.cursors, id)
		id = 0
	}
	return ok(el("cursor", doc{el("nextBatch", now), el("id", id), el("ns", q.database+"."+open.name)}))
}

func (c *client) killCursors(q *request) doc {
	ids, _ := q.body.get("cursors").(list)
	killed, unknown := list{}, list{}
	for _, v := range ids {
		id, _ := v.(int64)
		if c.cursors[id] == nil {
			unknown = append(unknown, v)
			continue
		}
		delete(c.cursors, id)
		killed = append(killed, v)
	}
	return ok(el("cursorsKilled", killed), el("cursorsNotFound", unknown), el("cursorsAlive", list{}), el("cursorsUnknown", list{}))
}

// those returns the documents of a collection that match.
func (c *client) those(database, name string, filter doc) []doc {
	var found []doc
	for _, d := range c.documents(database, name) {
		if matches(d, filter) {
			found = append(found, d)
		}
	}
	return found
}

// cut leaves out the first documents, and those over a limit; 0 is none.
func cut(docs []doc, skip, limit int64) []doc {
	docs = docs[min(max(skip, 0), int64(len(docs))):]
	if limit < 0 {
		limit = -limit
	}
	if limit > 0 && limit < int64(len(docs)) {
		docs = docs[:limit]
	}
	return docs
}

func (c *client) find(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	docs := sorted(c.those(q.database, name, q.body.sub("filter")), q.body.sub("sort"))
	docs = slices.Clone(cut(docs, q.body.number("skip"), q.body.number("limit")))
	for i, d := range docs {
		docs[i] = project(d, q.body.sub("projection"))
	}
	return c.cursor(q, name, docs, q.body)
}

func (c *client) count(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	docs := c.those(q.database, name, q.body.sub("query"))
	return ok(el("n", count(len(cut(docs, q.body.number("skip"), q.body.number("limit"))))))
}

func (c *client) distinct(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	values := list{}
	for _, d := range c.those(q.database, name, q.body.sub("query")) {
		v := field(d, q.body.text("key"))
		if _, absent := v.(missing); !absent && len(values) < maxBatch && !slices.ContainsFunc(values, func(other any) bool { return equals(other, v) }) {
			values = append(values, v)
		}
	}
	return ok(el("values", values))
}

// aggregate carries out the stages that drivers and people use to look around;
// others change nothing.
func (c *client) aggregate(q *request) doc {
	name, isName := q.body[0].value.(string)
	docs := c.documents(q.database, name)
	if !isName {
		name, docs = "$cmd.aggregate", nil
	}
	stages, isList := q.body.get("pipeline").(list)
	if !isList {
		return failure(40414, "Location40414", "BSON field 'aggregate.pipeline' is missing but a required field")
	}
	if len(stages) > 1000 {
		return failure(7749501, "Location7749501", "Pipeline length must be no longer than 1000 stages")
	}
	for i, s := range stages {
		stage, _ := s.(doc)
		if len(stage) == 0 {
			return failure(40323, "Location40323", "A pipeline stage specification object must contain exactly one field.")
		}
		if i < maxStages {
			docs = stageOf(docs, stage[0])
		}
	}
	return c.cursor(q, name, docs, q.body.sub("cursor"))
}

func stageOf(docs []doc, stage element) []doc {
	argument, _ := stage.value.(doc)
	n, _ := asNumber(stage.value)
	switch stage.key {
	case "$match":
		return slices.DeleteFunc(slices.Clone(docs), func(d doc) bool { return !matches(d, argument) })
	case "$limit":
		return cut(docs, 0, max(int64(n), 1))
	case "$skip":
		return cut(docs, int64(n), 0)
	case "$sample":
		return cut(docs, 0, max(argument.number("size"), 1))
	case "$sort":
		return sorted(docs, argument)
	case "$project":
		docs = slices.Clone(docs)
		for i, d := range docs {
			docs[i] = project(d, argument)
		}
		return docs
	case "$count":
		if name, ok := stage.value.(string); ok && len(docs) > 0 {
			return []doc{{el(name, count(len(docs)))}}
		}
		return nil
	case "$group": // only how drivers count
		id := argument.get("_id")
		if _, ofField := id.(string); ofField || len(docs) == 0 {
			return nil
		}
		group := doc{el("_id", id)}
		for _, e := range argument {
			if e.key != "_id" {
				group = append(group, el(e.key, count(len(docs))))
			}
		}
		return []doc{group}
	}
	return docs
}

func (c *client) dbStats(q *request) doc {
	var objects, bytes, disk int64
	collections := c.databases[q.database]
	for _, docs := range collections {
		objects += int64(len(docs))
		bytes += size(docs)
		disk += onDisk(docs)
	}
	average := 0.0
	if objects > 0 {
		average = float64(bytes) / float64(objects)
	}
	return ok(el("db", q.database), el("collections", int64(len(collections))), el("views", int64(0)), el("objects", objects), el("avgObjSize", average),
		el("dataSize", float64(bytes)), el("storageSize", float64(disk)), el("indexes", int64(len(collections))), el("indexSize", float64(disk)),
		el("totalSize", float64(2*disk)), el("scaleFactor", int64(1)), el("fsUsedSize", 14872530944.0+float64(disk)), el("fsTotalSize", 52521566208.0))
}

func (c *client) collStats(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	docs := c.documents(q.database, name)
	return ok(el("ns", q.database+"."+name), el("size", count(size(docs))), el("count", count(len(docs))), el("avgObjSize", count(size(docs)/max(int64(len(docs)), 1))),
		el("storageSize", count(onDisk(docs))), el("freeStorageSize", int32(0)), el("capped", false), el("nindexes", int32(1)), el("indexBuilds", list{}),
		el("totalIndexSize", count(onDisk(docs))), el("totalSize", count(2*onDisk(docs))), el("indexSizes", doc{el("_id_", count(onDisk(docs)))}), el("scaleFactor", int32(1)))
}
