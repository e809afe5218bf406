// bullmq.js: BullMQ, with jobs removed when they are done.
import { Queue, Worker } from 'bullmq'
import Redis from 'ioredis'

const QUEUE = 'bench'
const connect = (url) => new Redis(url, { maxRetriesPerRequest: null })

export async function open(url) {
  const connection = connect(url)
  const queue = new Queue(QUEUE, { connection, defaultJobOptions: { removeOnComplete: true } })
  await queue.waitUntilReady()
  return {
    one: (payload) => queue.add('bench', payload),
    many: (payloads) => queue.addBulk(payloads.map((data) => ({ name: 'bench', data }))),
    work: ({ workers }, done) => work(connect(url), workers, done),
    async left() {
      const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized', 'failed')
      return Object.values(counts).reduce((sum, count) => sum + count)
    },
    async close() {
      await queue.close()
      connection.disconnect()
    }
  }
}

async function work(connection, workers, done) {
  const worker = new Worker(QUEUE, async () => 'done', { connection, concurrency: workers })
  worker.on('completed', () => done(1))
  worker.on('failed', (job, error) => {
    console.error(error)
    process.exitCode = 1
  })
  await worker.waitUntilReady()
  return async () => {
    await worker.close()
    connection.disconnect()
  }
}
