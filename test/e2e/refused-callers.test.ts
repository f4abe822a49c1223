import { beforeAll, expect, test, vi } from 'vitest'
import { connect, fixture } from '../support/agent-program.ts'
import { login, type RunningBridge, serve } from '../support/installation.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { scratch } from '../support/scratch.ts'

const INVALID = /^Bearer realm="bridgekeeper", error="invalid_token", error_description=".+"$/
const env = { JWT_SECRET: 'shared by two installations, for the token of a stranger' }

let bridge: RunningBridge
let token: string

beforeAll(async () => {
  bridge = await serve({ env })
  token = (await login(bridge.data, 'ann@example.com', undefined, env)).accessToken
  await connect(bridge, { token, servers: { unruly: fixture('unruly') } })
})

/** A call as everybody may try it. */
const attempt = (headers: Record<string, string>, query = '') =>
  post(bridge, `/mcp/unruly${query}`, toolCall('pid'), headers)

/** Checks that a refusal reaches the caller in every form, and affects no other caller. */
async function expectRefusal(
  answer: Awaited<ReturnType<typeof attempt>>,
  { status, code, challenge }: { status: number; code: string; challenge: unknown },
): Promise<void> {
  expect(answer).toMatchObject({
    status,
    json: {
      jsonrpc: '2.0',
      id: null,
      error: {
        code: expect.any(Number),
        message: expect.any(String),
        data: { code, next: expect.any(String) },
      },
    },
  })
  expect(answer.headers.get('www-authenticate')).toEqual(challenge)
  expect((await attempt(bearer(token))).json.result.content[0].text).toMatch(/^\d+$/)
}

test('[AUTH.10] refuses a caller without a token with token_missing', async () => {
  await expectRefusal(await attempt({}), {
    status: 401,
    code: 'token_missing',
    challenge: expect.stringMatching(
      /^Bearer realm="bridgekeeper", scope="[^"]+", resource_metadata="[^"]+"/,
    ),
  })
})

test('[AUTH.10] refuses a caller with a changed token with token_invalid', async () => {
  const changed = `${token.slice(0, -4)}AAAA`
  await expectRefusal(await attempt(bearer(changed)), {
    status: 401,
    code: 'token_invalid',
    challenge: expect.stringMatching(INVALID),
  })
})

test('[AUTH.10] refuses an expired token with token_expired', async () => {
  const short = await login(bridge.data, 'ann@example.com', 4_000, env)
  expect((await attempt(bearer(short.accessToken))).status).toBe(200)
  await vi.waitUntil(() => Date.now() > Date.parse(short.expiresAt), 20_000)
  await expectRefusal(await attempt(bearer(short.accessToken)), {
    status: 401,
    code: 'token_expired',
    challenge: expect.stringMatching(INVALID),
  })
})

test('[AUTH.10] refuses a valid token in the URL with token_in_url', async () => {
  await expectRefusal(await attempt({}, `?access_token=${token}`), {
    status: 400,
    code: 'token_in_url',
    challenge: null,
  })
})

test('[AUTH.10] refuses a caller of an unknown user with user_unknown', async () => {
  const stranger = await login(scratch(), 'ann@example.com', undefined, env)
  await expectRefusal(await attempt(bearer(stranger.accessToken)), {
    status: 401,
    code: 'user_unknown',
    challenge: expect.stringMatching(INVALID),
  })
})
