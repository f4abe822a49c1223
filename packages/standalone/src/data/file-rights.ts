import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import {
  type Exposure,
  type FileRights,
  hasCode,
  secretExposure,
  trustExposure,
} from '@bridgekeeper/protocol'
import { SetupError } from '../config/setup-error.ts'

/**
 * [FILE.1] Reads a secret from a file that only its owner may change or read. Checks the open file, so that
 * it cannot be replaced between check and reading.
 *
 * @throws SetupError `rights_unsafe`; the system's error if it cannot be read
 */
export function readSecretFile(path: string): string {
  return readOpen(path, constants.O_RDONLY).toString('utf8')
}

/** Reads a secret file that this product created, which is never a link. */
export function readOwnSecretFile(path: string): Buffer {
  try {
    return readOpen(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  } catch (error) {
    if (!hasCode(error, 'ELOOP')) throw error
    throw unsafe(path, { problem: 'it is a symbolic link', command: `rm ${JSON.stringify(path)}` })
  }
}

/** Like `readSecretFile`, without blocking, for a file that is read while the node runs. */
export async function readSecretFileAsync(path: string): Promise<string> {
  const file = await open(path)
  try {
    demandSecret(path, await file.stat())
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/**
 * [FILE.2] Requires that a file or folder belongs to this user or root and is not writable by every account.
 * A missing one passes.
 *
 * @throws SetupError `rights_unsafe`
 */
export function demandTrusted(path: string): void {
  const rights = statSync(path, { throwIfNoEntry: false })
  const exposure = rights && trustExposure(path, rights, process.geteuid?.())
  if (exposure !== undefined) throw unsafe(path, exposure)
}

function readOpen(path: string, flags: number): Buffer {
  const fd = openSync(path, flags)
  try {
    demandSecret(path, fstatSync(fd))
    return readFileSync(fd)
  } finally {
    closeSync(fd)
  }
}

function demandSecret(path: string, rights: FileRights): void {
  const exposure = secretExposure(path, rights, process.geteuid?.())
  if (exposure !== undefined) throw unsafe(path, exposure)
}

function unsafe(path: string, { problem, command }: Exposure): SetupError {
  return new SetupError(
    'rights_unsafe',
    `${path} is not used: ${problem}.`,
    `Others may have read or replaced it. If you trust its content: ${command}`,
  )
}
