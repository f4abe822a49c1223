import { hasCode, isObject, parseJson } from '@bridgekeeper/protocol'
import { z } from 'zod'
import { pause, type System } from '../system.ts'
import { takeLock } from './file-lock.ts'
import { readPrivate, writePrivate } from './private-file.ts'

const note = z.strictObject({
  pid: z.int().positive(),
  sinceMs: z.number().nonnegative(),
  config: z.string().max(4_096),
})
/** An agent that runs on this machine for a bridge. */
export type RunningAgent = Readonly<z.infer<typeof note>>

export type AgentLock =
  | { readonly is: 'taken'; readonly release: () => void }
  /** Without `agent` if it could not be found out. */
  | { readonly is: 'running'; readonly agent: RunningAgent | undefined }

const TRY_MS = 20
/** Time limit for the note of an agent that has just taken the lock. */
const NOTE_MS = 1_000

/**
 * Takes the lock of one running agent, and notes which one has it. The operating system releases the lock when the
 * process ends, so the note of a killed agent locks nobody out.
 * @param path of the lock and the note, without a suffix
 * @throws AgentError `keychain_unusable`, `keychain_exposed`
 */
export async function lockAgent(system: System, path: string, own: RunningAgent): Promise<AgentLock> {
  const untilMs = system.monotonicMs() + NOTE_MS
  const never = new AbortController().signal
  for (;;) {
    const lock = takeLock(`${path}.lock`)
    if (lock !== undefined) return noted(`${path}.json`, own, () => lock.close())
    const agent = readNote(await readPrivate(`${path}.json`))
    // The note may be that of an earlier agent, which was killed.
    if (agent !== undefined && isRunning(agent.pid)) return { is: 'running', agent }
    if (system.monotonicMs() >= untilMs) return { is: 'running', agent: undefined }
    await pause(system, TRY_MS, never)
  }
}

async function noted(path: string, own: RunningAgent, release: () => void): Promise<AgentLock> {
  try {
    await writePrivate(path, `${JSON.stringify(own)}\n`)
    return { is: 'taken', release }
  } catch (error) {
    release()
    throw error
  }
}

function readNote(content: string | undefined): RunningAgent | undefined {
  const value = parseJson(content ?? '')?.value
  return isObject(value) ? note.safeParse(value).data : undefined
}

/** Whether a process has this id. One of another user cannot be signalled, but runs. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}
