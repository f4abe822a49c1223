import { createHmac } from 'node:crypto'
import type { TestBridge } from './bridge.ts'
import { bearer, post } from './mcp.ts'
import { dial, refusedUpgrade } from './peer.ts'

/** The two parts of a token that are signed, as an attacker may write them. */
export interface TokenParts {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

export function partsOf(token: string): TokenParts {
  const [header, claims] = token
    .split('.', 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>)
  return { header: header ?? {}, claims: claims ?? {} }
}

/** Signs any value; text is used unchanged. */
export function hmacToken(
  header: object | string,
  claims: object | string,
  key: Buffer | string,
  hash = 'sha256',
): string {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${createHmac(hash, key).update(input).digest('base64url')}`
}

/** Sends this token to each of the bridge's doors. @returns the code, or `let in` */
export async function atEveryDoor(bridge: TestBridge, token: string): Promise<Record<string, string>> {
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }
  const answer = await post(bridge, '/mcp', list, bearer(token))
  const mcp = answer.status === 200 ? 'let in' : String(answer.json?.error?.data?.code)
  const v2 = dial(bridge, { token, v2: true })
  const v1 = dial(bridge, { token, via: 'cookie' })
  const letIn = async (peer: typeof v1) => {
    await peer.next('challenge')
    peer.socket.terminate()
    return 'let in'
  }
  const refused = async () => {
    const { body } = await refusedUpgrade(v2)
    return String((body as { error?: { code?: string } }).error?.code)
  }
  return {
    mcp,
    v2: await Promise.race([refused(), letIn(v2).catch(() => new Promise<string>(() => {}))]),
    v1: await Promise.race([
      v1.closed.then(({ code, reason }) => (code === 1008 ? reason : `closed with ${code}`)),
      letIn(v1).catch(() => new Promise<string>(() => {})),
    ]),
  }
}

export function everyDoor(says: string): Record<string, string> {
  return { mcp: says, v2: says, v1: says }
}
