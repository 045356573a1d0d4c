#!/usr/bin/env python3
"""A store with siblings behind HTTP, in the manner of Riak: what the shim beside it is tried with.

    http_store.py PORT_FILE [--last-writer-wins]

It listens on a free port of 127.0.0.1 and writes its number to PORT_FILE.

    GET /keys/KEY   → {"siblings": […]}, with the header X-Context
    PUT /keys/KEY   ← the value as JSON, with the header X-Context if the client has one → 204

A context is opaque: it covers the siblings that the client was shown. With --last-writer-wins it is not
looked at, and a write replaces everything.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

siblings, written, lock = {}, 0, threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it the headers and the body of an answer wait for each other.
    wbufsize = -1

    def key(self):
        return unquote(self.path.removeprefix("/keys/"))

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with lock:
            shown = siblings.get(self.key(), {})
            body = json.dumps({"siblings": list(shown.values())}).encode()
            context = json.dumps(sorted(shown))
        self.answer(200, body, X_Context=context)

    def do_PUT(self):
        global written
        value = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        covered = json.loads(self.headers.get("X-Context", "[]"))
        with lock:
            written += 1
            old = {} if "--last-writer-wins" in sys.argv else siblings.get(self.key(), {})
            kept = {number: other for number, other in old.items() if number not in covered}
            siblings[self.key()] = kept | {written: value}
        self.answer(204)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
# Renamed, so that whoever waits for it never reads half a number.
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
