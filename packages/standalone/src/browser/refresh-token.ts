import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * A refresh token contains its session and its position in the session's chain, under a MAC. A used one is
 * therefore recognized without being stored, and the next one can be sent again to a second tab.
 */
export interface RefreshToken {
  readonly sessionId: string
  /** 1 for the first; each use leads to the next. */
  readonly generation: number
}

const TOKEN = /^([\w-]{1,64})\.([1-9]\d{0,9})\.([\w-]{43})$/

/** @param key 32 bytes */
export function writeRefreshToken(key: Uint8Array, { sessionId, generation }: RefreshToken): string {
  return `${sessionId}.${generation}.${macOf(key, sessionId, generation)}`
}

/** @returns `undefined` for text that this installation did not write */
export function readRefreshToken(key: Uint8Array, text: string): RefreshToken | undefined {
  const [, sessionId = '', digits = '', mac = ''] = TOKEN.exec(text) ?? []
  const wanted = Buffer.from(macOf(key, sessionId, Number(digits)))
  const given = Buffer.from(mac)
  const isOurs = given.length === wanted.length && timingSafeEqual(given, wanted)
  return isOurs ? { sessionId, generation: Number(digits) } : undefined
}

function macOf(key: Uint8Array, sessionId: string, generation: number): string {
  return createHmac('sha256', key).update(`refresh token ${sessionId} ${generation}`).digest('base64url')
}
