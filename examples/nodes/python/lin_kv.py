#!/usr/bin/env python3
"""A linearizable key-value store with one primary: a Maelstrom node of the `lin-kv` workload.

    sibcheck check --nodes 3 --bin 'python3 examples/nodes/python/lin_kv.py'
    sibcheck check --nodes 3 --bin 'python3 examples/nodes/python/lin_kv.py --stale'  # is caught

The first of the nodes is the primary. It alone holds the data and decides all requests, one after
the other; the order in which it does so is the order of the store. Every other node forwards what
it is asked to the primary, and passes on the answer. While the primary is down or cut off nobody is
answered: this store is consistent and not available (raft_kv.py is what to do about that).

A crash loses nothing: the primary appends what it decides to a file in its working folder, and does
not answer before that is on the disk. The network may deliver a forwarded request twice: the same
file tells which ones were decided, and how.

With --stale the other nodes answer reads from a copy. The primary sends them each change, but it
does not wait until they have it, so a read may miss a write that was acknowledged before it began.
"""

import argparse
import json
import os
import sys

FIELDS = {"read": ["key"], "write": ["key", "value"], "cas": ["key", "from", "to"]}


def text(value):
    """One text for what is equal in JSON. To Python 1 == True; and 1 and "1" are two keys."""
    return json.dumps(value, sort_keys=True)


def error(code, why):
    return {"type": "error", "code": code, "text": why}


class Node:
    def __init__(self, stale):
        self.stale = stale
        self.name, self.primary, self.others = None, None, []  # until init
        self.store = {}  # text of a key -> value: at the primary the data, elsewhere the copy
        self.decided = {}  # id of a forwarded write or cas -> its answer, at the primary
        self.asked = {}  # id of a forwarded request -> client and msg_id, until it is answered
        self.count = 0

    def init(self, body):
        self.primary = body["node_ids"][0]
        self.others = [node for node in body["node_ids"] if node != self.primary]
        # Ids must differ from those before a crash, or an old answer would be taken for a new one:
        # they hold how often this node was started, which is the size of a file.
        with open(f"lin_kv-{self.name}.starts", "ab") as starts:
            starts.write(b".")
            starts.flush()
            os.fsync(starts)
            self.starts = starts.tell()
        if self.name == self.primary:
            self.open_log()
        return {"type": "init_ok"}

    def open_log(self):
        self.log = open(f"lin_kv-{self.name}.log", "a+b")
        self.log.seek(0)
        content = self.log.read()
        # A crash while a line was written leaves the line without its end. It was never answered.
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self.learn(json.loads(line))
        self.log.truncate(len(whole))
        # What was read may not be on the disk yet, if the crash came between write and fsync; a
        # read may answer it from now on, so it has to be. The same for the name of the file.
        os.fsync(self.log)
        os.fsync(os.open(".", os.O_RDONLY))

    def learn(self, record):
        if "key" in record:
            self.store[text(record["key"])] = record["value"]
        if record["id"] is not None:
            self.decided[record["id"]] = record["answer"]

    def request(self, client, body):
        """What a client asks. None if the answer comes later."""
        missing = [field for field in FIELDS[body["type"]] if field not in body]
        if missing:
            return error(12, f"{missing[0]!r} has to be there")
        if self.name == self.primary or (self.stale and body["type"] == "read"):
            return self.decide(None, body)
        self.count += 1
        id = f"{self.name}-{self.starts}-{self.count}"
        self.asked[id] = client, body.get("msg_id")
        self.send(self.primary, {"type": "forward", "id": id, "request": body})

    def decide(self, id, request):
        """What the primary answers. A request without an id comes from one of its own clients."""
        # The second copy of a message gets the first one's answer, be it a refusal: a cas must not
        # succeed after its client may have been told that it failed. Reads may be done again.
        if id in self.decided:
            return self.decided[id]
        kind, key, missing = request["type"], text(request["key"]), error(20, "no such key")
        if kind == "read":
            return {"type": "read_ok", "value": self.store[key]} if key in self.store else missing
        record = {"id": id, "answer": {"type": f"{kind}_ok"}}
        if kind == "write":
            record.update(key=request["key"], value=request["value"])
        elif key not in self.store:
            record["answer"] = missing
        elif text(self.store[key]) != text(request["from"]):
            record["answer"] = error(22, f"the value is {text(self.store[key])}")
        else:
            record.update(key=request["key"], value=request["to"])
        self.log.write(json.dumps(record).encode() + b"\n")
        self.log.flush()
        os.fsync(self.log)  # before anybody may hear of it
        self.learn(record)
        for node in self.others if self.stale and "key" in record else []:
            self.send(node, {"type": "copy", "key": record["key"], "value": record["value"]})
        return record["answer"]

    def receive(self, message):
        source, body, self.name = message["src"], message["body"], message["dest"]
        kind, answer = body["type"], None
        if kind == "init":
            answer = self.init(body)
        elif self.primary is None:  # nothing was done, so the client may be told that nothing was
            answer = error(11, "this node waits for its init") if kind in FIELDS else None
        elif kind in FIELDS:
            answer = self.request(source, body)
        elif kind == "forward":
            decision = self.decide(body["id"], body["request"])
            self.send(source, {"type": "decision", "id": body["id"], "answer": decision})
        elif kind == "decision":
            if body["id"] in self.asked:  # else it is a second copy, or meant for before a crash
                self.answer(*self.asked.pop(body["id"]), body["answer"])
        elif kind == "copy":
            self.store[text(body["key"])] = body["value"]
        else:
            answer = error(10, f"{kind!r} is not known to this store")
        if answer:
            self.answer(source, body.get("msg_id"), answer)

    def answer(self, client, msg_id, answer):
        if msg_id is not None:
            self.send(client, {**answer, "in_reply_to": msg_id})

    def send(self, dest, body):
        print(json.dumps({"src": self.name, "dest": dest, "body": body}), flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--stale", action="store_true", help="the bug: reads from copies")
    node = Node(options.parse_args().stale)
    for line in sys.stdin.buffer:
        node.receive(json.loads(line))
