#!/usr/bin/env python3
"""A small correct store that speaks vv, kv or mv: `dialects.py DIALECT [plain]`.

It numbers its own messages from 0, unless `plain` is given. It dies of a request that it does not
know, as half of all programs do.
"""

import json
import sys

DIALECT, PLAIN = sys.argv[1], len(sys.argv) > 2
STORE, SENT, ME = {}, 0, None


def as_map(clock):
    """A clock as a map; slots of an array are named by position."""
    return dict(enumerate(clock)) if isinstance(clock, list) else clock


def covers(one, other):
    one, other = as_map(one), as_map(other)
    return all(one.get(actor, 0) >= n for actor, n in other.items())


def join(key, value, field, clock):
    """Adds a sibling in place of what its clock covers; false when it is covered itself."""
    kept = [each for each in STORE.get(key, []) if not covers(clock, each[field])]
    if any(covers(each[field], clock) for each in kept):
        return False
    STORE[key] = kept + [{"value": value, field: clock}]
    return True


def advance(clock, actor, key, field):
    highest = [each[field].get(actor, 0) for each in STORE.get(key, [])]
    return {**clock, actor: max([clock.get(actor, 0)] + highest) + 1}


def answer(client, body):
    global ME
    kind, key = body["type"], body.get("key")
    values = STORE.get(key, [])
    if kind == "init":
        ME = body["node_id"]
        return {"type": "init_ok"}
    if kind == "vv_write" and DIALECT == "vv":
        clock = advance(body["context"], client, key, "vc")
        join(key, body["value"], "vc", clock)
        return {"type": "vv_write_ok", "vc": clock}
    if kind == "vv_read" and DIALECT == "vv":
        return {"type": "vv_read_ok", "values": values, "conflict": len(values) > 1}
    if kind == "kv_put" and DIALECT == "kv":
        if not join(key, body["value"], "clock", body["clock"]):
            return {"type": "error", "code": 22, "text": "the clock is stale"}
        siblings = len(STORE[key])
        if siblings == 1:
            return {"type": "kv_put_ok", "status": "written"}
        return {"type": "kv_put_ok", "status": "conflict", "siblings": siblings}
    if kind == "kv_resolve" and DIALECT == "kv":
        join(key, body["value"], "clock", body["clock"])
        return {"type": "kv_resolve_ok", "status": "resolved"}
    if kind == "kv_get" and DIALECT == "kv":
        return {"type": "kv_get_ok", "values": values}
    if kind == "mv_write" and DIALECT == "mv":
        joined = {}
        for each in values:
            for actor, n in each["vclock"].items():
                joined[actor] = max(joined.get(actor, 0), n)
        clock = advance(joined, ME, key, "vclock")
        join(key, body["value"], "vclock", clock)
        return {"type": "mv_write_ok", "vclock": clock}
    if kind == "mv_merge" and DIALECT == "mv":
        join(key, body["entry"]["value"], "vclock", body["entry"]["vclock"])
        return {"type": "mv_merge_ok"}
    if kind == "mv_read" and DIALECT == "mv":
        return {"type": "mv_read_ok", "values": values}
    return sys.exit(1)


for line in sys.stdin:
    message = json.loads(line)
    reply = answer(message["src"], message["body"])
    reply["in_reply_to"] = message["body"]["msg_id"]
    if not PLAIN:
        reply["msg_id"] = SENT
        SENT += 1
    print(json.dumps({"src": ME, "dest": message["src"], "body": reply}), flush=True)
