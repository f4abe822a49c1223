import { accessSync, constants, existsSync } from 'node:fs'
import type { System } from '@bridgekeeper/bridge'
import type { Environment } from '@bridgekeeper/bridge/parts'
import { isLocked } from '../adapters/process-lock.ts'
import type { Counts } from '../adapters/sql/counts.ts'
import { SetupError } from '../config/setup-error.ts'
import { DataFolder } from '../data/data-folder.ts'
import { notedNodeUrl } from '../data/node-file.ts'
import { currentPath } from '../security-log/files.ts'
import { lockPath } from '../security-log/node-log.ts'

/** The state of an installation, as its data folder and its store show it. */
export interface Status {
  /** The node that holds this folder's security log; `undefined` if none runs. */
  readonly node: { readonly url?: string | undefined } | undefined
  readonly store:
    | { readonly reachable: true; readonly counts: Counts }
    | { readonly reachable: false; readonly error: SetupError }
  readonly logWritable: boolean
}

/**
 * Reads the state of a data folder and its store, also while a node runs on it. Does not look for other nodes
 * of a shared store. Creates no folder.
 * @throws SetupError `data_folder_missing`
 */
export async function statusOf(folder: string, env: Environment, system: System): Promise<Status> {
  demandDataFolder(folder)
  const isRunning = isLogLocked(folder)
  return {
    node: isRunning ? { url: notedNodeUrl(folder) } : undefined,
    store: await storeStatus(folder, env, system),
    logWritable: mayWriteLog(folder),
  }
}

/** Refuses a missing folder, for commands that create none. @throws SetupError `data_folder_missing` */
export function demandDataFolder(folder: string): void {
  if (existsSync(folder)) return
  throw new SetupError(
    'data_folder_missing',
    `The data folder ${folder} does not exist.`,
    'Set the data folder of the bridge: --data DIR. bridgekeeper serve creates it.',
  )
}

async function storeStatus(folder: string, env: Environment, system: System): Promise<Status['store']> {
  try {
    const data = await DataFolder.open(folder, env, system)
    try {
      return { reachable: true, counts: await data.stores.counts() }
    } finally {
      await data.close()
    }
  } catch (error) {
    if (error instanceof SetupError) return { reachable: false, error }
    throw error
  }
}

/** An unreadable lock belongs to another user's node, or to none. */
function isLogLocked(folder: string): boolean {
  try {
    return isLocked(lockPath(folder))
  } catch {
    return false
  }
}

/** Whether this account may append to the log, or create it. */
function mayWriteLog(folder: string): boolean {
  const path = currentPath(folder)
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    if (existsSync(path)) accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}
