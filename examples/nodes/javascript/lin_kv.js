#!/usr/bin/env node
// A linearizable key-value store with one primary: a Maelstrom node of the `lin-kv` workload.
//
//     sibcheck check --nodes 3 --bin 'node examples/nodes/javascript/lin_kv.js'
//     sibcheck check --nodes 3 --bin 'node examples/nodes/javascript/lin_kv.js --lost-cas'
//
// The first of the nodes is the primary. It alone holds the data and decides all requests, one
// after the other; the order in which it does so is the order of the store. Every other node
// forwards what it is asked to the primary, and passes on the answer. While the primary is down or
// cut off nobody is answered.
//
// A crash loses nothing: the primary appends what it decides to a file in its working folder, and
// does not answer before that is on the disk. The network may deliver a forwarded request twice:
// the same file tells which ones were decided, and how.
//
// With --lost-cas, a mistake to be caught, the other nodes make a compare-and-set of a read and a
// write: they read the value from the primary, compare it themselves, and send a write if it is the
// right one. What somebody else writes in between is overwritten, and of two that compare with one
// value both succeed.
'use strict';

const fs = require('fs');
const lostCas = process.argv.includes('--lost-cas');

const FIELDS = {
  __proto__: null, read: ['key'], write: ['key', 'value'], cas: ['key', 'from', 'to'],
};

let name = null; // until init
let primary = null;
let log = null; // the file, at the primary
const store = new Map(); // text of a key -> value, at the primary
const decided = new Map(); // id of a forwarded write or cas -> its answer, at the primary
const asked = new Map(); // id of a forwarded request -> what to do with the answer
// Ids must differ from those before a crash, or an old answer would be taken for a new one: they hold
// how often this node was started, which is the size of a file.
let starts = 0;
let count = 0;

// One text for what is equal in JSON, where the order of an object's fields does not matter.
function text(value) {
  if (Array.isArray(value)) return `[${value.map(text)}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((field) => `${text(field)}:${text(value[field])}`)}}`;
}

const error = (code, why) => ({ type: 'error', code, text: why });

function openLog() {
  log = fs.openSync(`lin_kv-${name}.log`, 'a+');
  const content = fs.readFileSync(log);
  // A crash while a line was written leaves the line without its end. It was never answered.
  const whole = content.subarray(0, content.lastIndexOf('\n') + 1);
  for (const line of whole.toString().split('\n').slice(0, -1)) learn(JSON.parse(line));
  fs.ftruncateSync(log, whole.length);
  // What was read may not be on the disk yet, if the crash came between write and fsync; a read may
  // answer it from now on, so it has to be. The same for the name of the file.
  fs.fsyncSync(log);
  fs.fsyncSync(fs.openSync('.', 'r'));
}

function countStart() {
  const file = fs.openSync(`lin_kv-${name}.starts`, 'a');
  fs.writeSync(file, '.');
  fs.fsyncSync(file);
  starts = fs.fstatSync(file).size;
}

function learn({ id, answer, key, value }) {
  if (key !== undefined) store.set(text(key), value);
  if (id !== null) decided.set(id, answer);
}

// What the primary answers. A `request` without an id comes from one of its own clients.
function decide(id, request) {
  // The second copy of a message gets the first one's answer, be it a refusal: a cas must not
  // succeed after its client may have been told that it failed. Reads may be done again.
  if (decided.has(id)) return decided.get(id);
  const key = text(request.key);
  const missing = error(20, 'the key does not exist');
  if (request.type === 'read') {
    return store.has(key) ? { type: 'read_ok', value: store.get(key) } : missing;
  }
  const record = { id, answer: { type: `${request.type}_ok` } };
  if (request.type === 'write') {
    Object.assign(record, { key: request.key, value: request.value });
  } else if (!store.has(key)) {
    record.answer = missing;
  } else if (text(store.get(key)) !== text(request.from)) {
    record.answer = error(22, `the value is ${text(store.get(key))}`);
  } else {
    Object.assign(record, { key: request.key, value: request.to });
  }
  fs.appendFileSync(log, `${JSON.stringify(record)}\n`);
  fs.fsyncSync(log); // before anybody may hear of it
  learn(record);
  return record.answer;
}

function forward(request, whenAnswered) {
  count += 1;
  const id = `${name}-${starts}-${count}`;
  asked.set(id, whenAnswered);
  send(primary, { type: 'forward', id, request });
}

// What a client asks, at any node.
function request(body, answer) {
  const absent = FIELDS[body.type].find((field) => body[field] === undefined);
  if (absent) answer(error(12, `${absent} has to be there`));
  else if (name === primary) answer(decide(null, body));
  else if (lostCas && body.type === 'cas') readThenWrite(body, answer);
  else forward(body, answer);
}

// The bug: what is compared is what the value was, and not what it is when it is replaced.
function readThenWrite({ key, from, to }, answer) {
  forward({ type: 'read', key }, (seen) => {
    if (seen.type === 'error') answer(seen);
    else if (text(seen.value) !== text(from)) answer(error(22, `the value is ${text(seen.value)}`));
    else forward({ type: 'write', key, value: to }, () => answer({ type: 'cas_ok' }));
  });
}

function receive({ src, dest, body }) {
  const answer = (content) => {
    if (body.msg_id !== undefined) send(src, { ...content, in_reply_to: body.msg_id }, dest);
  };
  if (body.type === 'init') {
    name = body.node_id;
    primary = body.node_ids[0];
    countStart();
    if (name === primary) openLog();
    answer({ type: 'init_ok' });
  } else if (name === null) { // nothing was done, so the client may be told that nothing was
    if (FIELDS[body.type]) answer(error(11, 'this node waits for its init'));
  } else if (FIELDS[body.type]) {
    request(body, answer);
  } else if (body.type === 'forward') {
    send(src, { type: 'decision', id: body.id, answer: decide(body.id, body.request) });
  } else if (body.type === 'decision') {
    const whenAnswered = asked.get(body.id);
    asked.delete(body.id); // a second copy of it finds nothing
    whenAnswered?.(body.answer);
  } else {
    answer(error(10, `${body.type} is not known to this store`));
  }
}

function send(to, body, self) {
  fs.writeSync(1, `${JSON.stringify({ src: name ?? self, dest: to, body })}\n`);
}

async function main() {
  let rest = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) receive(JSON.parse(line));
  }
}

main();
