"""hostile.py HABIT: a node whose words act on a terminal, if they reach one: see ACTS. HABIT says where they stand."""
import sys, json
ACTS = "\x1b[2J\x1b[H\x1b[1;32mVALID\x1b[0m\x07\x9b31m\x7f\u202e\u2066\u200f\u2028\nFORGED\r\u200b\ufeff\u0085x"
habit = sys.argv[1]
sys.stdout.reconfigure(encoding="utf-8"); sys.stderr.reconfigure(encoding="utf-8")
S = {}; me = None
def say(**message): print(json.dumps(message, ensure_ascii=False), flush=True)
for line in sys.stdin:
    m = json.loads(line); b = m["body"]; t = b["type"]; i = b.get("msg_id")
    if t == "init":
        me = b["node_id"]
        if habit == "dies": print("error:", ACTS, file=sys.stderr); sys.exit(3)
        say(src=me, dest=m["src"], body={"type": "init_ok", "in_reply_to": i}); continue
    if habit == "babbles": print(ACTS.replace("\n", " "), flush=True)
    if habit == "type": r = {"type": ACTS}
    elif habit == "error": r = {"type": "error", "code": ACTS, "text": ACTS}
    elif t == "vc_read": r = {"type": "vc_read_ok", "values": S.get(b["key"], [])}
    elif t == "vc_write": S[b["key"]] = [{"value": b["value"], "vc": {ACTS if habit == "actor" else "n": len(S) + 1}}]; r = {"type": "vc_write_ok", "vc": {ACTS if habit == "actor" else "n": len(S) + 1}}
    else: r = {"type": "error", "code": 10}
    if habit == "value" and t == "vc_read": r["values"] = [{"value": ACTS, "vc": {ACTS: 1}}]
    if habit == "field" and t == "vc_read": r = {"type": "vc_read_ok", ACTS: ACTS}
    if habit == "clock" and t == "vc_write": r["vc"] = {ACTS: ACTS}
    dest = ACTS if habit == "dest" else m["src"]
    say(src=ACTS if habit == "src" else me, dest=dest, body=dict(r, in_reply_to=ACTS if habit == "id" else i))
