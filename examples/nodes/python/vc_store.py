#!/usr/bin/env python3
"""A correct store that keeps siblings under vector clocks: a Maelstrom node of the `vc` dialect.

    sibcheck check --dialect vc --bin 'python3 examples/nodes/python/vc_store.py'
    sibcheck check --dialect vc --nodes 3 --bin 'python3 examples/nodes/python/vc_store.py --gossip-ms 100'

A write advances the *client's* entry of its context, and supersedes what the context covers and nothing
else. In a cluster that entry is the client's at this node ("c1@n1"): one client may write through two.

Whoever reads or writes a key makes the node send the key's WHOLE sibling set to every peer, which merges
it and answers with its own set if the sender lacked something. There is no timer, so equal input gives
equal output, but a lost message is made good only by later traffic for its key: replicas that differ when
requests end stay different. With --gossip-ms N all keys also go to all peers every N ms. A crash forgets all.
"""

import argparse
import json
import sys
import threading
import time


class Refused(Exception):
    """A request that was not carried out: its Maelstrom error code and a text."""


def field(body, name, kind):
    """A field that has to be there and to be of this type."""
    if not isinstance(body.get(name), kind):
        raise Refused(12, f"{name!r} has to be there, as a {kind.__name__}")
    return body[name]


def parse_clock(entries):
    """A clock without its zeros. A context may be missing: then nothing was seen."""
    entries = {} if entries is None else entries
    if not isinstance(entries, dict) or any(type(n) is not int or n < 0 for n in entries.values()):
        raise Refused(12, "a clock is an object of counters")
    return {actor: n for actor, n in entries.items() if n > 0}


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
    def __init__(self):
        self.name, self.peers = None, []  # until init
        self.store = {}  # key -> siblings, each {"value": ..., "vc": {actor: counter}}
        self.next_msg_id = 0
        self.lock = threading.Lock()

    def init(self, _client, body):
        self.name = field(body, "node_id", str)
        self.peers = [peer for peer in field(body, "node_ids", list) if peer != self.name]
        return {"type": "init_ok"}

    def write(self, client, body):
        key, context = field(body, "key", str), parse_clock(body.get("context"))
        if "value" not in body:
            raise Refused(12, "a write needs a value, if only null")
        siblings = self.store.get(key, [])
        actor = self.actor(client)
        # Beyond all that the actor's entry has reached here, so that no clock is given out twice.
        reached = max(clock.get(actor, 0) for clock in [context, *(each["vc"] for each in siblings)])
        clock = {**context, actor: reached + 1}
        self.store[key] = merge(siblings, [{"value": body["value"], "vc": clock}])
        self.replicate([key], self.peers)
        return {"type": "vc_write_ok", "key": key, "vc": clock}

    def actor(self, client):
        """Whose entry a write advances."""
        return f"{client}@{self.name}" if self.peers else client

    def read(self, _client, body):
        key = field(body, "key", str)
        siblings = self.store.get(key, [])
        self.replicate([key], self.peers)
        return {"type": "vc_read_ok", "values": siblings, "siblings": len(siblings)}

    def replicate(self, keys, peers):
        entries = {key: self.store.get(key, []) for key in keys}
        for peer in peers:
            self.send(self.name, peer, {"type": "replicate", "entries": entries})

    def receive_replica(self, peer, body):
        for key, siblings in field(body, "entries", dict).items():
            theirs = [{"value": each["value"], "vc": parse_clock(each["vc"])} for each in siblings]
            mine = self.store[key] = merge(self.store.get(key, []), theirs)
            if news(mine, known=theirs):
                self.replicate([key], [peer])

    handlers = {"init": init, "vc_write": write, "vc_read": read, "replicate": receive_replica}

    def receive(self, line):
        try:
            message = json.loads(line)
            source, dest, body = message["src"], message["dest"], message["body"]
            kind = field(body, "type", str)
            if kind not in self.handlers:
                raise Refused(10, f"{kind!r} is not a request that this store knows")
            if self.name is None and kind != "init":
                raise Refused(11, "this node waits for its init")
            answer = self.handlers[kind](self, source, body)
        except Refused as refusal:
            code, text = refusal.args
            answer = {"type": "error", "code": code, "text": text}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            return print(f"not a message: {line[:80]!r}: {error!r}", file=sys.stderr)
        # Without a msg_id no answer is wanted, and what is an answer itself must never get one.
        if answer and body.get("msg_id") is not None and body.get("in_reply_to") is None:
            answer.update(in_reply_to=body["msg_id"], msg_id=self.next_msg_id)
            self.next_msg_id += 1
            self.send(self.name or dest, source, answer)

    def send(self, source, dest, body):
        print(json.dumps({"src": source, "dest": dest, "body": body}), flush=True)

    def gossip(self, interval):
        while True:
            time.sleep(interval)
            with self.lock:
                self.replicate(self.store, self.peers)


def main(node):
    options = argparse.ArgumentParser(description="A Maelstrom node: JSON lines on stdin and stdout.")
    options.add_argument("--gossip-ms", type=int, metavar="N", help="send all keys to all peers every N ms")
    if gossip_ms := options.parse_args().gossip_ms:
        threading.Thread(target=node.gossip, args=[gossip_ms / 1000], daemon=True).start()
    for line in sys.stdin.buffer:
        with node.lock:
            node.receive(line)


if __name__ == "__main__":
    main(Node())
