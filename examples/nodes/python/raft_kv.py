#!/usr/bin/env python3
"""A linearizable key-value store by Raft: a Maelstrom node of the `lin-kv` workload.

    sibcheck check --nodes 3 --bin 'python3 examples/nodes/python/raft_kv.py'

After Ongaro and Ousterhout 2014, "In Search of an Understandable Consensus Algorithm" (extended
version), whose sections and figures are cited. There are no snapshots, no changes of membership.

The node that a client asks gives the request an id and puts it into the log if it is the leader,
else forwards it to the leader; without one it waits a while for the next. Once it is committed all
nodes apply it, in the order of the log, and the one that was asked answers, whoever leads by then.
Reads go through the log, too: a leader that was replaced and does not know it yet cannot commit
them, so none is stale (section 8). A forwarded request may arrive twice, and is submitted again to
each new leader. So the log may hold it several times; the first one counts, and the others are
skipped by its id (section 8).

Error 11 says that nothing was done: it is given only where a request went nowhere. Once submitted
it may be committed at any time later; if that takes too long there is error 13, a mere "unknown".

The election time-outs lie closer together than those of the paper, so often two nodes stand at once
(section 5.2). A correct store is only slower for it, and a mistake in elections shows sooner.

With `--bug votes` a crash takes a node's term and vote, and it may vote twice in one term. With
`--bug two-votes` no crash is needed: a node does not remember that it has voted for another one.
"""

import argparse
import json
import os
import random
import select
import time

HEARTBEAT = 0.050  # seconds
ELECTION = (0.150, 0.170)  # a follower waits for some time between these before it stands
LEADERLESS = 0.300  # how long a request waits for a leader
PATIENCE = 1.0  # how long a request may go undecided until its client is told so
FOLLOWER, CANDIDATE, LEADER = "follower", "candidate", "leader"
FIELDS = {"read": ["key"], "write": ["key", "value"], "cas": ["key", "from", "to"]}


def text(value):
    """One text for what is equal in JSON. To Python 1 == True; and 1 and "1" are two keys."""
    return json.dumps(value, sort_keys=True)


def error(code, why):
    return {"type": "error", "code": code, "text": why}


def execute(store, request):
    """The state machine: changes the store and gives the answer, the same at every node."""
    kind, key = request["type"], text(request["key"])
    if kind != "write" and key not in store:
        return error(20, "the key does not exist")
    if kind == "read":
        return {"type": "read_ok", "value": store[key]}
    if kind == "cas" and text(store[key]) != text(request["from"]):
        return error(22, f"the value is {text(store[key])}")
    store[key] = request["value" if kind == "write" else "to"]
    return {"type": f"{kind}_ok"}


class Node:
    def __init__(self, bug):
        self.bug = bug
        self.name, self.peers = None, None  # until init
        # What a crash must not take (figure 2, "persistent state"). Entry 0 is before the first.
        self.term, self.vote, self.log = 0, None, [{"term": 0, "command": None}]
        # What it may take (figure 2, "volatile state").
        self.role, self.leader, self.votes = FOLLOWER, None, set()
        self.commit, self.applied = 0, 0  # both are indices of the log
        self.next, self.match = {}, {}  # of each peer, at the leader
        self.timer = None  # when the leader sends its next heartbeat, or another node stands
        # The state machine: the store, and the ids of commands that were applied (all for ever).
        self.store, self.done = {}, set()
        self.waiting = {}  # requests of clients of this node: id -> client, msg_id, command, until
        self.early = []  # those that wait for a leader: client, body, until
        self.start, self.count = f"{random.getrandbits(64):016x}", 0  # make ids that never repeat

    # What is on the disk: a file of records, one a line, which is only appended to.
    def open_journal(self):
        self.journal = open(f"raft-{self.name}.journal", "a+b")
        self.journal.seek(0)
        content = self.journal.read()
        # A crash during a write leaves a line without its end. Nothing that depends on it was sent.
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines():
            record = json.loads(line)
            if "entry" in record:
                self.log[record["index"] :] = [record["entry"]]
            else:
                self.term, self.vote = record["term"], record["vote"]
        self.journal.truncate(len(whole))
        os.fsync(self.journal)  # a crash may have come between write and fsync
        os.fsync(os.open(".", os.O_RDONLY))  # the file's name

    def persist(self, records):  # before any message is sent that depends on them (figure 2)
        self.journal.write(b"".join(json.dumps(record).encode() + b"\n" for record in records))
        self.journal.flush()
        os.fsync(self.journal)

    def set_term(self, term, vote):
        self.term, self.vote = term, vote
        self.persist([] if self.bug == "votes" else [{"term": term, "vote": vote}])

    def set_log(self, index, entries):  # in place of all that was at this index and behind it
        self.log[index:] = entries
        self.persist([{"index": i, "entry": entry} for i, entry in enumerate(entries, index)])

    # Elections (section 5.2).
    def wait_for_leader(self):
        self.timer = time.monotonic() + random.uniform(*ELECTION)

    def stand(self):
        self.role, self.leader, self.votes = CANDIDATE, None, {self.name}
        self.set_term(self.term + 1, self.name)
        self.wait_for_leader()
        last = {"last_index": len(self.log) - 1, "last_term": self.log[-1]["term"]}
        for peer in self.peers:
            self.send(peer, {"type": "request_vote", "term": self.term, **last})
        self.count_votes()

    def see_term(self, term):
        if term > self.term:  # then everybody becomes a follower (figure 2, "all servers")
            if self.role == LEADER:
                self.wait_for_leader()  # the timer was that of heartbeats
            self.role, self.leader = FOLLOWER, None
            self.set_term(term, None)

    def on_request_vote(self, candidate, body):
        # Only for one whose log is not behind: it then has all that is committed (section 5.4.1).
        last = (self.log[-1]["term"], len(self.log) - 1)
        up_to_date = (body["last_term"], body["last_index"]) >= last
        granted = body["term"] == self.term and self.vote in (None, candidate) and up_to_date
        if granted:
            self.set_term(self.term, None if self.bug == "two-votes" else candidate)
            self.wait_for_leader()
        self.send(candidate, {"type": "vote", "term": self.term, "granted": granted})

    def on_vote(self, voter, body):
        # A vote of an earlier election says nothing about this one.
        if self.role == CANDIDATE and body["term"] == self.term and body["granted"]:
            self.votes.add(voter)
            self.count_votes()

    def count_votes(self):
        if 2 * len(self.votes) > len(self.peers) + 1:
            self.role, self.leader = LEADER, self.name
            self.next = dict.fromkeys(self.peers, len(self.log))
            self.match = dict.fromkeys(self.peers, 0)
            # An entry of its own term lets a leader commit those of earlier terms (section 8).
            self.lead([None, *(command for _, _, command, _ in self.waiting.values())])
            self.take_up()

    # Replication (section 5.3).
    def lead(self, commands):
        self.set_log(len(self.log), [{"term": self.term, "command": each} for each in commands])
        self.broadcast()
        self.advance_commit()

    def broadcast(self):
        self.timer = time.monotonic() + HEARTBEAT
        for peer in self.peers:
            self.send_append(peer)

    def send_append(self, peer):
        # All that the peer is not known to have, each time again until it says that it has it.
        before = self.next[peer] - 1
        place = {"before": before, "before_term": self.log[before]["term"]}
        news = {"entries": self.log[before + 1 :], "commit": self.commit}
        self.send(peer, {"type": "append", "term": self.term, **place, **news})

    def on_append(self, leader, body):
        before, entries = body["before"], body["entries"]
        answer = {"type": "appended", "ok": False, "before": before, "last": len(self.log) - 1}
        if body["term"] < self.term:
            return self.send(leader, {**answer, "term": self.term})  # it was replaced
        is_new, self.role, self.leader = self.leader != leader, FOLLOWER, leader
        self.wait_for_leader()
        if before < len(self.log) and self.log[before]["term"] == body["before_term"]:
            for index, entry in enumerate(entries, before + 1):
                # Only a conflict removes anything: this may be an old message, and this node may
                # have acknowledged more since (figure 2, AppendEntries, 3 and 4).
                if index == len(self.log) or self.log[index]["term"] != entry["term"]:
                    self.set_log(index, entries[index - before - 1 :])
                    break
            # As far as this message goes both logs are equal; behind that nothing is known.
            match = before + len(entries)
            self.commit = max(self.commit, min(body["commit"], match))
            self.apply()
            answer.update(ok=True, match=match)
        self.send(leader, {**answer, "term": self.term})
        if is_new:
            self.submit([command for _, _, command, _ in self.waiting.values()])
            self.take_up()

    def on_appended(self, peer, body):
        if self.role != LEADER or body["term"] != self.term:
            return  # it answers what was sent as the leader of an earlier term
        if body["ok"]:
            if body["match"] > self.match[peer]:  # else it is late, or a second copy
                self.match[peer], self.next[peer] = body["match"], body["match"] + 1
                self.advance_commit()
        elif body["before"] == self.next[peer] - 1:  # else an earlier guess was wrong, not this one
            self.next[peer] = max(self.match[peer] + 1, min(body["before"], body["last"] + 1))
            self.send_append(peer)

    def advance_commit(self):
        # The greatest index that a majority has. One of an earlier term may be replaced even so:
        # it is committed by a later one of this term, and never by being counted (section 5.4.2).
        index = sorted([len(self.log) - 1, *self.match.values()])[len(self.peers) // 2]
        if index > self.commit and self.log[index]["term"] == self.term:
            self.commit = index
            self.apply()
            self.broadcast()  # the origins at other nodes wait for it

    def apply(self):
        while self.applied < self.commit:
            self.applied += 1
            command = self.log[self.applied]["command"]
            if command and command["id"] not in self.done:
                self.done.add(command["id"])
                answer = execute(self.store, command["request"])
                client, msg_id, *_ = self.waiting.pop(command["id"], (None, None))
                self.answer(client, msg_id, answer)

    # Requests of clients (section 8).
    def on_request(self, client, body):
        msg_id = body.get("msg_id")
        if any(field not in body for field in FIELDS[body["type"]]):
            return self.answer(client, msg_id, error(12, f"needed: {FIELDS[body['type']]}"))
        if self.leader is None:
            return self.early.append((client, body, time.monotonic() + LEADERLESS))
        self.count += 1
        command = {"id": f"{self.name}-{self.start}-{self.count}", "request": body}
        self.waiting[command["id"]] = client, msg_id, command, time.monotonic() + PATIENCE
        self.submit([command])

    def submit(self, commands):
        if self.role == LEADER:
            return self.lead(commands)
        for command in commands:
            self.send(self.leader, {"type": "forward", "command": command})

    def take_up(self):  # what waits for a leader
        early, self.early = self.early, []
        for client, body, _ in early:
            self.on_request(client, body)

    def init(self, client, body):
        self.peers = [node for node in body["node_ids"] if node != self.name]
        self.open_journal()
        self.answer(client, body.get("msg_id"), {"type": "init_ok"})
        self.wait_for_leader() if self.peers else self.stand()

    # Messages and time.
    def receive(self, message):
        source, body, self.name = message["src"], message["body"], message["dest"]
        kind = body["type"]
        if kind == "init":
            self.init(source, body)
        elif self.peers is None:  # nothing is done before that
            self.answer(source, body.get("msg_id"), error(11, "this node waits for its init"))
        elif kind in FIELDS:
            self.on_request(source, body)
        elif kind == "forward":
            if self.role == LEADER:  # else the sender will hear who is, and submit it there
                self.lead([body["command"]])
        elif kind in ("request_vote", "vote", "append", "appended"):
            self.see_term(body["term"])
            getattr(self, f"on_{kind}")(source, body)
        else:
            self.answer(source, body.get("msg_id"), error(10, f"{kind!r} is not known here"))

    def tick(self):
        """Does what is due, and gives the seconds until something is due again."""
        if self.timer is None:
            return None
        now = time.monotonic()
        for id, (client, msg_id, _, until) in list(self.waiting.items()):
            if until <= now:
                del self.waiting[id]
                self.answer(client, msg_id, error(13, "not decided in time, and may still be"))
        for client, body, until in self.early:
            if until <= now:
                self.answer(client, body.get("msg_id"), error(11, "there is no leader"))
        self.early = [each for each in self.early if each[2] > now]
        if self.timer <= now:
            self.broadcast() if self.role == LEADER else self.stand()
        due = min(each[-1] for each in [[self.timer], *self.waiting.values(), *self.early])
        return max(0, due - now)

    def answer(self, client, msg_id, answer):
        if msg_id is not None:
            self.send(client, {**answer, "in_reply_to": msg_id})

    def send(self, dest, body):
        print(json.dumps({"src": self.name, "dest": dest, "body": body}), flush=True)


def main(node):
    rest = b""
    while True:
        # Not with a buffered reader: it would hold lines back that select does not see.
        if select.select([0], [], [], node.tick())[0]:
            if not (chunk := os.read(0, 65536)):
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                node.receive(json.loads(line))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    bugs = "votes: a crash takes term and vote; two-votes: votes for others are not remembered"
    options.add_argument("--bug", choices=["votes", "two-votes"], help=bugs)
    main(Node(options.parse_args().bug))
