// A store that lives by a timer: a Maelstrom node of the vc dialect that gossips, correct or with a classic bug.
//
//	go build -o target/gossip_store examples/nodes/go/gossip_store.go
//	sibcheck check --nodes 3 --bin target/gossip_store
//	sibcheck check --nodes 3 --bin 'target/gossip_store -send-once' # is caught
//
// A write is kept at the node that gets it. At random times, every -period or so, each node sends all that it has to
// one of its peers, chosen at random, which merges it. With -send-once a node sends what has changed since it last
// sent, to all peers, and never again: one lost message is lost for ever. A crash forgets all.
package main

import (
	"bufio"
	crypto "crypto/rand"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sync"
	"time"
)

var (
	period   = flag.Duration("period", 300*time.Millisecond, "time between two rounds of gossip")
	sendOnce = flag.Bool("send-once", false, "the bug: changes are sent once, and never again")
)

type object map[string]any
type clock map[string]uint64
type sibling struct {
	Value json.RawMessage `json:"value"`
	VC    clock           `json:"vc"`
}

type message struct {
	Src, Dest string
	Body      struct {
		Type    string
		MsgID   any      `json:"msg_id"`
		NodeID  string   `json:"node_id"`
		NodeIDs []string `json:"node_ids"`
		Key     string
		Value   json.RawMessage
		Context clock
		Entries map[string][]sibling
	}
}

// covers says whether this clock has seen all that another has seen.
func (c clock) covers(other clock) bool {
	for actor, n := range other {
		if c[actor] < n {
			return false
		}
	}
	return true
}

// news returns the siblings that are neither known nor superseded by a known one.
func news(siblings, known []sibling) []sibling {
	fresh := []sibling{} // never null
next:
	for _, s := range siblings {
		for _, old := range known {
			if old.VC.covers(s.VC) {
				continue next
			}
		}
		fresh = append(fresh, s)
	}
	return fresh
}

// merge returns the siblings of both that no other one supersedes.
func merge(mine, theirs []sibling) []sibling {
	arrived := news(theirs, mine)
	return append(news(mine, arrived), arrived...)
}

type node struct {
	sync.Mutex
	name    string
	peers   []string
	store   map[string][]sibling
	changed map[string][]sibling // written here since it was last sent
	random  *rand.Rand
	out     *json.Encoder
}

func (n *node) handle(m message) object {
	key := m.Body.Key
	switch m.Body.Type {
	case "init":
		n.name = m.Body.NodeID
		for _, peer := range m.Body.NodeIDs {
			if peer != n.name {
				n.peers = append(n.peers, peer)
			}
		}
		if len(n.peers) > 0 {
			go n.gossip()
		}
		return object{"type": "init_ok"}
	case "vc_write":
		actor, vc := m.Src+"@"+n.name, clock{}
		for other, counter := range m.Body.Context {
			vc[other] = counter
		}
		for _, s := range n.store[key] {
			if s.VC[actor] > vc[actor] {
				vc[actor] = s.VC[actor]
			}
		}
		vc[actor]++
		n.store[key] = merge(n.store[key], []sibling{{m.Body.Value, vc}})
		n.changed[key] = n.store[key]
		return object{"type": "vc_write_ok", "key": key, "vc": vc}
	case "vc_read":
		return object{"type": "vc_read_ok", "values": merge(n.store[key], nil)}
	case "gossip":
		for key, siblings := range m.Body.Entries {
			n.store[key] = merge(n.store[key], siblings)
		}
		return nil
	}
	return object{"type": "error", "code": 10, "text": fmt.Sprintf("%q is not known to this store", m.Body.Type)}
}

func (n *node) gossip() {
	for {
		time.Sleep(time.Duration(float64(*period) * (0.5 + n.random.Float64())))
		n.Lock()
		entries, peers := n.store, []string{n.peers[n.random.Intn(len(n.peers))]}
		if *sendOnce {
			entries, peers = n.changed, n.peers
			n.changed = map[string][]sibling{}
		}
		for _, peer := range peers {
			if len(entries) > 0 {
				n.send(peer, object{"type": "gossip", "entries": entries})
			}
		}
		n.Unlock()
	}
}

func (n *node) send(dest string, body object) {
	n.out.Encode(object{"src": n.name, "dest": dest, "body": body})
}

func main() {
	flag.Parse()
	var seed int64
	binary.Read(crypto.Reader, binary.LittleEndian, &seed)
	n := node{
		store:   map[string][]sibling{},
		changed: map[string][]sibling{},
		random:  rand.New(rand.NewSource(seed)),
		out:     json.NewEncoder(os.Stdout),
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<30)
	for lines.Scan() {
		var m message
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			continue
		}
		n.Lock()
		reply := n.handle(m)
		if reply != nil && m.Body.MsgID != nil {
			reply["in_reply_to"] = m.Body.MsgID
			n.send(m.Src, reply)
		}
		n.Unlock()
	}
}
