// Registers (lin-kv) for one node, which are kept in a log. With the word `unsynced` it is not synced before a
// change is acknowledged: all is there after a kill, and not after a loss of power.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

type message struct {
	Src  string                     `json:"src"`
	Dest string                     `json:"dest"`
	Body map[string]json.RawMessage `json:"body"`
}

type change struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

func main() {
	synced := len(os.Args) < 2 || os.Args[1] != "unsynced"
	path := filepath.Join(os.Getenv("SIBCHECK_DATA_DIR"), "log")
	values := map[string]json.RawMessage{}
	log, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		panic(err)
	}
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadBytes('\n')
		var read change
		// What was cut off was never acknowledged.
		if err != nil || json.Unmarshal(line, &read) != nil {
			break
		}
		values[read.Key] = read.Value
	}
	keep := func(key string, value json.RawMessage) {
		values[key] = value
		line, _ := json.Marshal(change{key, value})
		if _, err := log.Write(append(line, '\n')); err != nil {
			panic(err)
		}
		if synced {
			if err := log.Sync(); err != nil {
				panic(err)
			}
		}
	}
	name := ""
	out := bufio.NewWriter(os.Stdout)
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		var got message
		if err := json.Unmarshal(line, &got); err != nil {
			panic(err)
		}
		body := got.Body
		var kind string
		_ = json.Unmarshal(body["type"], &kind)
		key := string(body["key"])
		held, found := values[key]
		answer := map[string]any{"in_reply_to": body["msg_id"], "type": kind + "_ok"}
		fail := func(code int, text string) {
			answer["type"], answer["code"], answer["text"] = "error", code, text
		}
		switch {
		case kind == "init":
			_ = json.Unmarshal(body["node_id"], &name)
		case (kind == "read" || kind == "cas") && !found:
			fail(20, "no such key")
		case kind == "read":
			answer["value"] = held
		case kind == "write":
			keep(key, body["value"])
		case kind == "cas" && string(held) != string(body["from"]):
			fail(22, "it has another value")
		case kind == "cas":
			keep(key, body["to"])
		default:
			fail(10, "unknown")
		}
		text, _ := json.Marshal(map[string]any{"src": name, "dest": got.Src, "body": answer})
		fmt.Fprintf(out, "%s\n", text)
		out.Flush()
	}
}
