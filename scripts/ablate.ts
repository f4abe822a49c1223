/**
 * Takes out each protection, one at a time, and demands that its attack tests turn red: a test that stays
 * green without the gate that it is about shows nothing.
 *
 * Usage: npm run ablate [-- part of a gate's name]
 */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Outcome } from './ablate/ablation.ts'
import { ABLATIONS } from './ablate/gates.ts'

/** More than there are cores: a protection taken out often leaves its attack waiting. */
const AT_ONCE = 4
const RUNNER = join(import.meta.dirname, 'ablate/runner.ts')

const wanted = process.argv[2] ?? ''
const waiting = [...ABLATIONS.entries()].filter(([, { gate }]) => gate.includes(wanted))
const chosen = waiting.length
let green = 0
await Promise.all(Array.from({ length: Math.min(AT_ONCE, chosen) }, work))
console.log(
  green === 0
    ? `${chosen} protections taken out, each missed by its tests.`
    : `${green} of ${chosen} protections are not missed by their tests.`,
)
process.exitCode = green === 0 && chosen > 0 ? 0 : 1

async function work(): Promise<void> {
  let runner = start()
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [number, { gate }] = next
    if (!runner.connected) runner = start()
    const { red, broken } = await run(runner, number)
    if (red === undefined) green++
    const result = broken ?? (red === undefined ? 'NOT MISSED' : `missed by ${red}`)
    console.log(`${red === undefined ? '✗' : '✓'} ${gate}: ${result}`)
  }
  if (runner.connected) runner.disconnect()
}

function start(): ChildProcess {
  return fork(RUNNER, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
}

function run(runner: ChildProcess, number: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const crashed = (code: number | null) => resolve({ broken: `the runner ended with exit code ${code}` })
    runner.once('exit', crashed)
    runner.once('message', (outcome: Outcome) => {
      runner.off('exit', crashed)
      resolve(outcome)
    })
    runner.send(number)
  })
}
