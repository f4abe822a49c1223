import { createHmac, createPublicKey, createSecretKey, generateKeyPairSync, sign } from 'node:crypto'
import { expect, test } from 'vitest'
import { startAccessBridge } from '../support/access.ts'
import { LIST } from '../support/attacker.ts'
import { SECRET } from '../support/bridge.ts'
import { encode, hmacToken, partsOf } from '../support/forge.ts'
import { bearer, post } from '../support/mcp.ts'
import { startOAuth } from '../support/oauth.ts'
import { ask, connect, discover, register } from '../support/oauth-client.ts'
import { askDevice } from '../support/oauth-device.ts'

async function world() {
  const at = await startAccessBridge()
  const good = await at.sign()
  const parts = partsOf(good)
  const [head = '', body = '', signature = ''] = good.split('.')
  const code = async (token: string) => {
    const answer = await post(at, '/mcp', LIST, bearer(token))
    return answer.status === 200 ? 'let in' : String(answer.json?.error?.data?.code)
  }
  return { at, good, ...parts, head, body, signature, code }
}

test('[RS.1] RFC 8725: refuses tokens without a signature, with a foreign one or with one of zeros', async () => {
  const { good, header, claims, head, body, signature, code } = await world()
  expect(await code(good)).toBe('let in')
  const zeros = Buffer.alloc(64).toString('base64url')
  const part = (alg: string) => encode({ ...header, alg })
  for (const forged of [
    `${part('none')}.${body}.`,
    `${part('none')}.${body}.${signature}`,
    `${part('NONE')}.${body}.AA`,
    `${head}.${body}.${zeros}`,
    `${head}.${body}.`,
    `${head}.${body}.${signature.slice(0, -4)}`,
    `${head}.${encode({ ...claims, sub: 'user_bob' })}.${signature}`,
    `${head}.${encode({ ...claims, scope: 'agent:connect' })}.${signature}`,
    `${encode({ ...header, kid: 'other', x: 1 })}.${body}.${signature}`,
  ])
    expect(await code(forged)).toBe('token_invalid')
})

test('[RS.1] RFC 8725: refuses HMAC tokens keyed with the public key or with the shared secret', async () => {
  const { at, header, claims, code } = await world()
  const jwk = at.publicJwk
  const key = createPublicKey({ key: jwk, format: 'jwk' } as never)
  const secrets = [
    JSON.stringify(jwk),
    key.export({ type: 'spki', format: 'pem' }),
    key.export({ type: 'spki', format: 'der' }),
    SECRET,
    createSecretKey(SECRET).export(),
  ]
  for (const secret of secrets)
    for (const alg of ['HS256', 'ES256'])
      expect(await code(hmacToken({ ...header, alg }, claims, Buffer.from(secret)))).toBe('token_invalid')
})

test('[RS.1] RFC 8725: does not verify a token by a key that it carries or names', async () => {
  const { header, claims, code } = await world()
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  const made = (extra: object) => {
    const input = `${encode({ ...header, ...extra })}.${encode(claims)}`
    const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${input}.${signature.toString('base64url')}`
  }
  for (const extra of [
    {},
    { jwk },
    { jku: 'https://evil.example/jwks' },
    { x5u: 'https://evil.example' },
    { x5c: ['AA'] },
    { kid: '../../dev/null' },
    { crit: ['x'], x: 1 },
  ])
    expect(await code(made(extra))).toBe('token_invalid')
})

test('[RS.1] RFC 8725: refuses another type, a nested token and invalid times', async () => {
  const { at, good, claims, code } = await world()
  const nowSeconds = Math.floor(Date.now() / 1_000)
  for (const header of [
    { typ: 'JWT' },
    { typ: 'dpop+jwt' },
    { typ: 'id_token' },
    { cty: 'JWT', typ: undefined },
  ])
    expect(await code(await at.sign(claims, header))).toBe('token_invalid')
  expect(await code(await at.sign({ ...claims, exp: nowSeconds - 1 }))).toBe('token_expired')
  expect(await code(await at.sign({ ...claims, nbf: nowSeconds + 3_600 }))).toBe('token_invalid')
  expect(await code(await at.sign({ ...claims, iat: nowSeconds + 3_600, exp: nowSeconds + 7_200 }))).toBe(
    'token_invalid',
  )
  expect(await code(`${encode({ alg: 'ES256', typ: 'at+jwt' })}.${encode(good)}.${good.split('.')[2]}`)).toBe(
    'token_invalid',
  )
})

test('[RS.1] refuses a token of our own secret that names the server as its issuer', async () => {
  const { at, claims, code } = await world()
  const own = partsOf((await at.token('ann')).accessToken)
  const renamed = hmacToken(
    own.header,
    { ...own.claims, iss: at.url, aud: `${at.url}/mcp`, scope: 'tools:list' },
    SECRET,
  )
  expect(await code(renamed)).toBe('token_invalid')
  expect(await code(await at.sign({ ...claims, iss: 'bridgekeeper', aud: 'bridgekeeper' }))).toBe(
    'token_invalid',
  )
})

test('[RS.3] accepts each token and code for its one purpose only', async () => {
  const node = await startOAuth()
  const app = await register(node)
  const person = await node.login('ann')
  const tokens = await connect(person, app)
  const asked = await ask(app)
  const { left } = await person.submit(await person.visit(asked.url.href), { answer: 'allow' })
  const device = await askDevice(node, await discover(node))
  const cookie = (name: string) =>
    [...person.cookies].find(([key]) => key.startsWith(`${name} `))?.[1].value ?? ''
  const artefacts: Record<string, string> = {
    access: tokens.access_token,
    refresh: String(tokens.refresh_token),
    code: String(left?.searchParams.get('code')),
    deviceCode: device.device_code,
    userCode: device.user_code,
    browserAccess: cookie('accessToken'),
    browserRefresh: cookie('refreshToken'),
    verifier: asked.verifier,
  }
  const atMcp = async (token: string) => (await post(node, '/mcp', LIST, bearer(token))).status
  const as = (grant: string, name: string, token: string, more = {}) =>
    fetch(`${node.url}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: grant,
        [name]: token,
        client_id: app.client.client_id,
        ...more,
      }),
    }).then(({ status }) => status)
  const found: Record<string, string[]> = {}
  for (const [kind, token] of Object.entries(artefacts)) {
    const doors: string[] = []
    if ((await atMcp(token)) === 200) doors.push('mcp')
    if ((await node.access.verifyEnrolment(token)).allowed) doors.push('enrolment')
    if (kind !== 'refresh' && (await as('refresh_token', 'refresh_token', token)) === 200)
      doors.push('refresh')
    if (kind !== 'code') {
      const more = { redirect_uri: 'http://127.0.0.1:28571/callback', code_verifier: asked.verifier }
      if ((await as('authorization_code', 'code', token, more)) === 200) doors.push('code')
    }
    found[kind] = doors
  }
  expect(found).toEqual({
    access: ['mcp'],
    refresh: [],
    code: [],
    deviceCode: [],
    userCode: [],
    // A browser's own login may call, like its user's pages.
    browserAccess: ['mcp'],
    browserRefresh: [],
    verifier: [],
  })
})

test('[RS.1] refuses a MAC keyed with the session’s id', async () => {
  const { head, body, claims, code } = await world()
  const mac = createHmac('sha256', String(claims.sid)).update(`${head}.${body}`).digest('base64url')
  expect(await code(`${head}.${body}.${mac}`)).toBe('token_invalid')
})
