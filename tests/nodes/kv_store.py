#!/usr/bin/env python3
"""A store of the `kv` dialect: the client makes the clock of its write, an array with a slot for each client.

With --drop-sibling a put replaces a concurrent sibling. With --alter-clock a second sibling's clock is
returned joined with the first's. With --refuse STATUS every third put is refused and not carried out: with
this status, or with an error for `error`; with --lie every put is refused so, and carried out all the same.
With --no-such-key reads of keys that nobody wrote are answered with an error.
"""

import json
import sys

refusal = sys.argv[sys.argv.index("--refuse") + 1] if "--refuse" in sys.argv else None
me, peers, store, puts = None, [], {}, 0


def covers(a, b):
    return all(x >= y for x, y in zip(a, b))


def add(key, entry):
    """True when the entry is new."""
    siblings = store.get(key, [])
    if any(covers(old["clock"], entry["clock"]) for old in siblings):
        return False
    left = [old for old in siblings if not covers(entry["clock"], old["clock"])]
    if "--drop-sibling" in sys.argv:
        left = left[1:]
    store[key] = left + [entry]
    return True


def shown(siblings):
    if "--alter-clock" in sys.argv and len(siblings) > 1:
        joined = [max(pair) for pair in zip(siblings[0]["clock"], siblings[1]["clock"])]
        return [siblings[0], {**siblings[1], "clock": joined}]
    return siblings


def put(body, done):
    global puts
    puts += 1
    entry = {"value": body["value"], "clock": body["clock"]}
    lie = "--lie" in sys.argv
    if refusal and (lie or puts % 3 == 0):
        if lie:
            add(body["key"], entry)
        if refusal == "error":
            return {"type": "error", "code": 22, "text": "stale"}
        return {"type": body["type"] + "_ok", "status": refusal}
    if not add(body["key"], entry):
        return {"type": body["type"] + "_ok", "status": "stale"}
    siblings = len(store[body["key"]])
    replicate(body["key"])
    if done == "written" and siblings > 1:
        return {"type": "kv_put_ok", "status": "conflict", "siblings": siblings}
    return {"type": body["type"] + "_ok", "status": done}


def replicate(key):
    for peer in peers:
        send(peer, {"type": "replicate", "key": key, "entries": store.get(key, [])})


def send(dest, body):
    print(json.dumps({"src": me, "dest": dest, "body": body}), flush=True)


for line in sys.stdin:
    message = json.loads(line)
    body, answer = message["body"], None
    kind = body["type"]
    if kind == "init":
        me, peers = body["node_id"], [peer for peer in body["node_ids"] if peer != body["node_id"]]
        answer = {"type": "init_ok"}
    elif kind == "kv_put":
        answer = put(body, "written")
    elif kind == "kv_resolve":
        answer = put(body, "resolved")
    elif kind == "kv_get":
        answer = {"type": "kv_get_ok", "values": shown(store.get(body["key"], []))}
        if "--no-such-key" in sys.argv and body["key"] not in store:
            answer = {"type": "error", "code": 20, "text": "no such key"}
        replicate(body["key"])
    elif kind == "replicate":
        for entry in body["entries"]:
            add(body["key"], entry)
        known = [entry["clock"] for entry in body["entries"]]
        if any(entry["clock"] not in known for entry in store.get(body["key"], [])):
            send(message["src"], {"type": "replicate", "key": body["key"], "entries": store[body["key"]]})
    else:
        sys.exit(1)
    if answer:
        send(message["src"], {**answer, "in_reply_to": body["msg_id"]})
