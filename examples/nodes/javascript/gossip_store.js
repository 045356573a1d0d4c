#!/usr/bin/env node
// A correct store that lives by a timer: a Maelstrom node of the `vc` dialect that gossips.
//
//     sibcheck check --nodes 3 --bin 'node examples/nodes/javascript/gossip_store.js'
//
// A write is kept at the node that gets it. At random times, every --period seconds or so, each node sends all that it
// has to one of its peers, chosen at random, which merges it. A crash forgets all.
'use strict';

const at = process.argv.indexOf('--period');
const period = at < 0 ? 0.3 : Number(process.argv[at + 1]);

let name = null;
let peers = []; // until init
const store = new Map(); // key -> siblings, each {value, vc: {actor: counter}}

// Whether `clock` has seen all that `other` has seen.
const covers = (clock, other) => Object.entries(other).every(([actor, n]) => (clock[actor] ?? 0) >= n);

// Those siblings that are neither among the known ones nor superseded by them.
const news = (siblings, known) => siblings.filter((each) => !known.some((old) => covers(old.vc, each.vc)));

// The siblings of both that no other one supersedes.
function merge(mine, theirs) {
  const arrived = news(theirs, mine);
  return [...news(mine, arrived), ...arrived];
}

const siblings = (key) => store.get(key) ?? [];

const handlers = {
  init(_client, body) {
    name = body.node_id;
    peers = body.node_ids.filter((peer) => peer !== name);
    if (peers.length > 0) gossipLater();
    return { type: 'init_ok' };
  },
  vc_write(client, { key, value, context }) {
    const actor = `${client}@${name}`;
    const reached = [context ?? {}, ...siblings(key).map((each) => each.vc)].map((clock) => clock[actor] ?? 0);
    const vc = { ...context, [actor]: Math.max(...reached) + 1 };
    store.set(key, merge(siblings(key), [{ value, vc }]));
    return { type: 'vc_write_ok', key, vc };
  },
  vc_read: (_client, { key }) => ({ type: 'vc_read_ok', values: siblings(key) }),
  gossip(_peer, { entries }) {
    for (const [key, theirs] of Object.entries(entries)) store.set(key, merge(siblings(key), theirs));
    return null;
  },
};

function gossipLater() {
  setTimeout(() => {
    const peer = peers[Math.floor(Math.random() * peers.length)];
    if (store.size > 0) send(peer, { type: 'gossip', entries: Object.fromEntries(store) });
    gossipLater();
  }, 1000 * period * (0.5 + Math.random()));
}

const send = (dest, body) => process.stdout.write(JSON.stringify({ src: name, dest, body }) + '\n');

const lines = require('readline').createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { src, body } = JSON.parse(line);
  const error = { type: 'error', code: 10, text: `${body.type} is not known to this store` };
  const answer = Object.hasOwn(handlers, body.type) ? handlers[body.type](src, body) : error;
  if (answer && body.msg_id !== undefined) send(src, { ...answer, in_reply_to: body.msg_id });
});
// The timer alone would keep it running.
lines.on('close', () => process.exit(0));
