import { realSystem, type System } from '@bridgekeeper/bridge'
import { expect, test, vi } from 'vitest'
import { blackhole } from '../support/blackhole.ts'
import { startBridge } from '../support/bridge.ts'
import { FakeSystem } from '../support/fake-system.ts'
import { bearer, codeIn } from '../support/mcp.ts'
import { Recorded } from '../support/recorded.ts'
import { SessionClient } from '../support/session-client.ts'
import { gate, PATH, startTalking } from '../support/talking.ts'

const HOUR_MS = 3_600_000
const CALL_TIMEOUT_MS = 60_000

/** A client whose call runs on a machine whose connection is dead: nothing arrives, and neither end has noticed. */
async function setUp(system: System = realSystem()) {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog, system })
  const network = await blackhole(at.port)
  const { record, client: other } = await startTalking({}, at, `http://127.0.0.1:${network.port}`)
  const login = await at.token('ann', HOUR_MS)
  const client = await SessionClient.begin(at.url + PATH, bearer(login.accessToken), {})
  const args = { mark: 'one', until: gate().path }
  const running = client.post(client.rpc('tools/call', { name: 'talk', arguments: args }))
  await client.next(({ method }) => method === 'notifications/x/told')
  const requestId = /"id":(\d+)/.exec(await record.has('"one"'))?.[1]
  network.silence()
  return {
    ...{ at, log, network, record, login, client, running },
    isCancelled: () => record.has('notifications/cancelled', `"requestId":${requestId}`),
    /** Resolves once the bridge has sent this many calls into the connection. */
    callsSent: (count: number) =>
      vi.waitFor(() => expect(log.named('ws_tool_execution_request')).toHaveLength(count), { interval: 5 }),
    /** Resolves once the bridge has sent the DELETE into the connection. */
    deleteSent: () =>
      vi.waitFor(() => expect(log.named('exchange_opened').at(-1)).toMatchObject({ kind: 'delete' }), {
        interval: 5,
      }),
    /** Another client of the user uses the machine, which is back. */
    others: async () => {
      const answer = await (await other(undefined, {})).call('talk', { mark: 'other' })
      expect(answer.result.content[0].text).toMatch(/^other /)
    },
  }
}

test.each([
  ['waits', () => {}],
  ['leaves', (leave: AbortController) => leave.abort()],
])(
  '[SESS.9] ends a session whose DELETE is sent into a dead connection, and its client %s',
  async (_, act) => {
    const { client, network, running, isCancelled, deleteSent, others } = await setUp()
    const leave = new AbortController()
    const { headers, url } = client
    const removed = fetch(url, { method: 'DELETE', headers, signal: leave.signal }).catch(() => undefined)
    await deleteSent()
    act(leave)
    network.hangUp()
    expect((await removed)?.status).toBe(leave.signal.aborted ? undefined : 204)
    await running
    await isCancelled()
    expect((await client.post(client.rpc('ping'))).status).toBe(404)
    await others()
  },
)

test('[SESS.9] repeats the end of a session whose machine answered no DELETE in time', async () => {
  const system = new FakeSystem()
  const { client, network, running, isCancelled, deleteSent, others } = await setUp(system)
  const removed = fetch(client.url, { method: 'DELETE', headers: client.headers })
  await deleteSent()
  system.advance(CALL_TIMEOUT_MS)
  expect((await removed).status).toBe(204)
  expect((await client.post(client.rpc('ping'))).status).toBe(404)
  await running
  network.hangUp()
  await isCancelled()
  await others()
})

test('[EXCH.12] cancels the calls of a login that is revoked while the connection is dead', async () => {
  const { at, login, client, network, running, isCancelled, others } = await setUp()
  await at.bridge.revoke({ kind: 'session', id: login.sessionId })
  await running
  network.hangUp()
  await isCancelled()
  expect((await client.post(client.rpc('ping'))).status).toBe(401)
  await others()
})

test('[EXCH.6] ends calls that are sent into a dead connection, and other calls continue', async () => {
  const { at, client, network, running, record, callsSent, others } = await setUp()
  const args = { name: 'talk', arguments: { mark: 'lost' } }
  const stateless = new SessionClient(client.url, bearer((await at.token('ann', HOUR_MS)).accessToken))
  const short = stateless.post(stateless.rpc('tools/call', args))
  const inSession = client.post(client.rpc('tools/call', args))
  await callsSent(3)
  network.hangUp()
  expect(codeIn((await short).json)).toBe('outcome_unknown')
  // The client reads the stream of its call on.
  expect((await inSession).text).not.toContain('"result"')
  const read = await client.listen({ 'last-event-id': client.eventIds.at(-1) ?? '' })
  expect(await read.ended).toContain('"bridgekeeper/code":"outcome_unknown"')
  await running
  await others()
  expect(record.lines.filter((line) => line.includes('"lost"'))).toEqual([])
})
