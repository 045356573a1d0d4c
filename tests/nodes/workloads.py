#!/usr/bin/env python3
"""Correct nodes of Maelstrom's standard workloads: `workloads.py WORKLOAD [service]`.

Each dies of a request that is not of its workload, as half of all programs do. With `service` a counter keeps
its sum in seq-kv and answers once that has.
"""

import json
import sys

workload, service = sys.argv[1], "service" in sys.argv
me, seen, total, logs, registers = None, [], 0, {}, {}


def transact(operations):
    done = []
    for kind, key, value in operations:
        if kind == "r":
            value = registers.get(key)
        elif kind == "append" and workload == "txn-list-append":
            registers[key] = registers.get(key, []) + [value]
        elif kind == "w" and workload == "txn-rw-register":
            registers[key] = value
        else:
            sys.exit(f"there is no {kind}")
        done.append([kind, key, value])
    return {"txn": done}


def answer(body):
    """The fields of the answer to a request of the workload; None for any other."""
    global total
    match workload, body["type"]:
        case "echo", "echo":
            return {"echo": body["echo"]}
        case "unique-ids", "generate":
            return {"id": f"{me}-{body['msg_id']}"}
        case "broadcast", "topology":
            return {}
        case "broadcast", "broadcast":
            seen.append(body["message"])
            return {}
        case "broadcast", "read":
            return {"messages": seen}
        case "g-set", "add":
            seen.append(body["element"])
            return {}
        case "g-set", "read":
            return {"value": seen}
        case ("g-counter" | "pn-counter"), "add":
            total += body["delta"]
            return {}
        case ("g-counter" | "pn-counter"), "read":
            return {"value": total}
        case "lin-kv", "write":
            registers[body["key"]] = body["value"]
            return {}
        case "lin-kv", "read" if body["key"] in registers:
            return {"value": registers[body["key"]]}
        case "kafka", "send":
            log = logs.setdefault(body["key"], [])
            log.append(body["msg"])
            return {"offset": len(log) - 1}
        case ("txn-list-append" | "txn-rw-register"), "txn":
            return transact(body["txn"])
    return None


def send(to, body):
    print(json.dumps({"src": me, "dest": to, "body": body}), flush=True)


for line in sys.stdin:
    message = json.loads(line)
    body = message["body"]
    if body["type"] == "init":
        me, fields = body["node_id"], {}
    else:
        fields = answer(body)
    if fields is None:
        sys.exit(f"what is {body['type']}?")
    if service and body["type"] != "init":
        send("seq-kv", {"type": "write", "msg_id": body["msg_id"], "key": "sum", "value": total})
        continue
    send(message["src"], {"type": body["type"] + "_ok", "in_reply_to": body["msg_id"], **fields})
