#!/usr/bin/env python3
"""Correct vc stores that gossip every --period seconds, each by another kind of runtime: usage: runtimes.py
threads|asyncio|gevent [--period SEC]. "threads" hands messages through queues, a pool and a condition; "asyncio" is one
loop with tasks, time-outs and a child process; "gevent" has green threads (skipped where it is not installed)."""
import asyncio, json, os, random, sys, threading, queue
from concurrent.futures import ThreadPoolExecutor, wait
kind = sys.argv[1]
period = float(sys.argv[sys.argv.index("--period") + 1]) if "--period" in sys.argv else 0.2

class Store:
    def __init__(self):
        self.me, self.peers, self.db, self.counter = None, [], {}, {}
        self.file = os.path.join(os.environ.get("SIBCHECK_DATA_DIR", "."), "db")
        if os.path.exists(self.file):
            with open(self.file) as file: self.db, self.counter = json.load(file)
    def save(self):
        with open(self.file + ".new", "w") as file: json.dump([self.db, self.counter], file); file.flush(); os.fsync(file.fileno())
        os.replace(self.file + ".new", self.file)
    def line(self, dest, **body): return json.dumps({"src": self.me, "dest": dest, "body": body}) + "\n"
    def add(self, key, value, vc):
        def covers(a, b): return all(a.get(k, 0) >= v for k, v in b.items())
        siblings = self.db.setdefault(key, [])
        if not any(covers(s["vc"], vc) for s in siblings):
            siblings[:] = [s for s in siblings if not covers(vc, s["vc"])] + [{"value": value, "vc": vc}]
    def handle(self, m):
        """The line to be written, or none."""
        body, src = m["body"], m["src"]; kind = body["type"]; key = body.get("key")
        if kind == "init":
            self.me = body["node_id"]; self.peers = [n for n in body["node_ids"] if n != self.me]
            return self.line(src, type="init_ok", in_reply_to=body["msg_id"])
        if kind == "vc_write":
            actor = src + "@" + self.me
            n = max(self.counter.get(key + " " + actor, 0), body["context"].get(actor, 0)) + 1
            self.counter[key + " " + actor] = n
            vc = {**body["context"], actor: n}
            self.add(key, body["value"], vc); self.save()
            return self.line(src, type="vc_write_ok", key=key, vc=vc, in_reply_to=body["msg_id"])
        if kind == "vc_read":
            return self.line(src, type="vc_read_ok", values=self.db.get(key, []), in_reply_to=body["msg_id"])
        if kind == "all":
            for key, siblings in body["db"].items():
                for s in siblings: self.add(key, s["value"], s["vc"])
            self.save()
            return None
        return self.line(src, type="error", code=10, text="what is " + kind, in_reply_to=body["msg_id"])
    def gossip(self): return self.line(random.choice(self.peers), type="all", db=self.db) if self.peers and self.db else None
    def pause(self): return period * random.uniform(0.5, 1.5)

store = Store()
def write(line):
    if line: sys.stdout.write(line); sys.stdout.flush()

def threads():
    inbox, outbox, pool = queue.Queue(4), queue.Queue(), ThreadPoolExecutor(3)
    lock = threading.Condition()
    def worker():
        while True:
            try: m = inbox.get(timeout=period)
            except queue.Empty: continue
            with lock:
                outbox.put(store.handle(m)); lock.notify_all()
    def writer():
        while True: write(outbox.get())
    def gossiper():
        with lock: lock.wait_for(lambda: store.me)
        while True:
            with lock: lock.wait_for(lambda: False, timeout=store.pause())
            def one():
                with lock: return store.gossip()
            done, _ = wait([pool.submit(one), pool.submit(lambda: threading.Event().wait(period / 10))], timeout=period)
            for future in done:
                if future.result() is not False: outbox.put(future.result())
    for target in worker, worker, writer, gossiper: threading.Thread(target=target, daemon=True).start()
    for line in sys.stdin: inbox.put(json.loads(line))

def loop():
    async def main():
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        inbox, started = asyncio.Queue(), asyncio.Event()
        async def handler():
            while True:
                try: m = await asyncio.wait_for(inbox.get(), period)
                except asyncio.TimeoutError: continue
                write(store.handle(m)); started.set()
        async def gossiper():
            await started.wait()
            rounds = 0
            while True:
                await asyncio.sleep(store.pause())
                rounds += 1
                if rounds % 50 == 1:
                    child = await asyncio.create_subprocess_exec("sleep", str(period / 10))
                    await child.wait()
                write(await asyncio.get_running_loop().run_in_executor(None, store.gossip))
        tasks = [asyncio.create_task(handler()), asyncio.create_task(gossiper())]
        while line := await reader.readline(): inbox.put_nowait(json.loads(line))
    asyncio.run(main())

def green():
    import gevent, gevent.queue, gevent.event, gevent.monkey
    from gevent.fileobject import FileObject
    inbox, started = gevent.queue.Queue(), gevent.event.Event()
    def handler():
        while True:
            try: m = inbox.get(timeout=period)
            except gevent.queue.Empty: continue
            write(store.handle(m)); started.set()
    def gossiper():
        started.wait()
        while True:
            gevent.sleep(store.pause())
            with gevent.Timeout(period, False): gevent.sleep(period * random.uniform(0, 2))
            write(store.gossip())
    gevent.spawn(handler); gevent.spawn(gossiper)
    for line in FileObject(sys.stdin.fileno(), "r", closefd=False): inbox.put(json.loads(line))

{"threads": threads, "asyncio": loop, "gevent": green}[kind]()
