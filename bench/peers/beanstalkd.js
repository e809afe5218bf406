// beanstalkd.js: beanstalkd, which has no batches: a connection for each loop, one command at a
// time on it.
import jackd from 'jackd'

const WAIT_S = 1 // of a reserve that finds nothing, so that its loop can end

const Client = jackd.JackdClient ?? jackd
async function connect(url) {
  const client = new Client()
  await client.connect({ host: url.hostname, port: Number(url.port) })
  return client
}

export async function open(text, connections) {
  const url = new URL(text)
  const own = await connect(url)
  const free = await Promise.all(Array.from({ length: connections }, () => connect(url)))
  const all = [own, ...free]
  const waiting = []
  // `many` may ask for more than there are; the rest waits its turn.
  async function put(payload) {
    const client = free.pop() ?? await new Promise((resume) => waiting.push(resume))
    try {
      await client.put(payload)
    } finally {
      const next = waiting.shift()
      if (next) next(client)
      else free.push(client)
    }
  }
  return {
    one: put,
    many: (payloads) => Promise.all(payloads.map(put)),
    work: ({ workers }, done) => work(url, workers, done),
    async left() {
      const stats = String(await own.stats()) // YAML
      return ['ready', 'reserved', 'delayed', 'buried']
        .reduce((sum, state) => sum + Number(stats.match(`current-jobs-${state}: (\\d+)`)[1]), 0)
    },
    close: () => Promise.all(all.map((client) => client.quit()))
  }
}

async function work(url, workers, done) {
  let stopping = false
  const loop = async () => {
    const client = await connect(url)
    while (!stopping) {
      try {
        const { id } = await client.reserveWithTimeout(WAIT_S)
        await client.delete(id)
        done(1)
      } catch (error) {
        if (!String(error.message).includes('TIMED_OUT')) throw error
      }
    }
    await client.quit()
  }
  const loops = Promise.all(Array.from({ length: workers }, loop))
  return async () => {
    stopping = true
    await loops
  }
}
