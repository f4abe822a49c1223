/**
 * Takes out each protection, one at a time, and demands that its attack tests turn red: a test that stays
 * green without the gate that it is about shows nothing.
 *
 * Usage: npm run ablate [-- part of a gate's name]
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ablation } from './ablate/ablation.ts'
import { ABLATIONS } from './ablate/gates.ts'

/** More than there are cores: a protection taken out often leaves its attack waiting. */
const AT_ONCE = 4
/** Long enough for any attack to fail that waits. */
const TEST_TIMEOUT_MS = 10_000

interface Outcome {
  /** The title of a test that turned red. */
  readonly red?: string | undefined
  /** Why the run shows nothing. */
  readonly broken?: string
}

const wanted = process.argv[2] ?? ''
const scratch = mkdtempSync(join(tmpdir(), 'bridgekeeper-ablate-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))

const waiting = [...ABLATIONS.entries()].filter(([, { gate }]) => gate.includes(wanted))
const chosen = waiting.length
let green = 0
await Promise.all(Array.from({ length: AT_ONCE }, work))
console.log(
  green === 0
    ? `${chosen} protections taken out, each missed by its tests.`
    : `${green} of ${chosen} protections are not missed by their tests.`,
)
process.exitCode = green === 0 && chosen > 0 ? 0 : 1

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [number, ablation] = next
    const { red, broken } = await run(number, ablation)
    if (red === undefined) green++
    const result = broken ?? (red === undefined ? 'NOT MISSED' : `missed by ${red}`)
    console.log(`${red === undefined ? '✗' : '✓'} ${ablation.gate}: ${result}`)
  }
}

async function run(number: number, { tests }: Ablation): Promise<Outcome> {
  const report = join(scratch, `${number}.json`)
  const args = [
    'run',
    ...tests,
    '--reporter=json',
    `--outputFile=${report}`,
    `--testTimeout=${TEST_TIMEOUT_MS}`,
    // The first that misses it is enough.
    '--bail=1',
  ]
  const vitest = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', ...args, '--maxWorkers=1'], {
    env: { ...process.env, BRIDGEKEEPER_ABLATE: String(number) },
    stdio: 'ignore',
  })
  await new Promise((resolve) => vitest.once('close', resolve))
  return read(report)
}

interface Report {
  readonly testResults: readonly {
    readonly message: string
    readonly assertionResults: readonly { readonly status: string; readonly title: string }[]
  }[]
}

function read(path: string): Outcome {
  try {
    const { testResults } = JSON.parse(readFileSync(path, 'utf8')) as Report
    const red = testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .find(({ status }) => status === 'failed')
    if (red !== undefined) return { red: red.title }
    const unloaded = testResults.find(({ assertionResults }) => assertionResults.length === 0)
    return unloaded === undefined ? {} : { broken: `the tests do not load: ${unloaded.message}` }
  } catch {
    return { broken: 'vitest left no report' }
  }
}
