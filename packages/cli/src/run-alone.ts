import { resolve } from 'node:path'
import type { Keychain, RunningAgent } from '@bridgekeeper/agent'
import { iso } from './moment.ts'
import { UsageError } from './usage-error.ts'

/**
 * [CLI.34] Lets one `connect` at a time run for a bridge with these keys.
 * @returns releases the lock
 * @throws UsageError `already_running` AgentError `keychain_…`
 */
export async function runAlone(keys: Keychain, bridge: string, config: string): Promise<() => void> {
  const own = { pid: process.pid, sinceMs: Date.now(), config: resolve(config) }
  const lock = await keys.lockAgent(bridge, own)
  if (lock.is === 'taken') return lock.release
  throw alreadyRunning(bridge, lock.agent)
}

function alreadyRunning(bridge: string, agent: RunningAgent | undefined): UsageError {
  const which = agent === undefined ? '' : ` (process ${agent.pid}, since ${iso(agent.sinceMs)})`
  return new UsageError(
    `An agent of this machine runs already for ${bridge}${which}.`,
    [
      `To add servers, add them to ${agent?.config ?? 'its config file'}; that agent starts them.`,
      `To stop it: ${agent === undefined ? 'press Ctrl-C where it runs' : stopCommand(agent.pid)}.`,
      'To run another beside it, as another machine, set BRIDGEKEEPER_HOME to another folder.',
    ].join(' '),
    'already_running',
  )
}

function stopCommand(pid: number): string {
  return process.platform === 'win32' ? `taskkill /F /PID ${pid}` : `kill ${pid}`
}
