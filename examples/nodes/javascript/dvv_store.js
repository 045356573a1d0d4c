/**
 * A correct store that keeps siblings under dotted version vectors: a Maelstrom node of the `dvv` dialect.
 *
 *     sibcheck check --dialect dvv --bin 'node examples/nodes/javascript/dvv_store.js'
 *     sibcheck check --dialect dvv --nodes 3 --bin 'node examples/nodes/javascript/dvv_store.js --gossip-ms 100'
 *
 * A version is a dot, which names its own write (["n1",3] is the third that n1 took for the key), and the
 * vector of what its client had seen: its past. It supersedes the versions whose dots its past covers and
 * no others; so blind writes through one node stay siblings although entries are nodes and not clients.
 *
 * Whoever reads or writes a key makes the node send the key's WHOLE sibling set to every peer, which merges
 * it and answers with its own set if the sender lacked something. There is no timer, so equal input gives
 * equal output, but a lost message is made good only by later traffic for its key: replicas that differ when
 * requests end stay so. With --gossip-ms N all keys also go to all peers every N ms. A crash forgets all.
 */
'use strict';

/** A request that was not carried out: `cause` is its Maelstrom error code. */
class Refused extends Error {}

/** A vector is a Map from node to counter, without zeros. It arrives as {"n1":2} or in another notation. */
function parseVector(json, nodes) {
  let entries = json ?? [];
  if (!Array.isArray(entries)) entries = Object.entries(entries);
  else if (typeof entries[0] === 'string') entries = [entries]; // ["n1",2]
  else if (typeof entries[0] === 'number') entries = entries.map((n, slot) => [nodes[slot], n]); // [2,0]
  const isEntry = (entry) => typeof entry?.[0] === 'string' && Number.isSafeInteger(entry[1]) && entry[1] >= 0;
  if (typeof (json ?? {}) !== 'object' || !entries.every(isEntry)) throw new Refused('no vector', { cause: 12 });
  return new Map(entries.filter(([, n]) => n > 0));
}

/** The least vector that covers all of these. */
function join(vectors) {
  const joined = new Map();
  for (const [node, n] of vectors.flatMap((vector) => [...vector])) {
    joined.set(node, Math.max(n, joined.get(node) ?? 0));
  }
  return joined;
}

/** What has been seen by one who has seen these versions: their pasts and themselves. */
const seen = (versions) => join(versions.flatMap(({ dot, past }) => [past, [dot]]));

/** Whether this version is the one with that dot, or supersedes it. */
const covers = ({ dot, past }, [node, n]) => (dot[0] === node && dot[1] === n) || past.get(node) >= n;

/** Those versions that are neither among the known ones nor superseded by them. */
const news = (versions, known) => versions.filter(({ dot }) => !known.some((old) => covers(old, dot)));

/** The versions of both sets that no other one supersedes. */
function merge(mine, theirs) {
  const arrived = news(theirs, mine);
  return [...news(mine, arrived), ...arrived];
}

class Node {
  name = null; // until init
  nodes = [];
  store = new Map(); // key -> siblings, each {value, dot: [node, n], past: Map}
  nextMsgId = 0;
  handlers = { __proto__: null, init: this.init, dvv_update: this.update, dvv_get: this.get, replicate: this.accept };

  init({ node_id: name, node_ids: nodes }) {
    if (typeof name !== 'string' || !Array.isArray(nodes)) throw new Refused('init needs names', { cause: 12 });
    Object.assign(this, { name, nodes });
    return { type: 'init_ok' };
  }

  update({ key, value, context }) {
    if (value === undefined) throw new Refused('an update needs a value, if only null', { cause: 12 });
    const siblings = this.siblings(key);
    const past = parseVector(context, this.nodes);
    const dot = [this.name, this.lastCounter(siblings, past) + 1];
    this.store.set(key, merge(siblings, [{ value, dot, past }]));
    this.replicate([key], this.peers());
    return { type: 'dvv_update_ok', dot, version_vector: Object.fromEntries(past) };
  }

  /** The greatest counter that this node has given to a write of the key, whether the client saw it or not. */
  lastCounter(siblings, context) {
    return join([seen(siblings), context]).get(this.name) ?? 0;
  }

  get({ key }) {
    const siblings = this.siblings(key);
    this.replicate([key], this.peers());
    const values = siblings.map(({ value, dot }) => ({ value, dot }));
    return { type: 'dvv_get_ok', values, context: Object.fromEntries(seen(siblings)) };
  }

  siblings(key) {
    if (typeof key !== 'string') throw new Refused('a key is a string', { cause: 12 });
    return this.store.get(key) ?? [];
  }

  peers() {
    return this.nodes.filter((node) => node !== this.name);
  }

  replicate(keys, peers) {
    const flat = (version) => ({ ...version, past: [...version.past] });
    const entries = keys.map((key) => [key, this.siblings(key).map(flat)]);
    for (const peer of peers) this.send(this.name, peer, { type: 'replicate', entries });
  }

  accept({ entries }, peer) {
    for (const [key, siblings] of entries) {
      const theirs = siblings.map((version) => ({ ...version, past: new Map(version.past) }));
      this.store.set(key, merge(this.siblings(key), theirs));
      if (news(this.siblings(key), theirs).length > 0) this.replicate([key], [peer]);
    }
  }

  receive(line) {
    let src, dest, body, answer;
    try {
      ({ src, dest, body } = JSON.parse(line));
      const handler = this.handlers[body.type];
      if (!handler) throw new Refused(`${body.type} is not known to this store`, { cause: 10 });
      if (this.name === null && body.type !== 'init') throw new Refused('init comes first', { cause: 11 });
      answer = handler.call(this, body, src);
    } catch (error) {
      if (!(error instanceof Refused)) return console.error(`not a message: ${line.slice(0, 80)}: ${error}`);
      answer = { type: 'error', code: error.cause, text: error.message };
    }
    // Without a msg_id no answer is wanted, and what is an answer itself must never get one.
    if (!answer || body.msg_id == null || body.in_reply_to != null) return;
    this.send(this.name ?? dest, src, { ...answer, in_reply_to: body.msg_id, msg_id: this.nextMsgId++ });
  }

  send(src, dest, body) {
    process.stdout.write(`${JSON.stringify({ src, dest, body })}\n`);
  }
}

async function main(node) {
  const [flag, ms] = process.argv.slice(2);
  if (flag === '--gossip-ms') setInterval(() => node.replicate([...node.store.keys()], node.peers()), ms).unref();
  let rest = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n'); // node:readline would also split inside strings, at U+2028
    rest = lines.pop();
    for (const line of lines) node.receive(line);
  }
  if (rest) node.receive(rest);
}

module.exports = { Node, main };
if (require.main === module) main(new Node());
