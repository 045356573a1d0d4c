#!/usr/bin/env python3
"""A vc store for one node that keeps what it acknowledges in a file, and reads it when it starts.
With --reply-first it answers before it writes the file: a crash between the two loses an acknowledged write."""
import json, os, sys

reply_first = "--reply-first" in sys.argv
path = os.path.join(os.environ["SIBCHECK_DATA_DIR"], "log")
name, store = None, {}


def covers(clock, other):
    return all(clock.get(actor, 0) >= n for actor, n in other.items())


def apply(key, value, clock):
    siblings = [each for each in store.get(key, []) if not covers(clock, each["vc"])]
    store[key] = siblings + [{"value": value, "vc": clock}]


def send(dest, body):
    sys.stdout.write(json.dumps({"src": name, "dest": dest, "body": body}) + "\n")
    sys.stdout.flush()


if os.path.exists(path):
    with open(path) as log:
        for line in log:
            # What was cut off was never acknowledged.
            if line.endswith("\n"):
                apply(*json.loads(line))
log = open(path, "a")
for line in sys.stdin:
    message = json.loads(line)
    client, body = message["src"], message["body"]
    answer = {"in_reply_to": body.get("msg_id")}
    if body["type"] == "init":
        name = body["node_id"]
        send(client, {**answer, "type": "init_ok"})
    elif body["type"] == "vc_read":
        send(client, {**answer, "type": "vc_read_ok", "values": store.get(body["key"], [])})
    elif body["type"] == "vc_write":
        key, context = body["key"], body.get("context") or {}
        clocks = [context, *(each["vc"] for each in store.get(key, []))]
        clock = {**context, client: 1 + max(clock.get(client, 0) for clock in clocks)}
        written = {**answer, "type": "vc_write_ok", "key": key, "vc": clock}
        if reply_first:
            send(client, written)
        log.write(json.dumps([key, body["value"], clock]) + "\n")
        log.flush()
        os.fsync(log.fileno())
        apply(key, body["value"], clock)
        if not reply_first:
            send(client, written)
    else:
        send(client, {**answer, "type": "error", "code": 10})
