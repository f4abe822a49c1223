/**
 * A separate process that outlives the agent by a few seconds. It reads `+<group>`, `+<mark>` and the same with `-` as
 * lines from the agent. When that pipe ends, for any reason, it ends all processes still registered: a killed agent
 * cannot clean up after itself.
 */
import { pause, realSystem } from '../system.ts'
import { type Family, findFamily, signalFamily } from './family.ts'
import { signalGroup } from './groups.ts'
import { LineSplitter } from './lines.ts'

/** Time to close, after the end of the agent closed the standard input of each server. */
const CLOSE_MS = 1_500
const TERM_MS = 1_000
/** Delay for processes that were started during the kill. */
const LATE_MS = 200
const POLL_MS = 100
const MAX_LINE_BYTES = 64
const never = new AbortController().signal

const groups = new Set<number>()
const marks = new Set<string>()
const lines = new LineSplitter(MAX_LINE_BYTES)

// A signal that ends the agent must not end its reaper first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

process.stdin.on('data', (chunk: Buffer) => {
  for (const line of lines.push(chunk) ?? []) register(line.toString('latin1'))
})
process.stdin.on('error', () => {})
process.stdin.on('close', () => void reap())

function register(line: string): void {
  const isAdded = line.startsWith('+')
  const text = line.slice(1)
  if (text.includes('-')) {
    if (isAdded) marks.add(text)
    else marks.delete(text)
    return
  }
  const group = Number(text)
  // kill(-1) would reach every process of the user, and kill(-0) this one's own group.
  if (!Number.isSafeInteger(group) || group <= 1) return
  if (isAdded) groups.add(group)
  else groups.delete(group)
}

async function reap(): Promise<void> {
  let known: Family = new Map()
  const isOver = () => {
    known = findFamily({ groups, marks, known })
    return known.size === 0 && ![...groups].some((group) => signalGroup(group, 0))
  }
  const endsWithin = async (limitMs: number) => {
    const endMs = realSystem.monotonicMs() + limitMs
    while (!isOver()) {
      if (realSystem.monotonicMs() >= endMs) return false
      await pause(realSystem, POLL_MS, never)
    }
    return true
  }
  const signalAll = (signal: NodeJS.Signals) => {
    for (const group of groups) signalGroup(group, signal)
    signalFamily(known, signal)
  }
  if (groups.size + marks.size === 0 || (await endsWithin(CLOSE_MS))) return process.exit()
  signalAll('SIGTERM')
  // A process that was stopped takes the signal only now.
  if (process.platform !== 'win32') signalAll('SIGCONT')
  if (await endsWithin(TERM_MS)) return process.exit()
  signalAll('SIGKILL')
  if (!(await endsWithin(LATE_MS))) signalAll('SIGKILL')
  process.exit()
}
