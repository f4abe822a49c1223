import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { System } from '../ports.ts'

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const PREFIX = 'v1.'

/**
 * Seals a value for a store that others may read: AES-256-GCM under a key of the installation, bound to the
 * name of its record, so that sealed values cannot be swapped. Source: NIST SP 800-38D.
 *
 * @param key 32 bytes
 */
export function seal(key: Uint8Array, name: string, value: string, system: System): string {
  const nonce = system.randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key, nonce)
  cipher.setAAD(Buffer.from(name))
  const sealed = Buffer.concat([nonce, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return PREFIX + sealed.toString('base64url')
}

/** @returns `undefined` if the value was changed, or sealed with another key or name */
export function unseal(key: Uint8Array, name: string, sealed: string): string | undefined {
  if (!sealed.startsWith(PREFIX)) return undefined
  const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64url')
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
  // Other spellings of the same bytes are not ours.
  if (PREFIX + bytes.toString('base64url') !== sealed) return undefined
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(name))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
