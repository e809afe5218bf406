// graphile.js: Graphile Worker; batched as its documentation tells: a local queue, and completions
// that are gathered.
import { Logger, makeWorkerUtils, run } from 'graphile-worker'

const TASK = 'bench'
const LOCAL_QUEUE = 500 // of its own benchmark
const quiet = new Logger(() => (level, message) => {
  if (level === 'error') {
    console.error(message)
    process.exitCode = 1
  }
})

export async function open(url, connections) {
  const options = { connectionString: url, maxPoolSize: connections, logger: quiet }
  const utils = await makeWorkerUtils(options)
  await utils.migrate()
  return {
    one: (payload) => utils.addJob(TASK, payload),
    many: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: TASK, payload }))),
    work: (how, done) => work(url, connections, how, done),
    async left() {
      const { rows } = await utils.withPgClient((client) => client.query(
        'SELECT count(*)::int AS left FROM graphile_worker._private_jobs'))
      return rows[0].left
    },
    close: () => utils.release()
  }
}

async function work(url, connections, { batch, workers }, done) {
  const batched = batch === 1 ? {} : {
    localQueue: { size: LOCAL_QUEUE },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0
  }
  const runner = await run({
    preset: { worker: { connectionString: url, maxPoolSize: connections, concurrentJobs: workers,
      logger: quiet, ...batched } },
    taskList: { [TASK]: async () => done(1) },
    noHandleSignals: true,
    parsedCronItems: []
  })
  return () => runner.stop()
}
