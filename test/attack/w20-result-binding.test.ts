import fc from 'fast-check'
import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { type Peer, verifiedPeer } from '../support/peer.ts'
import { Recorded } from '../support/recorded.ts'

const text = (words: string) => ({ content: [{ type: 'text', text: words }] })

/** Once this is answered, everything that the peer sent before has been handled. */
async function settled(peer: Peer): Promise<void> {
  peer.send({ type: 'ping' })
  await peer.next('pong')
}

test('[ROUTE.2] W20: drops and logs another user’s answer to a known call id', async () => {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  const ann = await verifiedPeer(at, await at.token('ann'))
  const mallory = await verifiedPeer(at, await at.token('bob'))
  const call = at.bridge.callTool('user_ann', 's', 't')
  const { id } = await ann.next('tool_execute')
  mallory.send({ type: 'tool_result', id, success: true, result: text('PWNED by mallory') })
  await settled(mallory)
  ann.send({ type: 'tool_result', id, success: true, result: text('of ann') })
  expect(await call).toEqual(text('of ann'))
  expect(log.named('ws_unexpected_result')).toMatchObject([{ userId: 'user_bob', requestId: id }])
  ann.send({ type: 'tool_result', id, success: true, result: text('a second one') })
  await settled(ann)
  expect(log.named('ws_unexpected_result')[1]).toMatchObject({ userId: 'user_ann', requestId: id })
})

test('[CALL.1] W20: accepts an answer only once and from the asked connection, over two users with two machines each', async () => {
  const at = await startBridge({ rateLimits: { user: { maxCalls: 10_000, windowMs: 60_000, blockMs: 1 } } })
  const peers: Peer[] = []
  for (const name of ['ann', 'ann', 'bob', 'bob'])
    peers.push(await verifiedPeer(at, await at.token(name), { v2: true }))
  for (const [index, peer] of peers.entries()) {
    const server = { state: 'ready', name: `s${index}`, serverInfo: { name: 's', version: '1' }, tools: [] }
    peer.send({ type: 'catalog', servers: [server] })
    await settled(peer)
  }
  const liars = fc.array(fc.nat(3), { minLength: 1, maxLength: 4 })
  await fc.assert(
    fc.asyncProperty(fc.nat(3), liars, async (asked, before) => {
      const owner = asked < 2 ? 'user_ann' : 'user_bob'
      const call = at.bridge.callTool(owner, `s${asked}`, 't')
      const peer = peers[asked] as Peer
      const { id } = await peer.next('tool_execute')
      for (const liar of before.filter((index) => index !== asked)) {
        const other = peers[liar] as Peer
        other.send({ type: 'tool_result', id, success: true, result: text(`lie of ${liar}`) })
        other.send({ type: 'tool_result', id, success: false, error: 'lie' })
        await settled(other)
      }
      peer.send({ type: 'tool_result', id, success: true, result: text(`true of ${asked}`) })
      peer.send({ type: 'tool_result', id, success: true, result: text('second') })
      expect(await call).toEqual(text(`true of ${asked}`))
    }),
    { numRuns: 25 },
  )
})

test('[CALL.1] W20: ignores guessed, changed and hostile ids, and limits their log lines', async () => {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  const ann = await verifiedPeer(at, await at.token('ann'))
  const call = at.bridge.callTool('user_ann', 's', 't')
  const { id } = (await ann.next('tool_execute')) as unknown as { id: string }
  const guesses = [
    `${id} `,
    id.slice(0, -1),
    id.toUpperCase(),
    id.slice(20),
    '00',
    '__proto__',
    'constructor',
    'x',
  ]
  for (const guess of guesses)
    ann.send({ type: 'tool_result', id: guess, success: true, result: text('guess') })
  for (let count = 0; count < 200; count++)
    ann.send({ type: 'tool_result', id: `guess-${count}`, success: true, result: text('guess') })
  await settled(ann)
  ann.send({ type: 'tool_result', id, success: true, result: text('true') })
  expect(await call).toEqual(text('true'))
  expect(log.named('ws_unexpected_result').length).toBeLessThanOrEqual(8)
})
