package mongodb

import (
	"encoding/binary"
	"slices"
	"strings"
)

func (c *client) insert(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	given, _ := q.body.get("documents").(list)
	if len(given) == 0 {
		return failure(16, "InvalidLength", "Write batch sizes must be between 1 and 100000. Got 0 operations.")
	}
	docs := slices.Clone(c.documents(q.database, name))
	for i, v := range given {
		d, _ := v.(doc)
		if _, has := d.lookup("_id"); !has {
			d = append(doc{el("_id", c.newID(i))}, d...)
		}
		if len(docs) < maxDocuments && c.room(d) {
			docs = append(docs, d)
		}
	}
	c.keep(q.database, name, docs)
	return ok(el("n", count(len(given))))
}

// newID makes an ObjectId.
func (c *client) newID(i int) objectID {
	id := objectID(c.host.Derive("mongodb id "+c.conn.ID, 12))
	binary.BigEndian.PutUint32(id[:], uint32(c.conn.Now().Unix()))
	n := c.lastID<<10 + uint32(i)
	id[9], id[10], id[11] = byte(n>>16), byte(n>>8), byte(n)
	return id
}

// update changes what matches. A change by a pipeline is acknowledged only.
func (c *client) update(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	var n, modified int
	upserted := list{}
	updates := clauses(q.body.get("updates"))
	for i, u := range updates[:min(len(updates), maxSteps)] {
		change, isDoc := u.get("u").(doc)
		matched := c.change(q.database, name, u.sub("q"), u.truth("multi"), func(d doc) doc {
			if !isDoc {
				return d
			}
			return changed(d, change)
		})
		n += matched
		modified += matched
		if matched == 0 && u.truth("upsert") && isDoc {
			d := changed(seed(u.sub("q")), change)
			if _, has := d.lookup("_id"); !has {
				d = append(doc{el("_id", c.newID(i))}, d...)
			}
			if c.room(d) {
				c.keep(q.database, name, append(slices.Clone(c.documents(q.database, name)), d))
			}
			n++
			upserted = append(upserted, doc{el("index", count(i)), el("_id", d.get("_id"))})
		}
	}
	answer := doc{el("n", count(n)), el("nModified", count(modified))}
	if len(upserted) > 0 {
		answer = append(answer, el("upserted", upserted))
	}
	return ok(answer...)
}

// seed is what a new document has from the filter that didn't find it.
func seed(filter doc) doc {
	var d doc
	for _, e := range filter {
		if _, nested := e.value.(doc); !nested && !strings.HasPrefix(e.key, "$") {
			d = append(d, e)
		}
	}
	return d
}

// change puts documents in place of those that match, and returns how many.
func (c *client) change(database, name string, filter doc, all bool, by func(doc) doc) int {
	docs := c.documents(database, name)
	n := 0
	for i, d := range docs {
		if !matches(d, filter) {
			continue
		}
		if n == 0 {
			docs = slices.Clone(docs)
		}
		n++
		if !c.full {
			if with := by(d); c.room(with) {
				docs[i] = with
			}
		}
		if !all {
			break
		}
	}
	if n > 0 {
		c.keep(database, name, docs)
	}
	return n
}

// changed applies the operators $set, $unset and $inc to the fields of a document
// itself, or takes another document in its place. It leaves d as it is.
func changed(d, by doc) doc {
	if len(by) == 0 || !strings.HasPrefix(by[0].key, "$") {
		id, has := d.lookup("_id")
		if _, own := by.lookup("_id"); own || !has {
			return by
		}
		return append(doc{el("_id", id)}, by...)
	}
	d = slices.Clone(d)
	for _, operator := range by {
		fields, _ := operator.value.(doc)
		for _, f := range fields {
			at := slices.IndexFunc(d, func(e element) bool { return e.key == f.key })
			switch {
			case operator.key == "$unset" && at >= 0:
				d = slices.Delete(d, at, at+1)
			case operator.key == "$inc" && at >= 0:
				a, _ := asNumber(d[at].value)
				b, _ := asNumber(f.value)
				d[at].value = a + b
			case operator.key == "$set" && at >= 0:
				d[at].value = f.value
			case operator.key == "$set", operator.key == "$inc", operator.key == "$setOnInsert":
				d = append(d, f)
			}
		}
	}
	return d
}

func (c *client) remove(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	n := 0
	deletes := clauses(q.body.get("deletes"))
	for _, del := range deletes[:min(len(deletes), maxSteps)] {
		n += c.deleteThose(q.database, name, del.sub("q"), del.number("limit"))
	}
	return ok(el("n", count(n)))
}

// deleteThose deletes what matches, up to a limit; 0 is none.
func (c *client) deleteThose(database, name string, filter doc, limit int64) int {
	docs := c.documents(database, name)
	var kept []doc
	for i, d := range docs {
		if limit > 0 && int64(i-len(kept)) >= limit || !matches(d, filter) {
			kept = append(kept, d)
		}
	}
	if len(kept) < len(docs) {
		c.keep(database, name, kept)
	}
	return len(docs) - len(kept)
}

func (c *client) findAndModify(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	filter := q.body.sub("query")
	found := c.those(q.database, name, filter)
	if len(found) == 0 {
		return ok(el("lastErrorObject", doc{el("n", int32(0)), el("updatedExisting", false)}), el("value", nil))
	}
	value := found[0]
	last := doc{el("n", int32(1))}
	if q.body.truth("remove") {
		c.deleteThose(q.database, name, filter, 1)
	} else {
		last = append(last, el("updatedExisting", true))
		with := changed(value, q.body.sub("update"))
		c.change(q.database, name, filter, false, func(doc) doc { return with })
		if q.body.truth("new") {
			value = with
		}
	}
	return ok(el("lastErrorObject", last), el("value", value))
}

func (c *client) create(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	if _, there := c.databases[q.database][name]; there {
		return failure(48, "NamespaceExists", "Collection "+q.database+"."+name+" already exists.")
	}
	c.keep(q.database, name, nil)
	return ok()
}

func (c *client) createIndexes(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	_, there := c.databases[q.database][name]
	if !there {
		c.keep(q.database, name, nil)
	}
	more, _ := q.body.get("indexes").(list)
	return ok(el("numIndexesBefore", int32(1)), el("numIndexesAfter", count(1+len(more))), el("createdCollectionAutomatically", !there))
}

func (c *client) drop(q *request) doc {
	name, refusal := collection(q)
	if refusal != nil {
		return refusal
	}
	if _, there := c.databases[q.database][name]; !there {
		if c.release() >= 700 {
			return ok()
		}
		return failure(26, "NamespaceNotFound", "ns not found")
	}
	delete(c.databases[q.database], name)
	if len(c.databases[q.database]) == 0 {
		delete(c.databases, q.database)
	}
	return ok(el("nIndexesWas", int32(1)), el("ns", q.database+"."+name))
}

func (c *client) dropDatabase(q *request) doc {
	if _, there := c.databases[q.database]; !there {
		return ok()
	}
	delete(c.databases, q.database)
	return ok(el("dropped", q.database))
}
