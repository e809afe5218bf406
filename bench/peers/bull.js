// bull.js: Bull, with jobs removed when they are done, as its users set it up.
import Bull from 'bull'

export async function open(url) {
  const queue = new Bull('bench', url)
  const options = { removeOnComplete: true }
  await queue.isReady()
  return {
    one: (payload) => queue.add(payload, options),
    many: (payloads) => queue.addBulk(payloads.map((data) => ({ data, opts: options }))),
    async work({ workers }, done) {
      queue.on('completed', () => done(1))
      queue.on('failed', (job, error) => {
        console.error(error)
        process.exitCode = 1
      })
      void queue.process(workers, async () => 'done')
      return () => queue.pause(true)
    },
    async left() {
      const counts = await queue.getJobCounts()
      return counts.waiting + counts.active + counts.delayed + counts.failed
    },
    close: () => queue.close()
  }
}
