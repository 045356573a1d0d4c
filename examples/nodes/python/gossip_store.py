#!/usr/bin/env python3
"""A store that lives by a timer: a Maelstrom node of the `vc` dialect that gossips, correct or with a classic bug.

    sibcheck check --nodes 3 --bin 'python3 examples/nodes/python/gossip_store.py'
    sibcheck check --nodes 3 --bin 'python3 examples/nodes/python/gossip_store.py --send-once'   # is caught

A write is kept at the node that gets it. At random times, every `--period` seconds or so, each node sends all that it
has to one of its peers, chosen at random, which merges it. So what a message brings is brought again by later ones, and
no single loss matters. With --send-once a node sends what has changed since it last sent, to all peers, and never again:
the timer is the same, but one lost message is lost for ever. A crash forgets all.
"""

import argparse
import json
import random
import sys
import threading
import time


def covers(clock, other):
    """Whether `clock` has seen all that `other` has seen."""
    return all(clock.get(actor, 0) >= n for actor, n in other.items())


def news(siblings, known):
    """Those siblings that are neither among the known ones nor superseded by them."""
    return [each for each in siblings if not any(covers(old["vc"], each["vc"]) for old in known)]


def merge(mine, theirs):
    """The siblings of both that no other one supersedes."""
    arrived = news(theirs, known=mine)
    return news(mine, known=arrived) + arrived


class Node:
    def __init__(self, period, spread, send_once):
        self.period, self.spread, self.send_once = period, spread, send_once
        self.name, self.peers = None, []  # until init
        self.store = {}  # key -> siblings, each {"value": ..., "vc": {actor: counter}}
        self.changed = set()  # keys written here since they were last sent
        self.lock = threading.Lock()

    def init(self, _client, body):
        self.name = body["node_id"]
        self.peers = [peer for peer in body["node_ids"] if peer != self.name]
        if self.peers:
            threading.Thread(target=self.gossip, daemon=True).start()
        return {"type": "init_ok"}

    def write(self, client, body):
        key, context = body["key"], body.get("context") or {}
        siblings = self.store.get(key, [])
        actor = f"{client}@{self.name}"
        reached = max(clock.get(actor, 0) for clock in [context, *(each["vc"] for each in siblings)])
        clock = {**context, actor: reached + 1}
        self.store[key] = merge(siblings, [{"value": body["value"], "vc": clock}])
        self.changed.add(key)
        return {"type": "vc_write_ok", "key": key, "vc": clock}

    def read(self, _client, body):
        return {"type": "vc_read_ok", "values": self.store.get(body["key"], [])}

    def receive_gossip(self, _peer, body):
        for key, siblings in body["entries"].items():
            self.store[key] = merge(self.store.get(key, []), siblings)

    def gossip(self):
        while True:
            time.sleep(self.period * random.uniform(1 - self.spread, 1 + self.spread))
            with self.lock:
                if self.send_once:
                    entries, peers = {key: self.store[key] for key in sorted(self.changed)}, self.peers
                    self.changed.clear()
                else:
                    entries, peers = self.store, [random.choice(self.peers)]
                for peer in peers if entries else []:
                    self.send(peer, {"type": "gossip", "entries": entries})

    handlers = {"init": init, "vc_write": write, "vc_read": read, "gossip": receive_gossip}

    def receive(self, line):
        message = json.loads(line)
        body, handler = message["body"], self.handlers.get(message["body"]["type"])
        with self.lock:
            if handler is None:
                answer = {"type": "error", "code": 10, "text": f"{body['type']!r} is not known to this store"}
            else:
                answer = handler(self, message["src"], body)
            if answer is not None and "msg_id" in body:
                self.send(message["src"], {**answer, "in_reply_to": body["msg_id"]})

    def send(self, dest, body):
        sys.stdout.write(json.dumps({"src": self.name, "dest": dest, "body": body}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--period", type=float, default=0.3, help="seconds between two rounds of gossip")
    options.add_argument("--spread", type=float, default=0.5, help="how far from that they may be, as a share of it")
    options.add_argument("--send-once", action="store_true", help="the bug: changes are sent once, and never again")
    chosen = options.parse_args()
    node = Node(chosen.period, chosen.spread, chosen.send_once)
    for line in sys.stdin:
        node.receive(line)
