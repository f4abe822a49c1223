import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { SECRET, startBridge } from '../support/bridge.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { dial } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'

test('[WS.1] [WS.2] W41: forbids rendering, framing, sniffing and caching in every answer on the agents’ path', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  const plain = await fetch(`${at.url}/api/mcp-ws`)
  const refused = [
    await tryUpgrade(at),
    await tryUpgrade(at, { token: 'a.b.c' }),
    await tryUpgrade(at, { headers: ['Origin: https://evil.example'] }),
    await tryUpgrade(at, { path: '/nothing' }),
  ]
  for (const headers of [plain.headers, ...refused.map((answer) => answer.headers)]) {
    expect(headers.get('content-security-policy')).toBe("default-src 'none'")
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('cache-control')).toBe('no-store')
    for (const name of ['server', 'x-powered-by', 'access-control-allow-origin'])
      expect(headers.has(name)).toBe(false)
  }
})

/** Tokens that none of our keys signed, for any user. */
async function forgeries(): Promise<readonly string[]> {
  const sign = (sub: string, key: Uint8Array) =>
    new SignJWT({ sid: 's', tv: 0 })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .setIssuer('bridgekeeper')
      .setAudience('bridgekeeper')
      .setSubject(sub)
      .setJti('j')
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(key)
  const wrong = Buffer.alloc(32, 9)
  const good = await sign('user_ann', SECRET)
  return [
    await sign('user_ann', wrong),
    await sign('user_nobody', wrong),
    await sign('', wrong),
    `${good.slice(0, -4)}AAAA`,
    'a.b.c',
  ]
}

test('[ORACLE.1] W42: answers every forged token alike, whether its user exists or not', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  const answers = new Set<string>()
  const closings = new Set<string>()
  const rpc = new Set<string>()
  for (const [index, token] of (await forgeries()).entries()) {
    const from = `203.0.113.${index}`
    const { status, headers, body } = await tryUpgrade(at, { token, headers: [`X-Forwarded-For: ${from}`] })
    answers.add(JSON.stringify([status, [...headers], body]))
    closings.add(JSON.stringify(await dial(at, { token }).closed))
    const answer = await post(at, '/mcp', toolCall('s__t'), { ...bearer(token), 'x-forwarded-for': from })
    rpc.add(JSON.stringify([answer.status, answer.text, answer.headers.get('www-authenticate')]))
  }
  expect([answers.size, closings.size, rpc.size]).toEqual([1, 1, 1])
  expect([...answers].join()).toContain('token_invalid')
})

test('[ORACLE.2] W42: describes a refused message by its code, without its values', async () => {
  const at = await startBridge()
  const peer = dial(at, { token: (await at.token('ann')).accessToken })
  await peer.next('challenge')
  for (const text of [
    '{"type":"challenge_response"}',
    '{"type":"challenge_response","response":7}',
    '{"type":"ping","x":"SECRET-9"}',
    '[1]',
    'SECRET-9',
  ]) {
    peer.send(text)
    const error = await peer.next('error')
    expect(String(error.message).length).toBeLessThan(300)
    expect(JSON.stringify(error)).not.toMatch(/SECRET-9|zod|stack|node_modules|at \w+ \(/i)
  }
})
