import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { realSystem, type SecurityEvent } from '@bridgekeeper/bridge'
import {
  type ChainedLog,
  createSecurityLog,
  type SecurityLogOptions,
  type Verification,
  verifyLog,
} from '@bridgekeeper/standalone'
import { scratch } from '../../../../test/support/scratch.ts'

export const KEY = Buffer.alloc(32, 3)

export const call = (toolName: string): SecurityEvent => ({
  event: 'ws_tool_execution_request',
  userId: 'user_0123456789abcdef01234567',
  ip: '127.0.0.1',
  serverName: 'files',
  toolName,
  requestId: 'CnYMwm4ZE5bUOnG1XO3s0a',
})

export function openTestLog(options: Partial<SecurityLogOptions> = {}): ChainedLog & { folder: string } {
  const folder = options.folder ?? scratch()
  const log = createSecurityLog({ key: KEY, system: realSystem(), ...options, folder })
  return Object.assign(log, { folder })
}

/** Writes events to a new log and closes it. */
export async function writtenLog(
  events: readonly SecurityEvent[],
  options: Partial<SecurityLogOptions> = {},
): Promise<string> {
  const log = openTestLog(options)
  for (const event of events) log.logSecurityEvent(event)
  await log.close()
  return log.folder
}

export const current = (folder: string): string => join(folder, 'security.log')

export const linesOf = (folder: string): string[] =>
  readFileSync(current(folder), 'utf8').split('\n').slice(0, -1)

export const recordsOf = (folder: string): Record<string, unknown>[] =>
  linesOf(folder).map((line) => JSON.parse(line))

export const verify = (folder: string): Verification => verifyLog(folder, KEY)
