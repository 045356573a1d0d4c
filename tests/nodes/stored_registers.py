#!/usr/bin/env python3
"""Registers (lin-kv) for one node, which are kept in files in a way that the command line names:
correct under losses of power are log, log-dsync, log-second, mmap, replace, sqlite-extra and sqlite-wal.
What others lose is said below. All of them survive a kill."""
import json, mmap, os, sys

way = sys.argv[1]
folder = os.environ["SIBCHECK_DATA_DIR"]


def sync_folder():
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


class Log:
    """Appends each change. `log-unsynced` never syncs it, `log-late` only every third time; `log-dsync` opens
    it to be synced at each write, and `log-second` syncs it through another descriptor."""

    def __init__(self):
        path = os.path.join(folder, "log")
        self.values = {}
        if os.path.exists(path):
            with open(path) as lines:
                for line in lines:
                    # What was cut off was never acknowledged.
                    if line.endswith("\n"):
                        self.values.update(json.loads(line))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        flags |= os.O_DSYNC if way == "log-dsync" else 0
        self.file = os.open(path, flags, 0o644)
        self.second = os.open(path, os.O_RDWR)
        self.changes = 0

    def keep(self, key, value):
        self.values[key] = value
        self.changes += 1
        os.write(self.file, (json.dumps({key: value}) + "\n").encode())
        if way == "log" or (way == "log-late" and self.changes % 3 == 0):
            os.fsync(self.file)
        elif way == "log-second":
            os.fdatasync(self.second)


class Replaced:
    """Writes all to another file, which takes the place of the one before: synced, and then its folder.
    `replace-unsynced` syncs neither, `replace-name` not the folder, and `replace-content` not the file."""

    def __init__(self):
        self.path = os.path.join(folder, "all")
        self.values = {}
        if os.path.exists(self.path):
            with open(self.path) as all:
                self.values = json.load(all)

    def keep(self, key, value):
        self.values[key] = value
        with open(self.path + ".new", "w") as new:
            json.dump(self.values, new)
            new.flush()
            if way in ("replace", "replace-name"):
                os.fsync(new.fileno())
        os.rename(self.path + ".new", self.path)
        if way in ("replace", "replace-content"):
            sync_folder()


class Mapped:
    """Writes all into a mapping: its length, and then the text, twice by turns. `mmap-unsynced` leaves msync out."""

    SIZE = 1 << 16

    def __init__(self):
        path = os.path.join(folder, "map")
        fresh = not os.path.exists(path)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if os.fstat(file).st_size < 2 * self.SIZE:
            os.ftruncate(file, 2 * self.SIZE)
            os.fsync(file)
            sync_folder()
        self.map = mmap.mmap(file, 2 * self.SIZE)
        self.values, self.turn = {}, 0
        for half in range(2):
            at = half * self.SIZE
            turn, length = (int.from_bytes(self.map[at + i : at + i + 8], "little") for i in (0, 8))
            if turn > self.turn:
                self.turn, self.values = turn, json.loads(self.map[at + 16 : at + 16 + length])

    def keep(self, key, value):
        self.values[key] = value
        self.turn += 1
        at, text = self.turn % 2 * self.SIZE, json.dumps(self.values).encode()
        self.map[at + 8 : at + 16] = len(text).to_bytes(8, "little")
        self.map[at + 16 : at + 16 + len(text)] = text
        if way == "mmap":
            self.map.flush()
        self.map[at : at + 8] = self.turn.to_bytes(8, "little")
        if way == "mmap":
            self.map.flush()


class Sqlite:
    """A table. With `sqlite-extra` SQLite syncs the folder after it has removed its journal, with `sqlite-full`
    it does not, so a transaction may be rolled back; `sqlite-wal` syncs its log, and `sqlite-normal` does so
    only when it moves the log into the table (https://www.sqlite.org/pragma.html#pragma_synchronous)."""

    def __init__(self):
        import sqlite3

        journal, synchronous = {
            "sqlite-extra": ("DELETE", "EXTRA"),
            "sqlite-full": ("DELETE", "FULL"),
            "sqlite-wal": ("WAL", "FULL"),
            "sqlite-normal": ("WAL", "NORMAL"),
            "sqlite-off": ("DELETE", "OFF"),
        }[way]
        self.table = sqlite3.connect(os.path.join(folder, "table"), isolation_level=None)
        self.table.execute(f"PRAGMA journal_mode={journal}")
        self.table.execute(f"PRAGMA synchronous={synchronous}")
        self.table.execute("CREATE TABLE IF NOT EXISTS registers (key TEXT PRIMARY KEY, value TEXT)")
        rows = self.table.execute("SELECT key, value FROM registers")
        self.values = {key: json.loads(value) for key, value in rows}

    def keep(self, key, value):
        self.values[key] = value
        self.table.execute("REPLACE INTO registers VALUES (?, ?)", (key, json.dumps(value)))


ways = {"log": Log, "replace": Replaced, "mmap": Mapped, "sqlite": Sqlite}
store = ways[way.split("-")[0]]()
name = None
for line in sys.stdin:
    message = json.loads(line)
    body = message["body"]
    kind, key = body["type"], json.dumps(body.get("key"))
    answer = {"in_reply_to": body.get("msg_id"), "type": kind + "_ok"}
    if kind == "init":
        name = body["node_id"]
    elif kind in ("read", "cas") and key not in store.values:
        answer.update(type="error", code=20, text="no such key")
    elif kind == "read":
        answer["value"] = store.values[key]
    elif kind == "write":
        store.keep(key, body["value"])
    elif kind == "cas" and store.values[key] != body["from"]:
        answer.update(type="error", code=22, text="it has another value")
    elif kind == "cas":
        store.keep(key, body["to"])
    else:
        answer.update(type="error", code=10, text="unknown")
    sys.stdout.write(json.dumps({"src": name, "dest": message["src"], "body": answer}) + "\n")
    sys.stdout.flush()
