import type { LineSink, System } from '@bridgekeeper/bridge'
import { takeLock } from '../adapters/process-lock.ts'
import { SetupError } from '../config/setup-error.ts'
import type { DataFolder } from '../data/data-folder.ts'
import { demandTrusted } from '../data/file-rights.ts'
import { anchorPath, currentPath } from './files.ts'
import { OutboxDrain } from './outbox-drain.ts'
import { type ChainedLog, createSecurityLog } from './security-log.ts'

export interface NodeLogOptions {
  readonly path: string
  readonly data: DataFolder
  readonly system: System
  readonly sinks?: readonly LineSink[]
}

/** Path of the file that a node locks while it has the log open. */
export function lockPath(folder: string): string {
  return `${currentPath(folder)}.lock`
}

/**
 * Opens the security log of a data folder for this process alone. Every second it also writes the events that
 * other processes, such as `bridgekeeper user add`, left in the outbox.
 * @throws SetupError `data_folder_busy`, `log_unusable`, `rights_unsafe`, or if the secret is invalid
 */
export function openNodeLog(options: NodeLogOptions): ChainedLog {
  const { path, data, system } = options
  const key = data.keyFor('security log anchor')
  for (const file of [currentPath(path), anchorPath(path)]) demandTrusted(file)
  const unlock = lock(path)
  const log = openOrUnlock(options, key, unlock)
  const drain = new OutboxDrain(data.outbox, log, system)
  drain.start()
  return {
    logSecurityEvent: log.logSecurityEvent,
    recordAt: log.recordAt,
    afterWritten: log.afterWritten,
    get writable() {
      return log.writable
    },
    async close() {
      await drain.close()
      unlock()
    },
  }
}

function lock(folder: string): () => void {
  const unlock = attempt(() => takeLock(lockPath(folder)))
  if (unlock !== undefined) return unlock
  throw new SetupError(
    'data_folder_busy',
    `Another bridge uses the data folder ${folder}.`,
    'Stop it, or choose another folder for this one: --data DIR, or BRIDGEKEEPER_DATA=DIR in the environment.',
  )
}

function openOrUnlock(
  { path, system, sinks }: NodeLogOptions,
  key: Uint8Array,
  unlock: () => void,
): ChainedLog {
  try {
    return attempt(() => createSecurityLog({ folder: path, key, system, ...(sinks && { sinks }) }))
  } catch (error) {
    unlock()
    throw error
  }
}

function attempt<T>(open: () => T): T {
  try {
    return open()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new SetupError(
      'log_unusable',
      `The security log cannot be opened: ${why}`,
      'Without it every call is refused. Free disk space, or correct the rights of security.log and its folder.',
      { cause: error },
    )
  }
}
