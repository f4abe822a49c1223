import { expect, test, vi } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { answerOpen, DAY_MS, nextOpen } from '../support/exchange-agent.ts'
import { connectMachine } from '../support/machines.ts'
import { bearer, post } from '../support/mcp.ts'
import { initialize, rpc } from '../support/mcp-client.ts'
import { type Peer, verifiedPeer } from '../support/peer.ts'

const SERVER = {
  ...{ state: 'ready', name: 's', serverInfo: { name: 's', version: '1' }, capabilities: { prompts: {} } },
  tools: [{ hash: '0'.repeat(64), definition: { name: 't', inputSchema: { type: 'object' } } }],
}
const LIST = rpc('prompts/list')

/** A session that a machine took part in, and the machine's connections under its one login. */
async function setUp(path: string) {
  const at = await startBridge()
  const machine = await at.token('ann', 90 * DAY_MS)
  const auth = bearer((await at.token('ann', 90 * DAY_MS)).accessToken)
  const listed = (count: number) =>
    vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toHaveLength(count))
  const connect = async (server: object = SERVER): Promise<Peer> => {
    const peer = await verifiedPeer(at, machine, { v2: true })
    peer.send({ type: 'catalog', servers: [server] })
    return peer
  }
  const first = await connect()
  await listed(1)
  const begun = post(at, path, initialize(), auth)
  if (path !== '/mcp') answerOpen(first, await nextOpen(first))
  const headers = { ...auth, 'mcp-session-id': (await begun).headers.get('mcp-session-id') ?? '' }
  const asked = post(at, path, LIST, headers)
  const open = await nextOpen(first)
  answerOpen(first, open, { prompts: [] })
  await asked
  const ended = { type: 'end_session', client: open.client, session: (open.session as { id: string }).id }
  const sleep = async (): Promise<void> => {
    first.socket.terminate()
    await listed(0)
  }
  const remove = async () => (await fetch(at.url + path, { method: 'DELETE', headers })).status
  return { at, first, headers, ended, connect, sleep, remove }
}

test.each(['/mcp', '/mcp/s'])('[SESS.9] ends a session at %s while its machine is away', async (path) => {
  const { at, headers, ended, connect, sleep, remove } = await setUp(path)
  await sleep()
  expect(await remove()).toBe(204)
  expect(await remove()).toBe(404)
  const back = await connect()
  expect(await back.next('end_session')).toEqual(ended)
  expect((await post(at, path, LIST, headers)).status).toBe(404)
  back.send({ type: 'ping' })
  await back.next('pong')
  expect(back.waiting).toEqual([])
})

test('[SESS.9] ends a session at the machine that is away, and at once at the one that is not', async () => {
  const { at, ended, connect, sleep, remove } = await setUp('/mcp')
  await sleep()
  const other = await connectMachine(at, 'ann', { name: 'other' })
  expect(await remove()).toBe(204)
  expect(other.opened.map(({ kind }) => kind)).toEqual(['delete'])
  expect(await remove()).toBe(404)
  expect(await (await connect()).next('end_session')).toEqual(ended)
})

test.each(['/mcp', '/mcp/s'])('[SESS.9] ends a session at %s while its server starts again', async (path) => {
  const { at, first, ended, remove } = await setUp(path)
  first.send({ type: 'catalog', servers: [{ state: 'starting', name: 's' }] })
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toEqual([]))
  expect(await remove()).toBe(204)
  expect(await first.next('end_session')).toEqual(ended)
  expect(await remove()).toBe(404)
})

test('[SESS.9] ends a session at a machine whose connection is cut during DELETE', async () => {
  const { at, first, ended, connect, remove } = await setUp('/mcp')
  await connectMachine(at, 'ann', { name: 'other' })
  const removed = remove()
  await nextOpen(first, 'delete')
  first.socket.terminate()
  expect(await removed).toBe(204)
  expect(await (await connect()).next('end_session')).toEqual(ended)
})
