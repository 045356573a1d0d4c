#!/usr/bin/env python3
"""A correct vc store that does one thing as nodes in the wild do: `wild.py HABIT`.

Every node keeps whole sibling sets and sends a key's set to its peers when it is read or written.
What a habit changes is in HABITS, or where its name is looked for. `plain` changes nothing.
"""

import json
import os
import select
import signal
import stat
import subprocess
import sys
import threading
import time

HABIT = sys.argv[1]
LOCK = threading.RLock()
REAL_STDOUT = sys.stdout.buffer


class Node:
    def __init__(self):
        self.name, self.names, self.store, self.count = None, [], {}, 0

    # -- the store

    @staticmethod
    def covers(one, other):
        return all(one.get(actor, 0) >= n for actor, n in other.items())

    def join(self, key, others):
        kept = self.store.get(key, [])
        fresh = [o for o in others if not any(self.covers(k["vc"], o["vc"]) for k in kept)]
        kept = [k for k in kept if not any(self.covers(f["vc"], k["vc"]) for f in fresh)]
        self.store[key] = kept + fresh

    def write(self, client, body):
        key, vc = body["key"], dict(body["context"] or {})
        actor = f"{client}@{self.name}"
        highest = [o["vc"].get(actor, 0) for o in self.store.get(key, [])]
        vc[actor] = max([vc.get(actor, 0)] + highest) + 1
        self.join(key, [{"value": body["value"], "vc": vc}])
        self.replicate(key)
        return {"type": "vc_write_ok", "key": key, "vc": vc}

    def read(self, _client, body):
        self.replicate(body["key"])
        values = self.store.get(body["key"], [])
        if HABIT == "null" and not values:
            values = None
        return {"type": "vc_read_ok", "values": values, "siblings": len(values or [])}

    def replicate(self, key):
        if HABIT in ("gossip", "forwards"):
            return
        for peer in self.names:
            if peer != self.name:
                entry = {"type": "replicate", "key": key, "set": self.store.get(key, [])}
                self.say(self.name, peer, entry)

    # -- the network

    def say(self, src, dest, body):
        self.line(json.dumps({"src": src, "dest": dest, "body": body}))

    def line(self, text, end="\n"):
        with LOCK:
            REAL_STDOUT.write((text + end).encode())
            REAL_STDOUT.flush()

    def take(self, line):
        message = json.loads(line)
        client, body = message["src"], message["body"]
        kind = body["type"]
        self.count += 1
        if kind == "init":
            self.init(client, body)
        elif kind == "replicate":
            self.join(body["key"], body["set"])
        elif kind in ("vc_write", "vc_read"):
            if HABIT == "forwards" and self.name != self.names[0] and client not in self.names:
                # The leader answers the client itself.
                return self.say(client, self.names[0], body)
            answer = (self.write if kind == "vc_write" else self.read)(client, body)
            answer["in_reply_to"] = body["msg_id"]
            HABITS.get(HABIT, Node.say_plainly)(self, client, answer)
        else:
            sys.exit(1)  # as half of all programs do

    def init(self, client, body):
        self.name, self.names = body["node_id"], body["node_ids"]
        if HABIT == "slow-start":
            time.sleep(1.5)
        if HABIT == "early-talk":
            for peer in self.names:
                if peer != self.name:
                    self.say(self.name, peer, {"type": "replicate", "key": "k1", "set": []})
        if HABIT == "hard-coded":
            self.name, self.names = "n0", ["n0", "n1", "n2"]
            if body["node_id"] != "n0":
                self.name = body["node_id"]
        if HABIT == "never-init":
            return None
        if HABIT == "refuses-init":
            refusal = {"type": "error", "code": 12, "text": "too few nodes", "in_reply_to": 1}
            return self.say(self.name, client, refusal)
        if HABIT == "naked":
            return self.line(json.dumps({"type": "init_ok", "in_reply_to": body["msg_id"]}))
        if HABIT == "dies-after-init":
            self.say(self.name, client, {"type": "init_ok", "in_reply_to": body["msg_id"]})
            os._exit(7)
        if HABIT == "gossip":
            threading.Thread(target=self.gossip_loop, daemon=True).start()
        return self.say(self.name, client, {"type": "init_ok", "in_reply_to": body["msg_id"]})

    def gossip_loop(self):
        while True:
            time.sleep(5)
            with LOCK:
                for peer in self.names:
                    for key, values in self.store.items():
                        if peer != self.name:
                            self.say(self.name, peer, {"type": "replicate", "key": key, "set": values})

    def say_plainly(self, client, answer):
        self.say(self.name, client, answer)

    # -- one habit each

    def merged(self, client, answer):
        # Two messages and one line feed: the second goes to a peer, or to nobody.
        more = json.dumps({"src": self.name, "dest": "n9", "body": {"type": "hello"}})
        self.line(json.dumps({"src": self.name, "dest": client, "body": answer}) + more)

    def pretty(self, client, answer):
        self.line(json.dumps({"src": self.name, "dest": client, "body": answer}, indent=2))

    def no_line_end(self, client, answer):
        self.line(json.dumps({"src": self.name, "dest": client, "body": answer}), end="")

    def crlf(self, client, answer):
        self.line(json.dumps({"src": self.name, "dest": client, "body": answer}), end="\r\n")

    def long_lines(self, client, answer):
        self.say(self.name, client, {**answer, "padding": "x" * 1_000_000})

    def naked(self, _client, answer):
        self.line(json.dumps(answer))

    def null_dest(self, _client, answer):
        self.say(self.name, None, answer)

    def naked_nameless(self, _client, answer):
        del answer["in_reply_to"]
        self.line(json.dumps(answer))

    def without(self, client, answer):
        self.say(self.name, client, {**answer, "in_reply_to": None if self.count % 2 else 0})

    def text_ids(self, client, answer):
        reply_to = answer["in_reply_to"]
        self.say(self.name, client, {**answer, "in_reply_to": str(reply_to) if self.count % 2 else float(reply_to)})

    def no_type(self, client, answer):
        self.say(self.name, client, {**answer, "type": ""})

    def foreign(self, client, answer):
        self.say("n7", client, answer)

    def stranger(self, client, answer):
        self.say(self.name, client, answer)
        self.say(self.name, "everybody", {"type": "news"})

    def extra(self, client, answer):
        message = {"id": 7, "src": self.name, "dest": client, "body": {**answer, "node": self.name, "more": {"a": 1}}}
        self.line(json.dumps(message))

    def twice(self, client, answer):
        self.say(self.name, client, answer)
        self.say(self.name, client, answer)

    def unasked(self, client, answer):
        self.say(self.name, client, {**answer, "in_reply_to": 1_000_000})
        self.say(self.name, client, answer)

    def wrong_client(self, client, answer):
        others = [name for name in ("c1", "c2", "c3", "c4", "c5") if name != client]
        self.say(self.name, others[0] if self.count > 12 else client, answer)

    def unheard_client(self, client, answer):
        self.say(self.name, "c77" if self.count > 12 else client, answer)

    def storm(self, client, answer):
        note = json.dumps({"src": self.name, "dest": "nobody", "body": {"type": "storm"}})
        self.line("\n".join([note] * (10_000 if self.count % 20 == 5 else 1)))
        self.say(self.name, client, answer)

    def endless(self, client, answer):
        while self.count > 5:
            self.line("\n".join(['{"dest":"nobody","body":{}}'] * 1000))
        self.say(self.name, client, answer)

    def endless_line(self, client, answer):
        while self.count > 5:
            self.line('{"a":"' + "x" * 1_000_000, end="")
        self.say(self.name, client, answer)

    def stderr(self, client, answer):
        if self.count == 5:
            for _ in range(43):
                sys.stderr.write("log\n" * 250_000)
            sys.stderr.flush()
        self.say(self.name, client, answer)

    def mute_later(self, client, answer):
        if self.count < 30:
            self.say(self.name, client, answer)

    def never_answers(self, client, answer):
        pass

    def noise(self, client, answer):
        if self.count == 8:
            self.line("DEBUG: about to answer " + "x" * 500)
        self.say(self.name, client, answer)

    def cut_off(self, client, answer):
        if self.count == 8:
            return self.line('{"src": "n1", "dest": "c1", "body"')
        self.say(self.name, client, answer)

    def not_utf8(self, client, answer):
        if self.count == 8:
            with LOCK:
                REAL_STDOUT.write(b'{"dest":"c1","body":{"type":"\xff\xfe"}}\n')
        self.say(self.name, client, answer)

    def no_body(self, client, answer):
        if self.count == 8:
            return self.line(json.dumps({"src": self.name, "dest": client}))
        self.say(self.name, client, answer)

    def number_dest(self, client, answer):
        if self.count == 8:
            return self.say(self.name, 1, answer)
        self.say(self.name, client, answer)

    def deep(self, client, answer):
        if self.count == 8:
            return self.line("[" * 100_000)
        self.say(self.name, client, answer)

    def list_line(self, client, answer):
        if self.count == 8:
            return self.line("[1, 2]")
        self.say(self.name, client, answer)

    def dies(self, client, answer):
        if self.count == 8:
            print("out of luck", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        self.say(self.name, client, answer)

    def dies_midway(self, client, answer):
        if self.count == 8:
            self.line('{"src":"n1","de', end="")
            os._exit(3)
        self.say(self.name, client, answer)

    def closes_stdout(self, client, answer):
        if self.count == 8:
            os.close(1)
            time.sleep(3600)
        self.say(self.name, client, answer)

    def error_without_code(self, client, answer):
        if self.count % 10 == 9:
            code = {} if self.count % 20 == 9 else {"code": "13"}
            refusal = {"type": "error", "in_reply_to": answer["in_reply_to"], "text": "no", **code}
            return self.say(self.name, client, refusal)
        self.say(self.name, client, answer)

    def unordered(self, client, answer):
        # Holds an answer back until the next request has been answered.
        held, self.held = getattr(self, "held", None), None
        if self.count % 3 == 0 and held is None:
            self.held = (client, answer)
        else:
            self.say(self.name, client, answer)
        if held:
            self.say(self.name, *held)

    def children(self, client, answer):
        if self.count in (3, 5):
            # In its group, and in a session of its own.
            subprocess.Popen(["sleep", "3600"], start_new_session=self.count == 5)
        self.say(self.name, client, answer)


HABITS = {
    name.replace("_", "-"): method for name, method in vars(Node).items() if callable(method)
}


def lines():
    """The lines of stdin, read as the habit wants."""
    if HABIT == "select":
        # A buffered reader behind select: of two lines that come together the second stays unseen.
        while True:
            select.select([sys.stdin], [], [])
            line = sys.stdin.readline()
            if not line:
                return
            yield line
    else:
        yield from sys.stdin


def main():
    node = Node()
    if HABIT == "needs-pipe" and not stat.S_ISFIFO(os.fstat(1).st_mode):
        sys.exit("stdout is not a pipe")
    if HABIT == "dies-at-start":
        sys.exit("no configuration found")
    # As a language's stdout is when it is not a terminal; flushed when the program ends.
    buffered = open(1, "wb", buffering=1 << 20, closefd=False)
    if HABIT in ("block-buffered", "buffered-later"):
        plain, flushed = node.line, 2 if HABIT == "buffered-later" else 0
        node.line = lambda text, end="\n": (
            plain(text) if node.count < flushed else buffered.write((text + end).encode())
        )
    for line in lines():
        with LOCK:
            node.take(line)
    buffered.flush()
    if HABIT == "never-ends":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)


main()
