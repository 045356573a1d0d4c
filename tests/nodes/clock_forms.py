#!/usr/bin/env python3
"""Correct stores that write clocks in one form and read contexts in no other.

    clock_forms.py vc|dvv object|array|pair|pairs|opaque

`vc` advances the client's entry, alone on one node. `dvv` keeps dots and the events seen, and replicates.
A context in a foreign form ends the node.
"""

import json
import sys

dialect, form = sys.argv[1:3]
me, names, store = None, [], {}


def write_clock(clock):
    pairs = sorted(clock.items())
    if form == "array":
        return [clock.get(name, 0) for name in names]
    if form == "pairs" or form == "pair" and len(pairs) != 1:
        return [[name, count] for name, count in pairs]
    if form == "pair":
        return list(pairs[0])
    return json.dumps(clock, sort_keys=True).encode().hex() if form == "opaque" else clock


def read_clock(json_clock):
    if not json_clock:  # a blind write, before any clock was seen
        return {}
    if form == "opaque":
        return json.loads(bytes.fromhex(json_clock))
    if form == "object":
        return dict(json_clock.items())
    if form == "array":
        assert len(json_clock) == len(names) and all(type(count) is int for count in json_clock), json_clock
        return {name: count for name, count in zip(names, json_clock) if count}
    assert type(json_clock) is list, json_clock
    pairs = [json_clock] if type(json_clock[0]) is str else json_clock
    assert form == "pair" or pairs is json_clock, json_clock
    return {name: count for name, count in pairs}


def covers(a, b):
    return all(a.get(name, 0) >= count for name, count in b.items())


def join(a, b):
    return {name: max(a.get(name, 0), b.get(name, 0)) for name in {*a, *b}}


def vc_write(client, body):
    siblings, clock = store.get(body["key"], []), read_clock(body["context"])
    clock[client] = 1 + max(each.get(client, 0) for each in [clock, *(clock for _, clock in siblings)])
    kept = [(value, old) for value, old in siblings if not covers(clock, old)]
    store[body["key"]] = kept + [(body["value"], clock)]
    return {"vc": write_clock(clock)}


def vc_read(_client, body):
    siblings = store.get(body["key"], [])
    answer = {"values": [{"value": value, "vc": write_clock(clock)} for value, clock in siblings]}
    if form == "opaque":
        everything = {}
        for _, clock in siblings:
            everything = join(everything, clock)
        answer["context"] = write_clock(everything)
    return answer


def dvv_update(_client, body):
    entries, seen = store.get(body["key"], ({}, {}))
    context = read_clock(body["context"])
    count = max(seen.get(me, 0), context.get(me, 0)) + 1
    kept = {dot: value for dot, value in entries.items() if not covers(context, {dot[0]: dot[1]})}
    kept[(me, count)] = body["value"]
    store[body["key"]] = (kept, {**join(seen, context), me: count})
    replicate(body["key"], [name for name in names if name != me])
    return {"dot": [me, count], "version_vector": write_clock(context)}


def dvv_get(_client, body):
    entries, seen = store.get(body["key"], ({}, {}))
    replicate(body["key"], [name for name in names if name != me])
    values = [{"value": value, "dot": list(dot)} for dot, value in sorted(entries.items())]
    return {"values": values, "context": write_clock(seen)}


def replicate(key, peers):
    entries, seen = store.get(key, ({}, {}))
    listed = [[*dot, value] for dot, value in sorted(entries.items())]
    for peer in peers:
        send(peer, {"type": "replicate", "key": key, "entries": listed, "seen": seen})


def receive(sender, body):
    (mine, seen), theirs = store.get(body["key"], ({}, {})), {(n, c): value for n, c, value in body["entries"]}
    both = {dot: value for dot, value in mine.items() if dot in theirs or not covers(body["seen"], dict([dot]))}
    both.update({dot: value for dot, value in theirs.items() if dot in mine or not covers(seen, dict([dot]))})
    store[body["key"]] = (both, join(seen, body["seen"]))
    if not covers(body["seen"], seen):
        replicate(body["key"], [sender])


def send(dest, body):
    print(json.dumps({"src": me, "dest": dest, "body": body}), flush=True)


handlers = {"vc": [vc_write, vc_read], "dvv": [dvv_update, dvv_get]}[dialect]
for line in sys.stdin:
    message = json.loads(line)
    body, client = message["body"], message["src"]
    if body["type"] == "init":
        me, names = body["node_id"], body["node_ids"]
        send(client, {"type": "init_ok", "in_reply_to": body["msg_id"]})
    elif body["type"] == "replicate":
        receive(client, body)
    else:
        handler = next(each for each in handlers if each.__name__ == body["type"])
        send(client, {"type": body["type"] + "_ok", "in_reply_to": body["msg_id"], **handler(client, body)})
