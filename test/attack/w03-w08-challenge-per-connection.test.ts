import fc from 'fast-check'
import { expect, test } from 'vitest'
import { answerNext } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { dial, type Message, type Peer, verifiedPeer } from '../support/peer.ts'
import { Recorded } from '../support/recorded.ts'

type Act = readonly ['right' | 'foreign' | 'leave', number]

const SOCKETS = 4
const acts = fc.array(
  fc.tuple(fc.constantFrom('right', 'foreign', 'leave'), fc.nat(SOCKETS - 1)) as fc.Arbitrary<Act>,
  { minLength: 4, maxLength: 10 },
)

test('[CHAL.2] W03 W08: verifies only the right answer to a connection’s own challenge, in any order of answers and departures', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  let run = 0
  await fc.assert(
    fc.asyncProperty(acts, async (order) => {
      run++
      const logins = await Promise.all(['ann', 'ann', 'bob', 'bob'].map((name) => at.token(name)))
      const peers = logins.map(({ accessToken }, index) => {
        // A separate address for each, so that none locks another out.
        const headers = { authorization: `Bearer ${accessToken}`, 'x-forwarded-for': `10.${run}.0.${index}` }
        return dial(at, { socketOptions: { headers } })
      })
      const challenges = await Promise.all(peers.map((peer) => peer.next('challenge')))
      const isOpen = peers.map(() => true)
      const isVerified = peers.map(() => false)
      for (const [act, index] of order) {
        const [peer, login] = [peers[index] as Peer, logins[index] as (typeof logins)[number]]
        if (!isOpen[index] || isVerified[index]) continue
        if (act === 'leave') {
          peer.socket.close()
          await peer.closed
          isOpen[index] = false
        } else if (act === 'right') {
          peer.answer(challenges[index] as Message, login)
          await peer.next('challenge_verified')
          isVerified[index] = true
        } else {
          peer.answer(challenges[(index + 1) % SOCKETS] as Message, login)
          const verdict = await Promise.race([peer.next('error'), peer.closed])
          expect(JSON.stringify(verdict)).toMatch(/challenge_(?:failed|locked)/)
          if (peer.socket.readyState !== peer.socket.OPEN || 'code' in verdict) isOpen[index] = false
          expect(peer.waiting.map(({ type }) => type)).not.toContain('challenge_verified')
        }
      }
      for (const peer of peers) peer.socket.terminate()
    }),
    { numRuns: 12 },
  )
})

test('[ROUTE.4] W03 W08: keeps the challenge and place of a new socket when an old one of its login closes', async () => {
  const at = await startBridge()
  const issued = await at.token('ann')
  const old = dial(at, { token: issued.accessToken })
  await old.next('challenge')
  const fresh = dial(at, { token: issued.accessToken })
  const challenge = await fresh.next('challenge')
  old.socket.close()
  await old.closed
  fresh.answer(challenge, issued)
  await fresh.next('challenge_verified')
  const call = at.bridge.callTool('user_ann', 's', 't')
  const { id } = await fresh.next('tool_execute')
  fresh.send({ type: 'tool_result', id, success: true, result: { content: [] } })
  expect(await call).toEqual({ content: [] })
})

test('[ROUTE.4] W08: routes calls to the first machine when the user’s second one leaves', async () => {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  const first = await verifiedPeer(at, await at.token('ann'))
  const second = await verifiedPeer(at, await at.token('ann'))
  second.socket.terminate()
  await expect.poll(() => log.named('ws_connection_closed')).toHaveLength(1)
  const call = at.bridge.callTool('user_ann', 's', 't')
  await answerNext(first, { content: [] })
  expect(await call).toEqual({ content: [] })
})

test('[CHAL.1] W03: sends each of 20 connections a different challenge', async () => {
  const at = await startBridge()
  const { accessToken } = await at.token('ann')
  const challenges = await Promise.all(
    Array.from(
      { length: 20 },
      async () => (await dial(at, { token: accessToken }).next('challenge')).challenge,
    ),
  )
  expect(new Set(challenges).size).toBe(20)
  for (const challenge of challenges) expect(challenge).toMatch(/^[0-9a-f]{64}$/)
})
