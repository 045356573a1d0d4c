#!/usr/bin/env python3
"""A vc store for several nodes that drops the part of a context which its coordinator has not received yet.

Every write is sent to all peers at once. With --keep contexts are taken as they come, and the store is correct.
"""

import json
import sys

keep = "--keep" in sys.argv
me, peers, store, known, count = None, [], {}, {}, 0


def covers(clock, other):
    return all(clock.get(name, 0) >= made for name, made in other.items())


def add(key, value, clock):
    siblings = store.setdefault(key, [])
    for name, made in clock.items():
        known[key, name] = max(known.get((key, name), 0), made)
    if any(covers(sibling["vc"], clock) for sibling in siblings):
        return
    kept = [sibling for sibling in siblings if not covers(clock, sibling["vc"])]
    store[key] = kept + [{"value": value, "vc": clock}]


def send(dest, body):
    print(json.dumps({"src": me, "dest": dest, "body": body}), flush=True)


def write(client, body):
    key, context = body["key"], dict(body.get("context") or {})
    if not keep:
        context = {name: min(made, known.get((key, name), 0)) for name, made in context.items()}
    actor = client + "@" + me
    context = {name: made for name, made in context.items() if made > 0}
    context[actor] = max(known.get((key, actor), 0), context.get(actor, 0)) + 1
    add(key, body["value"], context)
    for peer in peers:
        send(peer, {"type": "copy", "key": key, "siblings": store[key]})
    return context


for line in sys.stdin:
    message = json.loads(line)
    body, kind = message["body"], message["body"]["type"]
    if kind == "copy":
        for sibling in body["siblings"]:
            add(body["key"], sibling["value"], sibling["vc"])
        continue
    if kind == "init":
        me = body["node_id"]
        peers = [node for node in body["node_ids"] if node != me]
        answer = {"type": "init_ok"}
    elif kind == "vc_read":
        answer = {"type": "vc_read_ok", "values": store.get(body["key"], [])}
    elif kind == "vc_write":
        answer = {"type": "vc_write_ok", "vc": write(message["src"], body)}
    else:
        answer = {"type": "error", "code": 10, "text": "not known here"}
    answer["in_reply_to"] = body["msg_id"]
    send(message["src"], answer)
