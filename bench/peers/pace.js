// pace.js: drives one peer through one measurement, and prints what it found as JSON.
//
//   node pace.js PEER prepare URL                 makes its tables
//   node pace.js PEER fill URL JOBS               and so many jobs
//   node pace.js PEER enqueue|enqueue-batch URL SECONDS
//   node pace.js PEER life|life-mixed|life-batch URL SECONDS WORKERS
//                                                 a producer and workers at once: both one by one,
//                                                 only the workers in batches, both in batches
//   node pace.js PEER drain URL JOBS WORKERS      workers alone, batched, on what was filled in
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

const WARMUP_S = 1
const DRAIN_S = 60
const TELL_MS = 10
const FILL = 1000

// How much waits at most while producer and workers run at once, and what both do at a time.
const SINGLE = { batch: 1, inFlight: 64, ahead: 1000 }
const BATCHED = { batch: 100, inFlight: 8, ahead: 5000 }
const CONNECTIONS = { producer: 30, workers: 64 } // of PostgreSQL's hundred

const [peerName, mode, url, amountText, workersText] = process.argv.slice(2)
const amount = Number(amountText)
const workers = Number(workersText)
const { open } = await import(`./${peerName}.js`)

// 200 bytes of JSON.
const words = 'a task server keeps what it was given until somebody has done it and said so, and ' +
  'then it keeps what they said; these words only fill the payload up to its two hundred bytes'
let sequence = 0
const payload = () => ({ n: String(sequence++).padStart(12, '0'), text: words.slice(0, 168) })

// Each of `inFlight` loops adds jobs as long as `more` says how many it may (0: wait a moment).
async function produce(peer, { batch, inFlight }, more, added) {
  const loop = async () => {
    for (let count; (count = more(batch)) !== null;) {
      if (count === 0) await sleep(1)
      else if (count === 1) await peer.one(payload())
      else await peer.many(Array.from({ length: count }, payload))
      added(count)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, loop))
}

// Since the peer was opened: what Node spends on starting is none of its tasks' time.
let opened = process.cpuUsage()
const cpuUs = () => {
  const { user, system } = process.cpuUsage(opened)
  return user + system
}

// The counter's rate over the window after the warm-up.
async function timed(seconds, count) {
  await sleep(WARMUP_S * 1000)
  const began = performance.now()
  const before = count()
  await sleep(seconds * 1000)
  return { jobs: count() - before, seconds: (performance.now() - began) / 1000 }
}

async function enqueue(peer, how) {
  let total = 0
  let over = false
  const producing = produce(peer, how, (batch) => over ? null : batch, (n) => { total += n })
  const found = await timed(amount, () => total)
  over = true
  await producing
  return { ...found, total }
}

// Runs in a process of its own, as producers do, and is told how many jobs are done.
async function produceBeside(peer, how) {
  let added = 0
  let asked = 0
  let done = 0
  let over = false
  process.on('message', (message) => {
    if (message === 'stop') over = true
    else done = message
  })
  process.send('ready')
  await produce(peer, how, (batch) => {
    if (over) return null
    if (asked + batch > done + how.ahead) return 0
    asked += batch
    return batch
  }, (n) => { added += n })
  process.send({ added, cpuUs: cpuUs() })
  process.disconnect()
}

async function life(peer, how, producerMode) {
  let done = 0
  const producer = fork(process.argv[1], [peerName, producerMode, url], { execPath: process.execPath })
  await once(producer, 'message')
  const telling = setInterval(() => producer.send(done), TELL_MS)
  const stop = await peer.work({ ...how, workers }, (n) => { done += n })
  const found = await timed(amount, () => done)
  clearInterval(telling)
  producer.send('stop')
  const [said] = await once(producer, 'message')
  await until(() => done >= said.added)
  await stop()
  return { ...found, total: done, producerCpuUs: said.cpuUs }
}

async function until(what) {
  const began = performance.now()
  while (!what()) {
    if (performance.now() - began > DRAIN_S * 1000) throw new Error('some jobs were never done')
    await sleep(1)
  }
}

async function drain(peer) {
  let done = 0
  const began = performance.now()
  const stop = await peer.work({ ...BATCHED, workers }, (n) => { done += n })
  await until(() => done >= amount)
  await stop()
  return { jobs: done, seconds: (performance.now() - began) / 1000, total: done }
}

async function fill(peer) {
  for (let left = amount; left > 0; left -= FILL) {
    await peer.many(Array.from({ length: Math.min(left, FILL) }, payload))
  }
  return {}
}

const modes = {
  prepare: async () => ({}),
  fill,
  enqueue: (peer) => enqueue(peer, SINGLE),
  'enqueue-batch': (peer) => enqueue(peer, { batch: 1000, inFlight: 4 }),
  life: (peer) => life(peer, SINGLE, 'produce'),
  'life-mixed': (peer) => life(peer, BATCHED, 'produce'),
  'life-batch': (peer) => life(peer, BATCHED, 'produce-batch'),
  drain,
  produce: (peer) => produceBeside(peer, SINGLE),
  'produce-batch': (peer) => produceBeside(peer, BATCHED)
}

const connections = mode.startsWith('produce') ? CONNECTIONS.producer : CONNECTIONS.workers
const peer = await open(url, connections)
opened = process.cpuUsage()
const found = await modes[mode](peer)
if (mode.startsWith('life') || mode === 'drain') {
  const left = await peer.left()
  if (left !== 0) throw new Error(`${left} jobs were left`)
}
await peer.close()
if (found) console.log(JSON.stringify({ ...found, cpuUs: cpuUs() + (found.producerCpuUs ?? 0) }))
