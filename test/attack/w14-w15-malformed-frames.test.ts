import { createHash } from 'node:crypto'
import type { IssuedToken } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { startBridge, type TestBridge } from '../support/bridge.ts'
import { verifiedPeer } from '../support/peer.ts'
import { frame, type RawClient, rawUpgrade } from '../support/raw.ts'

const NOTHING = Buffer.alloc(0)

/** Malformed frames (RFC 6455 sections 5.2 to 5.5, 7.4, 8.1), and their close codes. */
const malformed: Readonly<Record<string, readonly [bytes: Buffer, code: number]>> = {
  'RSV1 set': [frame('x', { rsv: 4 }), 1002],
  'RSV2 set': [frame('x', { rsv: 2 }), 1002],
  'RSV3 set': [frame('x', { rsv: 1 }), 1002],
  'all reserved bits on an empty frame': [frame(NOTHING, { rsv: 7 }), 1002],
  'opcode 3': [frame(NOTHING, { opcode: 3 }), 1002],
  'opcode 7': [frame(NOTHING, { opcode: 7 }), 1002],
  'control opcode 11': [frame(NOTHING, { opcode: 11 }), 1002],
  'control opcode 15': [frame(NOTHING, { opcode: 15 }), 1002],
  'not masked': [frame('{"type":"ping"}', { masked: false }), 1002],
  'an unmasked ping': [frame(NOTHING, { opcode: 9, masked: false }), 1002],
  'a ping over 125 bytes': [Buffer.from([0x89, 0xfe, 0x00, 0x7e, 0, 0, 0, 0]), 1002],
  'a ping in fragments': [frame(NOTHING, { opcode: 9, fin: false }), 1002],
  'a close in fragments': [frame(NOTHING, { opcode: 8, fin: false }), 1002],
  'continuation of nothing': [frame('x', { opcode: 0 }), 1002],
  'a message within a message': [
    Buffer.concat([frame('a', { fin: false }), frame('b', { fin: false })]),
    1002,
  ],
  'a length over 2^53': [Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), 1009],
  'a length over the limit': [Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x00, 0x50, 0, 0]), 1009],
  'broken UTF-8': [frame(Buffer.from([0xc3, 0x28])), 1007],
  'half a surrogate in UTF-8': [frame(Buffer.from([0xed, 0xa0, 0x80])), 1007],
  'half a close code': [frame(Buffer.from([0x03]), { opcode: 8 }), 1002],
  'close code 999': [frame(Buffer.from([0x03, 0xe7]), { opcode: 8 }), 1002],
  'close code 1005': [frame(Buffer.from([0x03, 0xed]), { opcode: 8 }), 1002],
  'close code 65535': [frame(Buffer.from([0xff, 0xff]), { opcode: 8 }), 1002],
  'a close reason in broken UTF-8': [frame(Buffer.from([0x03, 0xe8, 0xff, 0xfe]), { opcode: 8 }), 1007],
}

type Reach = (at: TestBridge, login: IssuedToken) => Promise<RawClient>

const states: Readonly<Record<string, Reach>> = {
  'refused, close frame unanswered': async (at) => {
    const client = await rawUpgrade(at, { v2: false })
    await client.closing()
    return client
  },
  'challenge open': async (at, { accessToken }) => {
    const client = await rawUpgrade(at, { token: accessToken })
    await client.message('challenge')
    return client
  },
  ready: (at, login) => verifiedRaw(at, login),
}

async function verifiedRaw(at: TestBridge, login: IssuedToken): Promise<RawClient> {
  const client = await rawUpgrade(at, { token: login.accessToken })
  const { challenge } = await client.message('challenge')
  client.write(frame(JSON.stringify({ type: 'challenge_response', response: answerTo(challenge, login) })))
  await client.message('challenge_verified')
  return client
}

function answerTo(challenge: unknown, { userId, sessionId }: IssuedToken): string {
  return createHash('sha256').update(`${challenge}${userId}${sessionId}`).digest('hex')
}

const manyHandshakes = {
  connectionLimits: {
    inAll: 100,
    perAddress: 100,
    perUser: 100,
    handshakes: 10_000,
    handshakeWindowMs: 60_000,
  },
  addressFailures: { failures: 10_000, windowMs: 60_000, blockMs: 1 },
}

for (const [state, reach] of Object.entries(states)) {
  test(`[WS.4] W14: malformed frames of a peer (${state}) close that socket and no other`, async () => {
    const at = await startBridge(manyHandshakes)
    const bystander = await verifiedPeer(at, await at.token('bob'))
    for (const [name, [bytes, code]] of Object.entries(malformed)) {
      const client = await reach(at, await at.token('ann'))
      client.write(bytes)
      await client.ended
      if (!state.startsWith('refused')) expect((await client.closing())?.code, name).toBe(code)
    }
    const call = at.bridge.callTool('user_bob', 's', 't')
    const { id } = await bystander.next('tool_execute')
    bystander.send({ type: 'tool_result', id, success: true, result: { content: [] } })
    expect(await call).toEqual({ content: [] })
  })
}

test('[WS.4] W14: keeps other sockets when one sends non-WebSocket bytes or resets within a frame', async () => {
  const at = await startBridge(manyHandshakes)
  const bystander = await verifiedPeer(at, await at.token('bob'))
  const login = await at.token('ann')
  for (const reach of Object.values(states)) {
    const noise = await reach(at, login)
    noise.write(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))
    await noise.ended
    const torn = await reach(at, login)
    torn.write(frame('{"type":"ping"}').subarray(0, 9))
    torn.socket.resetAndDestroy()
    await torn.ended
  }
  bystander.send({ type: 'ping' })
  await bystander.next('pong')
})

test('[STATE.2] W15: handles answers and endings that arrive in one packet in order', async () => {
  const at = await startBridge(manyHandshakes)
  const wrong = frame(JSON.stringify({ type: 'challenge_response', response: 'f'.repeat(64) }))
  const close = frame(Buffer.from([0x03, 0xe8]), { opcode: 8 })
  const right = (challenge: unknown, login: IssuedToken) =>
    frame(JSON.stringify({ type: 'challenge_response', response: answerTo(challenge, login) }))
  const packets: Readonly<Record<string, (challenge: unknown, login: IssuedToken) => Buffer[]>> = {
    'a closing, then right': (...of) => [close, right(...of)],
    'a broken frame, then right': (...of) => [frame('x', { rsv: 7 }), right(...of)],
    'three wrong, then right': (...of) => [wrong, wrong, wrong, right(...of)],
  }
  for (const [name, packet] of Object.entries(packets)) {
    const login = await at.token('ann')
    const client = await rawUpgrade(at, { token: login.accessToken })
    const { challenge } = await client.message('challenge')
    client.write(Buffer.concat(packet(challenge, login)))
    await client.ended
    expect(client.received.toString('latin1'), name).not.toContain('challenge_verified')
    await expect(at.bridge.callTool('user_ann', 's', 't'), name).rejects.toMatchObject({
      code: 'agent_offline',
    })
  }
})
