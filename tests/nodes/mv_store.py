#!/usr/bin/env python3
"""A store of the `mv` dialect: a write supersedes what its own node holds, and replicas merge.

Every write and read sends the key's entries to all peers, one `mv_merge` each; a peer that has more sends
it back. With --last-writer-wins a merge replaces what the node held; with --keep-old a write adds to it.
"""

import json
import sys

me, peers, store = None, [], {}


def covers(a, b):
    return all(a.get(name, 0) >= count for name, count in b.items())


def merge(key, entry):
    """True when the sender may lack something: what was said is new here, or superseded."""
    siblings = store.get(key, [])
    for old in siblings:
        if covers(old["vclock"], entry["vclock"]):
            return old["vclock"] != entry["vclock"]
    left = [old for old in siblings if not covers(entry["vclock"], old["vclock"])]
    store[key] = ([] if "--last-writer-wins" in sys.argv else left) + [entry]
    return len(store[key]) > 1


def write(key, value):
    vclock = {}
    for old in store.get(key, []):
        for name, count in old["vclock"].items():
            vclock[name] = max(vclock.get(name, 0), count)
    vclock[me] = vclock.get(me, 0) + 1
    old = store.get(key, []) if "--keep-old" in sys.argv else []
    store[key] = old + [{"value": value, "vclock": vclock}]
    return vclock


def replicate(key, to):
    for peer in to:
        for entry in store.get(key, []):
            send(peer, {"type": "mv_merge", "key": key, "entry": entry})


def send(dest, body):
    print(json.dumps({"src": me, "dest": dest, "body": body}), flush=True)


for line in sys.stdin:
    message = json.loads(line)
    body, answer = message["body"], None
    kind = body["type"]
    if kind == "init":
        me, peers = body["node_id"], [peer for peer in body["node_ids"] if peer != body["node_id"]]
        answer = {"type": "init_ok"}
    elif kind == "mv_write":
        answer = {"type": "mv_write_ok", "vclock": write(body["key"], body["value"])}
        replicate(body["key"], peers)
    elif kind == "mv_read":
        answer = {"type": "mv_read_ok", "values": store.get(body["key"], [])}
        replicate(body["key"], peers)
    elif kind == "mv_merge":
        if merge(body["key"], body["entry"]):
            replicate(body["key"], [message["src"]])
    else:
        sys.exit(1)
    if answer:
        send(message["src"], {**answer, "in_reply_to": body["msg_id"]})
