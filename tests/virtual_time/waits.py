# Waits in every way that Python has, and says for how long it did by its clock.
import asyncio, queue, select, selectors, signal, socket, subprocess, sys, threading, time

def row(name, wait):
    began = time.monotonic()
    wait()
    print(name, round(time.monotonic() - began, 6), flush=True)

def condition():
    held = threading.Condition()
    with held:
        held.wait(0.137)

def empty_queue():
    try:
        queue.Queue().get(timeout=0.137)
    except queue.Empty:
        pass

def event_set_early():
    event = threading.Event()
    threading.Timer(0.05, event.set).start()
    assert event.wait(0.137)

def join():
    thread = threading.Thread(target=time.sleep, args=(0.137,))
    thread.start()
    thread.join(5)

def gathered():
    async def all_of_them():
        await asyncio.gather(*(asyncio.sleep(n / 1000) for n in range(1, 138)))
    asyncio.run(all_of_them())

def timed_out():
    async def never():
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.137)
        except asyncio.TimeoutError:
            pass
    asyncio.run(never())

def socket_timeout():
    one, other = socket.socketpair()
    one.settimeout(0.137)
    try:
        one.recv(1)
    except TimeoutError:
        pass

def signalled():
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    # It goes on after the handler.
    time.sleep(0.137)

def child():
    subprocess.run(["sleep", "0.137"], check=True)

def child_that_is_killed():
    try:
        subprocess.run(["sleep", "5"], timeout=0.137)
    except subprocess.TimeoutExpired:
        pass

def many_threads():
    threads = [threading.Timer(n / 1000, int) for n in range(38, 138)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

row("sleep", lambda: time.sleep(0.137))
row("select", lambda: select.select([], [], [], 0.137))
row("selectors", lambda: selectors.DefaultSelector().select(0.137))
for wait in (condition, empty_queue, event_set_early, join, gathered, timed_out, socket_timeout, signalled,
             child, child_that_is_killed, many_threads):
    row(wait.__name__, wait)
