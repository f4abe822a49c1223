import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hasCode } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'

/** Larger than any of our records. */
const MAX_BYTES = 65_536
const OTHERS = 0o077
const OTHERS_WRITE = 0o022
/** Windows has no such bits; there the profile's own rights keep others out. */
const HAS_MODES = process.platform !== 'win32'

/**
 * Creates the folder for the owner alone if it is missing.
 * @throws AgentError `keychain_unusable`; `keychain_exposed` if others may write into it
 */
export async function privateFolder(path: string): Promise<void> {
  await orUnusable(path, () => mkdir(path, { recursive: true, mode: 0o700 }))
  const { mode, uid } = await orUnusable(path, () => stat(path))
  if (!HAS_MODES) return
  if (!isOurs(uid)) throw exposed(path, 'belongs to another user')
  // A user who may write to the folder could replace our file.
  if ((mode & OTHERS_WRITE) !== 0) throw exposed(path, 'may be written by others', 'go-w')
}

/**
 * Reads a private file; `undefined` if missing.
 * @throws AgentError `keychain_exposed` if others may read it, or it is a link or not ours;
 * `keychain_unusable` if it is unreadable or too large. Changes nothing.
 */
export async function readPrivate(path: string, maxBytes = MAX_BYTES): Promise<string | undefined> {
  const file = await orUnusable(path, () => openToRead(path))
  if (file === undefined) return undefined
  try {
    const { mode, uid, size } = await file.stat()
    if (HAS_MODES && !isOurs(uid)) throw exposed(path, 'belongs to another user')
    if (HAS_MODES && (mode & OTHERS) !== 0) throw exposed(path, 'may be read by others', 'go=')
    if (size > maxBytes) throw unusable(path, `It has ${size} bytes.`)
    return await orUnusable(path, () => file.readFile('utf8'))
  } finally {
    await file.close()
  }
}

/**
 * Replaces a file atomically, also across a power failure.
 * @throws AgentError `keychain_unusable`
 */
export async function writePrivate(path: string, content: string): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`
  await orUnusable(path, async () => {
    try {
      const file = await open(draft, 'wx', 0o600)
      try {
        await file.writeFile(content)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(draft, path)
      await syncFolder(dirname(path))
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
  })
}

/** @throws AgentError `keychain_unusable` */
export async function removePrivate(path: string): Promise<void> {
  await orUnusable(path, async () => {
    await rm(path, { force: true })
    await syncFolder(dirname(path))
  })
}

/** Whether a name is that of a file that a killed write left. */
export function isDraft(name: string): boolean {
  return /\.[0-9a-f-]{36}\.tmp$/.test(name)
}

/** Removes drafts that are older than any write in progress. */
export async function removeDraft(folder: string, name: string, olderThanMs: number): Promise<void> {
  const path = join(folder, name)
  const found = await stat(path).catch(() => undefined)
  if (found !== undefined && found.mtimeMs < olderThanMs) await rm(path, { force: true })
}

async function openToRead(path: string) {
  try {
    // A link could lead to a file with correct rights and foreign content.
    return await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    if (hasCode(error, 'ELOOP')) throw exposed(path, 'is a symbolic link')
    throw error
  }
}

/** A rename is on the disk when its folder is; where folders cannot be opened, it is soon enough. */
async function syncFolder(path: string): Promise<void> {
  if (!HAS_MODES) return
  const folder = await open(path, constants.O_RDONLY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function isOurs(uid: number): boolean {
  return uid === process.getuid?.()
}

function exposed(path: string, what: string, chmod?: string): AgentError {
  const mend = chmod === undefined ? '' : ` To repair: chmod ${chmod} ${JSON.stringify(path)}`
  return new AgentError('keychain_exposed', `${path} ${what}.${mend}`)
}

export function unusable(path: string, why: string, cause?: unknown): AgentError {
  return new AgentError('keychain_unusable', `${path}: ${why}`, { cause })
}

async function orUnusable<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof AgentError) throw error
    throw unusable(path, error instanceof Error ? error.message : String(error), error)
  }
}
