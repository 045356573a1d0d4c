#!/usr/bin/env python3
"""A shim: a node on stdin and stdout that passes what it is asked on to a store behind HTTP.

    http_shim.py STORE [FLAGS…]

It starts the store, with the name of a file for its port and the flags, and ends with it. The words that it
speaks with sibcheck are in examples/dialects/shim.toml. For another store change `get` and `put`.
"""

import json
import os
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from urllib.parse import quote

port_file = os.path.join(os.environ.get("SIBCHECK_DATA_DIR", "."), "port")
me, writing, connections = None, threading.Lock(), threading.local()


def start_store():
    """Starts the store and waits until it listens; a node that was killed and comes back starts a new one."""
    if os.path.exists(port_file):
        os.remove(port_file)
    store = subprocess.Popen([sys.executable, sys.argv[1], port_file, *sys.argv[2:]], stdin=subprocess.DEVNULL)
    while not os.path.exists(port_file):
        if store.poll() is not None:
            sys.exit(f"the store ended with {store.returncode}")
        time.sleep(0.01)
    return store


def ask(method, key, body=None, headers={}):
    """One request. Each thread keeps a connection of its own."""
    if not hasattr(connections, "own"):
        with open(port_file) as file:
            connections.own = HTTPConnection("127.0.0.1", int(file.read()), timeout=5)
    connections.own.request(method, "/keys/" + quote(key, safe=""), body, headers)
    answer = connections.own.getresponse()
    return answer.status, answer.headers, answer.read()


def get(body):
    status, headers, text = ask("GET", body["key"])
    if status != 200:
        raise OSError(f"status {status}")
    return {"type": "get_ok", "values": json.loads(text)["siblings"], "context": headers["X-Context"]}


def put(body):
    headers = {"X-Context": body["context"]} if body.get("context") else {}
    status, _, _ = ask("PUT", body["key"], json.dumps(body["value"]), headers)
    if status != 204:
        raise OSError(f"status {status}")
    return {"type": "put_ok"}


def answer(message):
    body = message["body"]
    handler = {"init": lambda _: {"type": "init_ok"}, "get": get, "put": put}.get(body["type"])
    try:
        reply = handler(body) if handler else {"type": "error", "code": 10, "text": f"there is no {body['type']}"}
    except Exception as error:
        # Whatever it is, the request may have been carried out: 13 leaves that open. An error that is certain has
        # another code, such as 11. Without an answer nobody would know why there is none.
        connections.__dict__.clear()
        reply = {"type": "error", "code": 13, "text": repr(error)}
    reply["in_reply_to"] = body["msg_id"]
    with writing:
        print(json.dumps({"src": me, "dest": message["src"], "body": reply}), flush=True)


store = start_store()
try:
    for line in sys.stdin:
        message = json.loads(line)
        me = me or message["body"].get("node_id")
        # A thread each, so that the store sees requests at the same time if they come so.
        threading.Thread(target=answer, args=(message,), daemon=True).start()
finally:
    store.kill()
