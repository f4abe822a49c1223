import { hkdfSync, randomBytes, randomUUID } from 'node:crypto'
import { linkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Environment, isProduction } from '@bridgekeeper/bridge/parts'
import { hasCode } from '@bridgekeeper/protocol'
import { SECRETS } from '../config/serve-table.ts'
import { SetupError } from '../config/setup-error.ts'
import { readOwnSecretFile } from './file-rights.ts'

const MIN_SECRET_BYTES = 32
const SECRET_FILE = 'jwt-secret'

/**
 * Loads the secret that signs tokens: `JWT_SECRET`, or the content of the file `JWT_SECRET_FILE`. In
 * development one is created and stored in the data folder; in production it must be set.
 *
 * @throws SetupError `secret_missing`, `secret_too_short`, `secret_unreadable`, `rights_unsafe`
 */
export function loadSecret(env: Environment, dataFolder: string): Buffer {
  const given = SECRETS.jwtSecret.read({ flags: {}, env })
  // A variable set to nothing is a slip of a script, not the wish for a secret in the data folder.
  const isNamed = env.JWT_SECRET !== undefined || env.JWT_SECRET_FILE !== undefined
  if (isNamed || given !== undefined) return longEnough(Buffer.from(given ?? ''))
  if (isProduction(env)) {
    throw new SetupError(
      'secret_missing',
      'JWT_SECRET must be set in production.',
      `Set JWT_SECRET to at least ${MIN_SECRET_BYTES} random bytes, for example: openssl rand -hex 32`,
    )
  }
  return longEnough(keptSecret(join(dataFolder, SECRET_FILE)))
}

export type KeyPurpose =
  | 'security log anchor'
  | 'fingerprint'
  | 'kept keys'
  | 'mcp sessions'
  | 'oauth cookies'
  | 'oauth records'
  | 'account pages'

/** A key for one purpose: another one than signs tokens, from the same secret. Source: RFC 5869. */
export function derivedKey(secret: Uint8Array, purpose: KeyPurpose): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `bridgekeeper ${purpose}`, 32))
}

/**
 * Creates the secret, or reads it. If two processes start at once, one creates the file and both use it: a
 * link never overwrites.
 */
function keptSecret(path: string): Buffer {
  try {
    return readOwnSecretFile(path)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw unreadable(path, error)
  }
  const draft = `${path}.${randomUUID()}`
  try {
    writeFileSync(draft, randomBytes(MIN_SECRET_BYTES).toString('hex'), { mode: 0o600, flag: 'wx' })
    linkSync(draft, path)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw unreadable(path, error)
  } finally {
    rmSync(draft, { force: true })
  }
  return readOwnSecretFile(path)
}

function unreadable(path: string, cause: unknown): SetupError {
  if (cause instanceof SetupError) return cause
  return new SetupError(
    'secret_unreadable',
    `The secret in ${path} cannot be read.`,
    'Check the path and its rights.',
    { cause },
  )
}

function longEnough(secret: Buffer): Buffer {
  if (secret.length >= MIN_SECRET_BYTES) return secret
  throw new SetupError(
    'secret_too_short',
    `The JWT secret has ${secret.length} bytes; it must have at least ${MIN_SECRET_BYTES}.`,
    'Create a longer one, for example: openssl rand -hex 32',
  )
}
