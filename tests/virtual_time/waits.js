// Waits in every way that Node.js has, and says for how long it did by its clock.
const { setTimeout: sleep, setInterval: every } = require('timers/promises');
const { spawn } = require('child_process');
const { Worker } = require('worker_threads');

async function row(name, wait) {
  const began = process.hrtime.bigint();
  await wait();
  console.log(name, Number((process.hrtime.bigint() - began) / 1000000n));
}

(async () => {
  await row('setTimeout', () => sleep(137));
  await row('setInterval', async () => {
    let n = 0;
    for await (const _ of every(10)) if (++n === 10) break;
  });
  await row('all', () => Promise.all(Array.from({ length: 137 }, (_, n) => sleep(n + 1))));
  await row('race', () => Promise.race([sleep(137), sleep(50)]));
  await row('Atomics.wait', () =>
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 137));
  await row('child', () => new Promise((done) => spawn('sleep', ['0.137']).on('exit', done)));
  await row('worker', () => new Promise((done) =>
    new Worker('setTimeout(() => {}, 137)', { eval: true }).on('exit', done)));
})();
