"""A correct lin-kv store on one node with habits of other languages:
--floats writes every number as a float, as Lua does; --identity finds no two arrays or objects equal, as
JavaScript does; --dumb answers no read."""
import json, sys

held = {}
floats, identity, dumb = ("--" + flag in sys.argv for flag in ("floats", "identity", "dumb"))


def said(value):
    if isinstance(value, bool) or not floats:
        return value
    if isinstance(value, int):
        return float(value)
    if isinstance(value, list):
        return [said(item) for item in value]
    if isinstance(value, dict):
        return {name: said(item) for name, item in value.items()}
    return value


def equal(one, other):
    if identity and isinstance(one, (list, dict)):
        return False
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def answer(body):
    kind, key = body["type"], json.dumps(body.get("key"))
    if kind == "init":
        return {"type": "init_ok"}
    if kind == "read" and dumb:
        return {"type": "error", "code": said(11)}
    if kind == "write":
        held[key] = body["value"]
        return {"type": "write_ok"}
    if key not in held:
        return {"type": "error", "code": said(20)}
    if kind == "read":
        return {"type": "read_ok", "value": held[key]}
    if kind != "cas":
        return {"type": "error", "code": said(10)}
    if not equal(held[key], body["from"]):
        return {"type": "error", "code": said(22)}
    held[key] = body["to"]
    return {"type": "cas_ok"}


for line in sys.stdin:
    message = json.loads(line)
    body = dict(answer(message["body"]), in_reply_to=message["body"]["msg_id"])
    reply = {"src": message["dest"], "dest": message["src"], "body": said(body)}
    print(json.dumps(reply), flush=True)
