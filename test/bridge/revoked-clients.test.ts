import { expect, test, vi } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { answerOpen, DAY_MS, nextOpen } from '../support/exchange-agent.ts'
import { bearer, post } from '../support/mcp.ts'
import { PATH, rpc } from '../support/mcp-client.ts'
import { type Peer, verifiedPeer } from '../support/peer.ts'
import { Recorded } from '../support/recorded.ts'

const SERVER = {
  ...{ state: 'ready', name: 's', serverInfo: { name: 's', version: '1' }, capabilities: { tools: {} } },
  tools: [{ hash: '0'.repeat(64), definition: { name: 't', inputSchema: { type: 'object' } } }],
}

/** A machine that can come back under the same login, and callers of its user. */
async function setUp() {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  const machine = await at.token('ann', 90 * DAY_MS)
  const connect = async (): Promise<Peer> => {
    const peer = await verifiedPeer(at, machine, { v2: true })
    peer.send({ type: 'catalog', servers: [SERVER] })
    await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toHaveLength(1))
    return peer
  }
  /** Sends a request of a new login. @returns the name of the login at the machine */
  const use = async (peer: Peer) => {
    const login = await at.token('ann', 90 * DAY_MS)
    const posted = post(at, PATH, rpc('ping'), bearer(login.accessToken))
    const open = await nextOpen(peer)
    answerOpen(peer, open)
    await posted
    return { client: open.client, revoke: () => at.bridge.revoke({ kind: 'session', id: login.sessionId }) }
  }
  return { at, log, connect, use }
}

const settled = async (peer: Peer): Promise<void> => {
  peer.send({ type: 'ping' })
  await peer.next('pong')
}

test('[EXCH.12] notifies a machine of a revoked login that has nothing open', async () => {
  const { connect, use } = await setUp()
  const peer = await connect()
  const [one, other] = [await use(peer), await use(peer)]
  await one.revoke()
  expect(await peer.next('revoke')).toEqual({ type: 'revoke', client: one.client })
  await one.revoke()
  await settled(peer)
  expect(peer.waiting).toEqual([])
  expect(other.client).not.toBe(one.client)
})

test('[REVOKE.1] counts nothing as ended when an idle login is revoked', async () => {
  const { log, connect, use } = await setUp()
  const peer = await connect()
  const [one] = [await use(peer), await use(peer)]
  await one.revoke()
  await peer.next('revoke')
  expect(log.named('login_revoked')).toMatchObject([{ kind: 'session', ended: 0 }])
})

test('[EXCH.12] notifies a machine that was away once it is back', async () => {
  const { at, connect, use } = await setUp()
  const peer = await connect()
  const [one, other] = [await use(peer), await use(peer)]
  peer.socket.terminate()
  await vi.waitFor(() => expect(at.bridge.listTools('user_ann')).toEqual([]))
  await one.revoke()
  const back = await connect()
  expect((await back.next('revoke')).client).toBe(one.client)
  await other.revoke()
  expect((await back.next('revoke')).client).toBe(other.client)
  await settled(back)
  expect(back.waiting).toEqual([])
})
