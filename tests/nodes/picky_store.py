#!/usr/bin/env python3
"""A correct vc store on one node that is particular about keys and values, as its flags say.

What it does not take:  --refuse-empty  --drop-nulls  --round-floats  --normalise-values  --die-on-long  --hang-on-paths
What it confuses:       --fold-case  --normalise-keys  --trim  --cut-keys  --same-prefix  --equal-numbers
"""

import json
import os
import sys
import unicodedata

flags = sys.argv[1:]
me, store = None, {}


def slot(key):
    if "--fold-case" in flags:
        key = key.lower()
    if "--normalise-keys" in flags:
        key = unicodedata.normalize("NFC", key)
    if "--trim" in flags:
        key = key.strip()
    if "--cut-keys" in flags:
        key = key[:255]
    if "--same-prefix" in flags:
        # A scan of all that begins with the key, which takes the first.
        key = min((other for other in store if other.startswith(key)), default=key)
    return key


def same(one, other):
    if "--equal-numbers" in flags:
        return str(one).removesuffix(".0") == str(other).removesuffix(".0")
    return False


def changed(value):
    if "--round-floats" in flags and isinstance(value, float):
        return int(value)
    if "--normalise-values" in flags and isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    return value


def covers(clock, other):
    return all(clock.get(name, 0) >= count for name, count in other.items())


def handle(client, body):
    kind = body["type"]
    if kind == "vc_read":
        return {"type": "vc_read_ok", "values": store.get(slot(body["key"]), [])}
    if kind != "vc_write":
        return {"type": "error", "code": 10, "text": "not known here"}
    key, value = body["key"], body["value"]
    if "--refuse-empty" in flags and key == "":
        return {"type": "error", "code": 12, "text": "no key"}
    if "--die-on-long" in flags and isinstance(value, str) and len(value) > 4096:
        os._exit(3)
    if "--hang-on-paths" in flags and "/" in key:
        return None
    key = slot(key)
    siblings = store.setdefault(key, [])
    clock = dict(body.get("context") or {})
    clock[client] = max([clock.get(client, 0)] + [s["vc"].get(client, 0) for s in siblings]) + 1
    kept = [s for s in siblings if not covers(clock, s["vc"]) and not same(s["value"], value)]
    if not ("--drop-nulls" in flags and value is None):
        kept.append({"value": changed(value), "vc": clock})
    store[key] = kept
    return {"type": "vc_write_ok", "vc": clock}


for line in sys.stdin:
    message = json.loads(line)
    body = message["body"]
    if body["type"] == "init":
        me = body["node_id"]
        answer = {"type": "init_ok"}
    else:
        answer = handle(message["src"], body)
    if answer is not None:
        answer["in_reply_to"] = body["msg_id"]
        print(json.dumps({"src": me, "dest": message["src"], "body": answer}), flush=True)
