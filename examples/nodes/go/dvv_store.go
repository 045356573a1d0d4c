// A correct store that keeps siblings under dotted version vectors: a Maelstrom node of the dvv dialect.
//
//	go build -o target/dvv_store examples/nodes/go/dvv_store.go
//	sibcheck check --dialect dvv --bin target/dvv_store # also with --nodes 3
//
// A write supersedes the versions whose dots its client had seen and no others. Reading or writing a key sends
// its WHOLE sibling set to every peer, which merges it and answers with its own if the sender lacked something.
// There is no timer: a lost message is made good only by later traffic for its key. A crash forgets all.
package main

import (
	"bufio"
	"encoding/json"
	"os"
)

type message struct {
	Src, Dest string
	Body      struct {
		Type      string
		MsgID     any      `json:"msg_id"`
		InReplyTo any      `json:"in_reply_to"`
		NodeID    string   `json:"node_id"`
		NodeIDs   []string `json:"node_ids"`
		Key       *string
		Value     json.RawMessage // nil if there is none, "null" if it is null
		Context   vector
		Siblings  []version
	}
}

type object map[string]any
type vector map[string]uint64 // how many writes of each node have been seen

type version struct {
	Value   json.RawMessage
	Node    string
	Counter uint64 // with Node: the dot, which names this write
	Past    vector // what its client had seen
}

func (v version) dot() []any { return []any{v.Node, v.Counter} }

// seen joins the pasts and the dots of these versions, without zeros.
func seen(versions ...version) vector {
	joined := vector{}
	for _, v := range versions {
		for node, counter := range v.Past {
			if counter > joined[node] {
				joined[node] = counter
			}
		}
		if v.Counter > joined[v.Node] {
			joined[v.Node] = v.Counter
		}
	}
	return joined
}

// news returns the versions that are neither known nor superseded by a known one.
func news(versions, known []version) (fresh []version) {
next:
	for _, v := range versions {
		for _, old := range known {
			if old.Node == v.Node && old.Counter == v.Counter || old.Past[v.Node] >= v.Counter {
				continue next
			}
		}
		fresh = append(fresh, v)
	}
	return fresh
}

// merge returns the versions of both sets that no other one supersedes.
func merge(mine, theirs []version) []version {
	arrived := news(theirs, mine)
	return append(news(mine, arrived), arrived...)
}

type node struct {
	name  string // empty until init
	names []string
	store map[string][]version
	out   *json.Encoder
}

func (n *node) handle(m message) object {
	switch kind := m.Body.Type; {
	case kind == "init":
		n.name, n.names = m.Body.NodeID, m.Body.NodeIDs
		return object{"type": "init_ok"}
	case n.name == "":
		return object{"type": "error", "code": 11, "text": "this node waits for its init"}
	case kind != "dvv_update" && kind != "dvv_get" && kind != "replicate":
		return object{"type": "error", "code": 10, "text": kind + " is not known to this store"}
	case m.Body.Key == nil || kind == "dvv_update" && m.Body.Value == nil:
		return object{"type": "error", "code": 12, "text": kind + " lacks a key or a value"}
	}
	key, siblings := *m.Body.Key, n.store[*m.Body.Key]
	switch m.Body.Type {
	case "dvv_update":
		past := seen(version{Past: m.Body.Context})
		made := seen(siblings...)[n.name] // at this node, whether the client has seen it or not
		v := version{m.Body.Value, n.name, made + 1, past}
		n.store[key] = merge(siblings, []version{v})
		n.replicate(key, n.names...)
		return object{"type": "dvv_update_ok", "dot": v.dot(), "version_vector": past}
	case "dvv_get":
		values := []object{} // never null
		for _, v := range siblings {
			values = append(values, object{"value": v.Value, "dot": v.dot()})
		}
		n.replicate(key, n.names...)
		return object{"type": "dvv_get_ok", "values": values, "context": seen(siblings...)}
	}
	n.store[key] = merge(siblings, m.Body.Siblings)
	if news(n.store[key], m.Body.Siblings) != nil {
		n.replicate(key, m.Src)
	}
	return nil
}

func (n *node) replicate(key string, peers ...string) {
	body := object{"type": "replicate", "key": key, "siblings": n.store[key]}
	for _, peer := range peers {
		if peer != n.name {
			n.out.Encode(object{"src": n.name, "dest": peer, "body": body})
		}
	}
}

func main() {
	n := node{store: map[string][]version{}, out: json.NewEncoder(os.Stdout)}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<30)
	for msgID := 0; lines.Scan(); {
		var m message
		reply := object{"type": "error", "code": 12, "text": "the request is malformed"}
		if json.Unmarshal(lines.Bytes(), &m) == nil {
			reply = n.handle(m)
		}
		// Without a msg_id no answer is wanted, and what is an answer itself must never get one.
		if reply != nil && m.Body.MsgID != nil && m.Body.InReplyTo == nil {
			reply["in_reply_to"], reply["msg_id"] = m.Body.MsgID, msgID
			n.out.Encode(object{"src": m.Dest, "dest": m.Src, "body": reply})
			msgID++
		}
	}
}
