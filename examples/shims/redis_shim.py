#!/usr/bin/env python3
"""A shim before a Redis: a node on stdin and stdout that passes what it is asked on to a redis-server.

    redis_shim.py [FLAGS OF redis-server…]

It starts the server in its own folder and ends with it. The words that it speaks with sibcheck are in
examples/dialects/register.toml. For another store that speaks over TCP or a socket change `start_store`, `ask`,
`get` and `put`.
"""

import json
import socket
import subprocess
import sys
import threading
import time

# In the node's folder, where it runs: no port to be found, and none that another run has taken.
SOCKET = "redis.sock"
me, writing, connections = None, threading.Lock(), threading.local()


class Refused(Exception):
    """The store said no, so nothing happened."""


def start_store():
    """Starts the store and waits until it has read what it kept; a node that comes back starts a new one."""
    flags = ["--port", "0", "--unixsocket", SOCKET, "--dir", ".", *sys.argv[1:]]
    store = subprocess.Popen(["redis-server", *flags], stdin=subprocess.DEVNULL, stdout=sys.stderr)
    while True:
        try:
            ask("PING")
            return store
        except (OSError, Refused):
            if store.poll() is not None:
                sys.exit(f"the store ended with {store.returncode}")
            time.sleep(0.01)


def ask(*words):
    """One request in Redis's protocol: strings with their lengths, so that they may hold anything."""
    try:
        if not hasattr(connections, "own"):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(5)
            connection.connect(SOCKET)
            connections.own = connection.makefile("rwb")
        words = [word.encode() for word in words]
        parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in words]
        connections.own.write(b"*%d\r\n%s" % (len(words), b"".join(parts)))
        connections.own.flush()
        return answered(connections.own)
    except OSError:
        # Whatever comes on it now may be the answer to this request.
        connections.__dict__.clear()
        raise


def answered(stream):
    line = stream.readline()
    kind, rest = line[:1], line[1:-2]
    if not line.endswith(b"\r\n"):
        raise OSError("the connection ended")
    if kind == b"-":
        raise Refused(rest.decode())
    if kind == b"$":
        return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2].decode()
    return rest.decode()


def get(body):
    value = ask("GET", body["key"])
    return {"type": "get_ok", "values": [] if value is None else [json.loads(value)]}


def put(body):
    ask("SET", body["key"], json.dumps(body["value"]))
    return {"type": "put_ok"}


def answer(message):
    body = message["body"]
    handler = {"init": lambda _: {"type": "init_ok"}, "get": get, "put": put}.get(body["type"])
    try:
        reply = handler(body) if handler else {"type": "error", "code": 10, "text": f"there is no {body['type']}"}
    except Refused as error:
        reply = {"type": "error", "code": 11, "text": str(error)}
    except Exception as error:
        # Whatever it is, it may have happened: 13 leaves that open. Without an answer nobody would know why.
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
