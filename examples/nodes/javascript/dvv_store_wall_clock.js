/**
 * A FAULTY `dvv` store: dvv_store.js, but the counter of a new dot is the time of day in milliseconds.
 *
 *     sibcheck check --dialect dvv --faults clock --bin 'node examples/nodes/javascript/dvv_store_wall_clock.js'
 *
 * As long as the clock only moves on, this is correct: writes within one millisecond are counted on. But
 * clocks are set back, by a time server or by hand, and then a dot is made again that another write has:
 *
 *     at 12:00:00.005  c1 writes "a"    ->  dot ["n1",1700000000005]
 *     the clock is set back by 3 ms
 *     at 12:00:00.005  c2 writes "b"    ->  dot ["n1",1700000000005]    again, so one of them is dropped
 *
 * Without such a jump the store is VALID. With it *clock identity* is broken (a dot names one write), or
 * *no lost update*: a smaller counter is taken for a write that was seen long ago.
 */
'use strict';

const { Node, main } = require('./dvv_store.js');

class WallClockDots extends Node {
  last = { shown: 0, made: 0 };

  lastCounter() {
    const shown = Date.now();
    const countedOn = this.last.shown <= shown && shown <= this.last.made;
    const made = countedOn ? this.last.made + 1 : shown;
    this.last = { shown, made };
    return made - 1;
  }
}

main(new WallClockDots());
