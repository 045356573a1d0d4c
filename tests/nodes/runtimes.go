// A correct vc store that gossips every -period, of many goroutines: tickers, contexts, a pool, and a select with time-outs.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"math/rand"
	"os"
	"sync"
	"time"
)

type clock map[string]int
type sibling struct {
	Value json.RawMessage `json:"value"`
	VC    clock           `json:"vc"`
}
type object map[string]any
type message struct {
	Src  string
	Body struct {
		Type    string
		MsgID   any      `json:"msg_id"`
		NodeID  string   `json:"node_id"`
		NodeIDs []string `json:"node_ids"`
		Key     string
		Value   json.RawMessage
		Context clock
		DB      map[string][]sibling
	}
}

var (
	period  = flag.Duration("period", 200*time.Millisecond, "time between two rounds of gossip")
	me      string
	peers   []string
	db      = map[string][]sibling{}
	counter = map[string]int{}
	lock    sync.Mutex
	outbox  = make(chan []byte, 100)
)

func covers(a, b clock) bool {
	for k, v := range b {
		if a[k] < v {
			return false
		}
	}
	return true
}

func add(key string, s sibling) {
	kept := []sibling{}
	for _, o := range db[key] {
		if covers(o.VC, s.VC) {
			return
		}
		if !covers(s.VC, o.VC) {
			kept = append(kept, o)
		}
	}
	db[key] = append(kept, s)
}

type saved struct {
	DB      map[string][]sibling
	Counter map[string]int
}

func file() string { return os.Getenv("SIBCHECK_DATA_DIR") + "/db" }

func load() {
	if text, err := os.ReadFile(file()); err == nil {
		s := saved{}
		if json.Unmarshal(text, &s) != nil {
			panic("the file is damaged")
		}
		db, counter = s.DB, s.Counter
	}
}

func save() {
	text, _ := json.Marshal(saved{db, counter})
	f, err := os.Create(file() + ".new")
	if err == nil {
		f.Write(text)
		f.Sync()
		f.Close()
		err = os.Rename(file()+".new", file())
	}
	if err != nil {
		panic(err)
	}
}

func send(dest string, body object) {
	line, _ := json.Marshal(object{"src": me, "dest": dest, "body": body})
	outbox <- append(line, '\n')
}

func handle(m message) {
	lock.Lock()
	defer lock.Unlock()
	b := m.Body
	reply := func(body object) { body["in_reply_to"] = b.MsgID; send(m.Src, body) }
	switch b.Type {
	case "init":
		me = b.NodeID
		for _, n := range b.NodeIDs {
			if n != me {
				peers = append(peers, n)
			}
		}
		for i := range peers {
			go gossip(i)
		}
		reply(object{"type": "init_ok"})
	case "vc_write":
		actor := m.Src + "@" + me
		n := counter[b.Key+" "+actor]
		if n < b.Context[actor] {
			n = b.Context[actor]
		}
		n++
		counter[b.Key+" "+actor] = n
		vc := clock{actor: n}
		for k, v := range b.Context {
			if k != actor {
				vc[k] = v
			}
		}
		add(b.Key, sibling{b.Value, vc})
		save()
		reply(object{"type": "vc_write_ok", "key": b.Key, "vc": vc})
	case "vc_read":
		values := db[b.Key]
		if values == nil {
			values = []sibling{}
		}
		reply(object{"type": "vc_read_ok", "values": values})
	case "all":
		for k, siblings := range b.DB {
			for _, s := range siblings {
				add(k, s)
			}
		}
		save()
	default:
		reply(object{"type": "error", "code": 10, "text": "what is " + b.Type})
	}
}

// gossip sends to one peer, by a ticker; and by a context that ends.
func gossip(peer int) {
	rand.Seed(time.Now().UnixNano() + int64(peer))
	ticker := time.NewTicker(*period)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.Int63n(int64(2**period))))
		select {
		case <-ticker.C:
		case <-ctx.Done():
			time.Sleep(*period / 10)
		}
		cancel()
		lock.Lock()
		if len(db) > 0 {
			send(peers[peer], object{"type": "all", "db": db})
		}
		lock.Unlock()
	}
}

func main() {
	flag.Parse()
	load()
	go func() {
		for line := range outbox {
			os.Stdout.Write(line)
		}
	}()
	inbox := make(chan message)
	for i := 0; i < 50; i++ {
		go func() {
			for {
				select {
				case m := <-inbox:
					handle(m)
				case <-time.After(*period * 20):
				}
			}
		}()
	}
	scanner := bufio.NewScanner(os.Stdin)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		var m message
		if json.Unmarshal(scanner.Bytes(), &m) == nil {
			inbox <- m
		}
	}
}
