import { expect, test } from 'vitest'
import { agentWith } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { dial, type Peer, verifiedPeer } from '../support/peer.ts'

const EMPTY = { content: [] }

/** Answers every call until the socket ends. */
function answerAll(peer: Peer, result: object = EMPTY): void {
  peer.socket.on('message', (data) => {
    const { type, id } = JSON.parse(String(data)) as { type: string; id: string }
    if (type === 'tool_execute') peer.send({ type: 'tool_result', id, success: true, result })
  })
}

test('[ROUTE.3] W07: loses no call to sockets that have the token but cannot answer the challenge', async () => {
  const at = await startBridge({ rateLimits: { user: { maxCalls: 10_000, windowMs: 60_000, blockMs: 1 } } })
  const issued = await at.token('ann')
  const agent = await verifiedPeer(at, issued)
  answerAll(agent)
  const thieves: Peer[] = []
  for (let round = 0; round < 10; round++) {
    const thief = dial(at, { token: issued.accessToken })
    thieves.push(thief)
    await thief.next('challenge')
    const results = await Promise.all(
      Array.from({ length: 30 }, () => at.bridge.callTool('user_ann', 's', 't')),
    )
    expect(results).toEqual(Array.from({ length: 30 }, () => EMPTY))
    if (round % 2 === 0) thief.socket.terminate()
  }
  expect(agent.socket.readyState).toBe(agent.socket.OPEN)
  expect(thieves.flatMap(({ waiting }) => waiting)).toEqual([])
})

test('[ROUTE.5] W25: keeps two machines of one user connected, and routes each server’s calls to its own machine', async () => {
  const at = await startBridge()
  const laptop = await agentWith(at, 'ann', 'laptop', 't')
  const desktop = await agentWith(at, 'ann', 'desktop', 't')
  const resultOf = (text: string) => ({ content: [{ type: 'text', text }] })
  answerAll(laptop, resultOf('laptop'))
  answerAll(desktop, resultOf('desktop'))
  expect(await at.bridge.callTool('user_ann', 'laptop', 't')).toEqual(resultOf('laptop'))
  expect(await at.bridge.callTool('user_ann', 'desktop', 't')).toEqual(resultOf('desktop'))
  expect([laptop, desktop].map(({ socket }) => socket.readyState)).toEqual([1, 1])
})
