#!/usr/bin/env python3
"""A document store in the manner of CouchDB/PouchDB. A document is a set of leaf revisions,
each with the list of its ancestors. A put names ONE leaf revision (or none for a new document) and is
refused (412 -> code 22) where that is no leaf. Replication sends leaves and ancestors.
With document_store.toml and without flags: VALID. Each flag alone on three nodes: VIOLATED.
Flags: --no-deleted-leaves   deleted leaves are not replicated (pouchdb#2955)
       --delete-all          a delete removes every leaf, seen or not (what pouchdb#6153 asked for)
       --winner-only         reads show the winning leaf only (what GET without conflicts shows)"""
import json, sys, hashlib
me=None; peers=[]; D={}; n=0
DALL='--delete-all' in sys.argv
NODEL='--no-deleted-leaves' in sys.argv; WIN='--winner-only' in sys.argv
def send(dest, body): print(json.dumps({"src": me, "dest": dest, "body": body}), flush=True)
def leaves(k): return D.setdefault(k, {})     # rev -> {"anc": [...], "val":, "del":}
def merge(k, other):
    mine = leaves(k)
    allr = {**other, **mine}
    anc = set(a for l in allr.values() for a in l["anc"])
    D[k] = {r: l for r, l in allr.items() if r not in anc}
def gossip(k):
    out = {r: l for r, l in leaves(k).items() if not (NODEL and l["del"])}
    for p in peers: send(p, {"type": "repl", "key": k, "leaves": out})
def put(k, rev, val, dele):
    L = leaves(k); live = [r for r, l in L.items() if not l["del"]]
    if rev is None:
        if live: return None
        anc = sorted(L)[-1:] if L else []      # re-creation extends the winning deleted leaf
        parent = anc[0] if anc else None
    else:
        if rev not in L: return None
        parent = rev
    a = ([parent] + L[parent]["anc"]) if parent else []
    new = "%d-%s" % (len(a) + 1, hashlib.md5(json.dumps([a, val, dele, me if not a else '']).encode()).hexdigest()[:8])
    if parent: del L[parent]
    if dele and DALL:
        for x in list(L): a.append(x); a.extend(L[x]["anc"]); del L[x]
    L[new] = {"anc": a, "val": val, "del": dele}
    return new
for line in sys.stdin:
    m = json.loads(line); b = m["body"]; t = b["type"]; n += 1; r = None
    if t == "init": me = b["node_id"]; peers = [x for x in b["node_ids"] if x != me]; r = {"type": "init_ok"}
    elif t == "get":
        k = b["doc"]; live = sorted(((rv, l["val"]) for rv, l in leaves(k).items() if not l["del"]), key=lambda x: (int(x[0].split('-')[0]), x[0]), reverse=True)
        gossip(k)
        if WIN: live = live[:1]
        r = {"type": "get_ok", "revs": [{"rev": rv, "val": v} for rv, v in live]}
    elif t in ("put", "del"):
        rev = put(b["doc"], b.get("rev"), b.get("val"), t == "del"); gossip(b["doc"])
        r = {"type": t + "_ok", "rev": rev} if rev else {"type": "error", "code": 22, "text": "conflict"}
    elif t == "repl": merge(b["key"], b["leaves"])
    elif t == "error": pass
    else: r = {"type": "error", "code": 10, "text": t}
    if r: r.update(in_reply_to=b["msg_id"], msg_id=n); send(m["src"], r)
