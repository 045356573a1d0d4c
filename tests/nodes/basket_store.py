#!/usr/bin/env python3
"""A store of the made-up dialect that examples/dialects/basket.toml describes. Receipts are opaque.

A receipt is the hexadecimal form of the writes seen. With --forget-receipts they are not looked at, and a
write replaces everything. With --show-deleted reads show deletes, by the mark that the client gave. With
--reap-deleted a delete is removed once it has been shown.
"""

import json
import sys

me, baskets, count = None, {}, 0


def receipt(seen):
    return json.dumps(sorted(seen)).encode().hex()


def store(body, client, content):
    global count
    count += 1
    seen = set(json.loads(bytes.fromhex(body["receipt"]))) if body.get("receipt") else set()
    versions = baskets.get(body["basket"], [])
    if "--forget-receipts" in sys.argv:
        versions = []
    kept = [version for version in versions if version["id"] not in seen]
    baskets[body["basket"]] = kept + [{"id": count, "content": content, "by": client, "mark": body.get("mark")}]


def look(basket):
    versions = baskets.get(basket, [])
    if "--show-deleted" in sys.argv:
        shown = [[v["content"] or v["mark"], v["by"], v["content"] is None] for v in versions]
    else:
        shown = [[v["content"], v["by"]] for v in versions if v["content"] is not None]
    answer = {"versions": shown, "receipt": receipt(v["id"] for v in versions)}
    if "--reap-deleted" in sys.argv:
        baskets[basket] = [v for v in versions if v["content"] is not None]
    return answer


for line in sys.stdin:
    message = json.loads(line)
    body = message["body"]
    kind = body["type"]
    answer = {"type": kind + "_ok", "in_reply_to": body["msg_id"]}
    if kind == "init":
        me = body["node_id"]
    elif kind == "look":
        answer["found"] = look(body["basket"])
    elif kind == "fill":
        store(body, message["src"], body["content"])
        answer["done"] = True
    elif kind == "empty":
        store(body, message["src"], None)
    else:
        sys.exit(1)
    print(json.dumps({"src": me, "dest": message["src"], "body": answer}), flush=True)
