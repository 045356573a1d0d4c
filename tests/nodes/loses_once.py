#!/usr/bin/env python3
"""One dvv node that loses a value only in the first process that ever gets a fourth write (a race that
does not come back). The marker file stands for the race."""
import json, os, sys
MARK = sys.argv[1]; S = {}; n = 0; me = None
for line in sys.stdin:
    m = json.loads(line); b = m["body"]; t = b["type"]
    if t == "init": me = b["node_id"]; r = {"type": "init_ok"}
    elif t == "dvv_get":
        s = S.get(b["key"], [])
        r = {"type": "dvv_get_ok", "values": [{"value": v, "dot": [me, i]} for i, v in s], "context": {me: n} if n else {}}
    elif t == "dvv_update":
        c = (b.get("context") or {}).get(me, 0); n += 1
        s = [x for x in S.get(b["key"], []) if x[0] > c] + [(n, b["value"])]
        if n > 3 and len(s) > 1 and not os.path.exists(MARK): open(MARK, "w").close(); s = s[1:]
        S[b["key"]] = s
        r = {"type": "dvv_update_ok", "dot": [me, n], "version_vector": b.get("context") or {}}
    else: r = {"type": "error", "code": 10, "text": t}
    r["in_reply_to"] = b["msg_id"]
    print(json.dumps({"src": me, "dest": m["src"], "body": r}), flush=True)
