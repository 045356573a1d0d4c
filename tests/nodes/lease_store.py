#!/usr/bin/env python3
"""Leases on one node, in the words of examples/dialects/lease.toml: VALID.

VIOLATED with --keeps-released, where a lease that was released is still held, and with --ignores-from, where
it is handed over whoever holds it.
"""

import json
import sys

keeps, ignores = "--keeps-released" in sys.argv, "--ignores-from" in sys.argv
held = {}
for line in sys.stdin:
    message = json.loads(line)
    body = message["body"]
    kind, lease = body["type"], body.get("lease")
    answer = {"type": f"{kind}_ok"}
    if kind == "holder":
        answer["holder"] = held.get(lease)
    elif kind == "assign":
        held[lease] = body["to"]
    elif kind == "hand-over":
        same = json.dumps(held.get(lease)) == json.dumps(body["from"])
        answer["done"] = same or ignores
        if answer["done"]:
            held[lease] = body["to"]
    elif kind == "release":
        if lease in held and not keeps:
            del held[lease]
    elif kind != "init":
        answer = {"type": "error", "code": 10}
    answer["in_reply_to"] = body["msg_id"]
    print(json.dumps({"src": message["dest"], "dest": message["src"], "body": answer}), flush=True)
