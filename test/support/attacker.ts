import { SignJWT } from 'jose'
import { SECRET, type TestBridge } from './bridge.ts'
import { bearer } from './mcp.ts'
import { dial, type Peer } from './peer.ts'

export const EMPTY = { content: [] }
export const WRONG_ANSWER = { type: 'challenge_response', response: 'f'.repeat(64) }
export const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
export const HOUR = 3_600_000

/** The headers of a caller with a good token. */
export async function as(at: TestBridge, name: string): Promise<Record<string, string>> {
  return bearer((await at.token(name)).accessToken)
}

/** A peer with an open challenge. */
export async function challenged(at: TestBridge, name = 'ann'): Promise<Peer> {
  const peer = dial(at, { token: (await at.token(name)).accessToken })
  await peer.next('challenge')
  return peer
}

/** The code with which a call fails, or `ok`. */
export function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  )
}

/** A token like the bridge's, with these changes. */
export function tokenWith(changes: Record<string, unknown> = {}, key: Uint8Array = SECRET): Promise<string> {
  const nowSeconds = Math.floor(Date.now() / 1_000)
  const claims = {
    sub: 'user_ann',
    sid: 's'.repeat(32),
    tv: 0,
    jti: 'j',
    iss: 'bridgekeeper',
    aud: 'bridgekeeper',
    iat: nowSeconds,
    exp: nowSeconds + 600,
  }
  return new SignJWT({ ...claims, ...changes }).setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' }).sign(key)
}
