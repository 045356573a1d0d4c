/**
 * A FAULTY `dvv` store: dvv_store.js, but a new dot is one beyond the *client's context* instead of one
 * beyond everything that the node has made for the key.
 *
 *     sibcheck check --dialect dvv --bin 'node examples/nodes/javascript/dvv_store_dup_dots.js'
 *
 * The mistake treats the context as the present state, though it is only what one client saw of it. Two
 * clients that write from the same context get the same dot:
 *
 *     c1 writes "a", context {}    ->  dot ["n1",1]
 *     c2 writes "b", context {}    ->  dot ["n1",1]    again, so "b" is taken for "a" and dropped
 *
 * That breaks *clock identity* (a dot names one write), and with it *no lost update*: whoever merges by
 * dots keeps one of the two and cannot know that there was another.
 */
'use strict';

const { Node, main } = require('./dvv_store.js');

class DuplicateDots extends Node {
  lastCounter(siblings, context) {
    return context.get(this.name) ?? 0;
  }
}

main(new DuplicateDots());
