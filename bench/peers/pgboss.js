// pgboss.js: pg-boss, asked directly for jobs: its own workers poll twice a second at best.
import { PgBoss } from 'pg-boss'

const QUEUE = 'bench'
const IDLE_MS = 2 // between two looks at an empty queue

export async function open(url, connections) {
  const boss = new PgBoss({ connectionString: url, max: connections })
  boss.on('error', (error) => {
    console.error(error)
    process.exitCode = 1
  })
  await boss.start()
  await boss.createQueue(QUEUE)
  return {
    one: (payload) => boss.send(QUEUE, payload),
    many: (payloads) => boss.insert(QUEUE, payloads.map((data) => ({ data }))),
    work: async ({ batch, workers }, done) => work(boss, batch, workers, done),
    async left() {
      const { rows } = await boss.getDb().executeSql(
        "SELECT count(*)::int AS left FROM pgboss.job WHERE state < 'completed'")
      return rows[0].left
    },
    close: () => boss.stop({ graceful: false, close: true })
  }
}

// Returns what stops it.
function work(boss, batch, workers, done) {
  let stopping = false
  const loop = async () => {
    while (!stopping) {
      const jobs = await boss.fetch(QUEUE, { batchSize: batch })
      if (jobs.length === 0) {
        await new Promise((resume) => setTimeout(resume, IDLE_MS))
        continue
      }
      await boss.complete(QUEUE, jobs.map((job) => job.id))
      done(jobs.length)
    }
  }
  const loops = Promise.all(Array.from({ length: workers }, loop))
  return async () => {
    stopping = true
    await loops
  }
}
