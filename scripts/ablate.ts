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
/** No ablation's tests take this long, unless one never ends. */
const LIMIT_MS = 180_000
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
  // A process group for it and its worker, which does not notice its end while it runs in a circle.
  return fork(RUNNER, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], detached: true })
}

function run(runner: ChildProcess, number: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const crashed = (code: number | null) => settle({ broken: `the runner ended with exit code ${code}` })
    const timer = setTimeout(() => process.kill(-(runner.pid as number), 'SIGKILL'), LIMIT_MS)
    const settle = (outcome: Outcome) => {
      clearTimeout(timer)
      runner.off('exit', crashed).off('message', settle)
      resolve(outcome)
    }
    runner.once('exit', crashed)
    runner.once('message', settle)
    runner.send(number)
  })
}
