import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { onTestFinished, test } from 'vitest'
import { SessionPlay, type Step } from '../support/session-play.ts'

/** Steps by how often they come. */
const WEIGHTS: Record<Step['does'], number> = {
  ...{ progress: 3, log: 3, ask: 6, withdraw: 1, answer: 3, change: 3, update: 4 },
  ...{ open: 7, read: 4, readOn: 2, resume: 6, steal: 1, reply: 6, cancel: 1, detach: 2, done: 1 },
  ...{ level: 2, subscribe: 4, delete: 3, disconnect: 2, connect: 4, restart: 2 },
}

const step = fc.record<Step>({
  does: fc.oneof(
    ...Object.entries(WEIGHTS).map(([does, weight]) => ({
      weight,
      arbitrary: fc.constant(does as Step['does']),
    })),
  ),
  ...{ session: fc.nat(3), at: fc.nat(3), pick: fc.nat(2) },
})

test('[STREAM.26] keeps messages and answers of sessions apart through questions, DELETE and restarts', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bridgekeeper-play-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  let runs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 50 }), async (steps) => {
      const play = new SessionPlay(join(folder, `${++runs}.json`))
      await play.start()
      for (const each of steps) await play.act(each)
      await play.finish()
    }),
    { numRuns: 500 },
  )
})
