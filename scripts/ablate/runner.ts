import { join } from 'node:path'
import { createVitest, type Reporter, type Vitest } from 'vitest/node'
import type { Edit, Outcome } from './ablation.ts'
import { ABLATIONS } from './gates.ts'

/**
 * A process with one Vitest. Its parent sends it the number of an ablation and gets back the outcome, time after time:
 * a Vitest for each ablation would load the same sources 300 times.
 */

/** Long enough for any attack to fail that waits. */
const TEST_TIMEOUT_MS = 10_000
const root = join(import.meta.dirname, '../..')
let vitest: Vitest | undefined
/** Of the ablation that runs. */
let outcome: Outcome = {}

const reporter: Reporter = {
  onTestCaseResult(test) {
    if (outcome.red !== undefined || test.result().state !== 'failed') return
    outcome = { ...outcome, red: test.name }
    // The first that misses it is enough.
    void vitest?.cancelCurrentRun('test-failure')
  },
  onTestModuleEnd(module) {
    const [error] = module.errors()
    if (error !== undefined) outcome = { broken: `the tests do not load: ${error.message}`, ...outcome }
  },
}

process.on('message', (number: number) => void run(number).then(() => process.send?.(outcome)))
process.on('disconnect', () => process.exit())

async function run(number: number): Promise<void> {
  const ablation = ABLATIONS[number]
  if (ablation === undefined) throw new Error(`Ablation ${number} does not exist.`)
  process.env.BRIDGEKEEPER_ABLATE = String(number)
  vitest ??= await createVitest('test', {
    root,
    watch: false,
    maxWorkers: 1,
    testTimeout: TEST_TIMEOUT_MS,
    reporters: [reporter],
  })
  outcome = {}
  forget(vitest, ablation.edits)
  await vitest.runTestSpecifications(await vitest.globTestSpecifications([...ablation.tests]))
  // The next ablation needs these sources as they are.
  forget(vitest, ablation.edits)
}

/** Has these files transformed again. */
function forget(from: Vitest, edits: readonly Edit[]): void {
  for (const { file } of edits) from.invalidateFile(join(root, file))
}
