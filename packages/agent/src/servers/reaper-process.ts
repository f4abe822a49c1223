/**
 * A process of its own that outlives the agent by a second. It reads `+<group>` and `-<group>` lines
 * from the agent, and when that pipe ends, for whatever reason, it ends the groups still registered:
 * a killed agent cannot clean up after itself.
 */
import { pause, realSystem } from '../system.ts'
import { signalGroup } from './groups.ts'
import { LineSplitter } from './lines.ts'

const GRACE_MS = 1_000
const POLL_MS = 50
const MAX_LINE_BYTES = 32
const never = new AbortController().signal

const groups = new Set<number>()
const lines = new LineSplitter(MAX_LINE_BYTES)

// Whatever ends the agent must not end its reaper first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

process.stdin.on('data', (chunk: Buffer) => {
  for (const line of lines.push(chunk) ?? []) register(line.toString('latin1'))
})
process.stdin.on('error', () => {})
process.stdin.on('close', () => void reap())

function register(line: string): void {
  const group = Number(line.slice(1))
  // kill(-1) would reach every process of the user, and kill(-0) this one's own group.
  if (!Number.isSafeInteger(group) || group <= 1) return
  if (line.startsWith('+')) groups.add(group)
  else groups.delete(group)
}

async function reap(): Promise<void> {
  for (const group of groups) signalGroup(group, 'SIGTERM')
  for (let waitedMs = 0; waitedMs < GRACE_MS && living().length > 0; waitedMs += POLL_MS) {
    await pause(realSystem, POLL_MS, never)
  }
  for (const group of living()) signalGroup(group, 'SIGKILL')
  process.exit()
}

function living(): readonly number[] {
  return [...groups].filter((group) => signalGroup(group, 0))
}
