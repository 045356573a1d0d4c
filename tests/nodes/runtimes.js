// A correct vc store that gossips every PERIOD ms, of a worker thread that beats time, a child process, and promises that time out.
// usage: node runtimes.js [PERIOD]
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads')
const { execFile } = require('child_process')
const fs = require('fs')
const timers = require('timers/promises')
const period = Number(process.argv[2] || 200)
if (!isMainThread) {
  const wait = new Int32Array(new SharedArrayBuffer(4))
  for (let beat = 0; ; beat++) {
    Atomics.wait(wait, 0, 0, workerData * (0.5 + Math.random()))
    parentPort.postMessage(beat)
  }
}
const file = (process.env.SIBCHECK_DATA_DIR || '.') + '/db'
let me, peers = [], [db, counter] = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file)) : [{}, {}], deadline = Promise.resolve()
const covers = (a, b) => Object.entries(b).every(([k, v]) => (a[k] || 0) >= v)
const send = (dest, body) => process.stdout.write(JSON.stringify({ src: me, dest, body }) + '\n')
function add(key, s) {
  const siblings = db[key] || []
  if (siblings.some(o => covers(o.vc, s.vc))) return
  db[key] = siblings.filter(o => !covers(s.vc, o.vc)).concat(s)
}
function save() {
  fs.writeFileSync(file + '.new', JSON.stringify([db, counter]), { flush: true })
  fs.renameSync(file + '.new', file)
}
function gossip() {
  if (peers.length && Object.keys(db).length) send(peers[Math.floor(Math.random() * peers.length)], { type: 'all', db })
}
function handle({ src, body: b }) {
  const reply = body => send(src, { ...body, in_reply_to: b.msg_id })
  switch (b.type) {
    case 'init':
      me = b.node_id; peers = b.node_ids.filter(n => n !== me)
      new Worker(__filename, { workerData: period }).on('message', async beat => {
        if (beat % 50 === 1) execFile('sleep', [String(period / 5000)], gossip)
        await Promise.race([timers.setTimeout(period / 10), timers.setTimeout(period, null, { ref: false }), deadline])
        gossip()
      })
      deadline = timers.setTimeout(3600e3, null, { ref: false })
      return reply({ type: 'init_ok' })
    case 'vc_write': {
      const actor = src + '@' + me, id = b.key + ' ' + actor
      const n = Math.max(counter[id] || 0, b.context[actor] || 0) + 1
      counter[id] = n
      const vc = { ...b.context, [actor]: n }
      add(b.key, { value: b.value, vc })
      save()
      return reply({ type: 'vc_write_ok', key: b.key, vc })
    }
    case 'vc_read': return reply({ type: 'vc_read_ok', values: db[b.key] || [] })
    case 'all':
      for (const [key, siblings] of Object.entries(b.db)) siblings.forEach(s => add(key, s))
      return save()
    default: reply({ type: 'error', code: 10, text: 'what is ' + b.type })
  }
}
if (isMainThread) {
  require('readline').createInterface({ input: process.stdin }).on('line', line => handle(JSON.parse(line))).on('close', () => process.exit())
}
