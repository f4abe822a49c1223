import { expect, test } from 'vitest'
import { CLIENT_VERSIONS, type Opening, shakeHands } from '../../src/servers/handshake.ts'
import { openings } from '../../src/servers/openings.ts'
import { settled } from '../support/fake-child.ts'
import { fakeTransport } from '../support/fake-transport.ts'

const BOTH: Opening = { eras: ['2025', '2026'], version: '2025-11-25', traits: [] }
const DISCOVERY: Opening = { ...BOTH, eras: ['2026'] }

type Reply = { readonly result: unknown } | { readonly error: unknown } | 'silence'

/** Shakes hands with a server that answers the requests in turn. */
async function meet(opening: Opening, ...replies: readonly Reply[]) {
  const { child, transport } = fakeTransport()
  const handshake = shakeHands(transport, opening)
  for (const reply of replies) {
    if (reply === 'silence') child.end(0)
    else child.write(JSON.stringify({ jsonrpc: '2.0', id: child.lines.at(-1)?.id, ...reply }))
    await settled()
  }
  return { handshake: await handshake, sent: child.lines.map(({ method, params }) => [method, params]) }
}

const clientInfo = { name: 'bridgekeeper', version: '0.1.0' }
const offer = (protocolVersion: string) => ['initialize', { protocolVersion, capabilities: {}, clientInfo }]
const discover = [
  'server/discover',
  {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': clientInfo,
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
]
const initialized = ['notifications/initialized', undefined]
const refusal = (message: string, code = -32_602) => ({ error: { code, message } })
const introduced = { result: { protocolVersion: '2025-06-18', capabilities: {} } }
const discovered = { result: { supportedVersions: ['x', '2026-07-28'], instructions: 'Be kind.' } }

test('[INST.1] introduces itself, takes the version of the server, and says that it is initialized', async () => {
  expect(await meet(BOTH, introduced)).toEqual({
    handshake: {
      ...{ ok: true, era: '2025', version: '2025-06-18', introduction: expect.anything() },
      raw: Buffer.from('{"protocolVersion":"2025-06-18","capabilities":{}}'),
    },
    sent: [offer('2025-11-25'), initialized],
  })
  expect(await meet(BOTH, { result: {} })).toMatchObject({ handshake: { version: '2025-11-25' } })
})

test('[INST.1] tries a server of the 2026 era by its revision', async () => {
  expect(await meet(DISCOVERY, discovered)).toMatchObject({
    handshake: { ok: true, era: '2026', version: '2026-07-28', introduction: { instructions: 'Be kind.' } },
    sent: [discover],
  })
  const reason = 'it does not speak revision 2026-07-28 of MCP'
  for (const result of [{}, { supportedVersions: ['2027-01-01'] }, { supportedVersions: '2026-07-28' }])
    expect(await meet(DISCOVERY, { result })).toMatchObject({
      handshake: { ok: false, answered: true, reason },
      sent: [discover],
    })
})

test.each<[string, Reply]>([
  ['the code of an unknown version', refusal('no', -32_022)],
  ['the code of an unknown method', refusal('no', -32_601)],
  ['the revision in its message', refusal('only 2026-07-28')],
  ['a missing envelope in its message', refusal('Invalid params: _meta is required', -32_602)],
  ['its first request in its message', refusal('call server/discover first', -32_000)],
])('[INST.1] tries the 2026 era of a server that refuses initialize with %s', async (_how, refused) => {
  expect(await meet(BOTH, refused, discovered)).toMatchObject({
    handshake: { ok: true, era: '2026' },
    sent: [offer('2025-11-25'), discover],
  })
  // If it refuses that too, it gets the oldest version.
  expect(await meet(BOTH, refused, refusal('no'), introduced)).toMatchObject({
    handshake: { ok: true, era: '2025' },
    sent: [offer('2025-11-25'), discover, offer('2024-11-05'), initialized],
  })
  expect(await meet({ ...BOTH, eras: ['2025'] }, refused, introduced)).toMatchObject({
    sent: [offer('2025-11-25'), offer('2024-11-05'), initialized],
  })
})

test('[INST.1] offers the newest version that a refusal names, or the oldest one, once', async () => {
  const names = (text: string) => meet(BOTH, refusal(text), introduced)
  expect((await names('try 2024-11-05 or 2025-03-26, not 2025-11-25')).sent[1]).toEqual(offer('2025-03-26'))
  expect((await names('2025-06-18 or 2026-07-28')).sent[1]).toEqual(offer('2025-06-18'))
  expect((await names('not 2025-11-25')).sent[1]).toEqual(offer('2024-11-05'))
  const oldest = { ...BOTH, version: '2024-11-05' } as const
  expect(await meet(oldest, refusal('not 2024-11-05'))).toEqual({
    handshake: {
      ...{ ok: false, answered: true },
      reason: 'it refused to be initialized: not 2024-11-05',
    },
    sent: [offer('2024-11-05')],
  })
})

test('[INST.1] gives the reason of the first refusal when a second offer is refused', async () => {
  const { handshake } = await meet(BOTH, refusal('first'), refusal('second'))
  expect(handshake).toEqual({
    ...{ ok: false, answered: true, reason: 'it refused to be initialized: first' },
  })
  expect((await meet(BOTH, refusal('first'), { result: {} })).handshake).toMatchObject({
    version: '2024-11-05',
  })
})

test('[INST.1] tells a refusal from an end without an answer', async () => {
  expect((await meet(BOTH, 'silence')).handshake).toEqual({
    ...{ ok: false, answered: false, reason: 'it did not answer initialize' },
  })
  expect((await meet(DISCOVERY, 'silence')).handshake).toEqual({
    ...{ ok: false, answered: false, reason: 'it did not answer server/discover' },
  })
  expect((await meet(BOTH, { result: [] })).handshake).toEqual({
    ...{ ok: false, answered: true, reason: 'it refused to be initialized: its result is not an object' },
  })
})

test('[INST.1] tries each way to approach the first process in turn, and only that of the chosen era', () => {
  const ways = (era: Parameters<typeof openings>[0]) =>
    openings(era, ['roots']).map(({ eras, version, traits }) => [eras.join(), version, traits.join()])
  const discovery = ['2026', '2025-11-25', 'roots']
  expect(ways(undefined)).toEqual([
    ['2025,2026', '2025-11-25', 'roots'],
    ['2025,2026', '2024-11-05', 'roots'],
    discovery,
  ])
  expect(ways('2025')).toEqual([
    ['2025', '2025-11-25', 'roots'],
    ['2025', '2024-11-05', 'roots'],
  ])
  expect(ways('2026')).toEqual([discovery])
})

test('[INST.1] accepts clients of each published revision, and of one from before the first release', () => {
  expect(CLIENT_VERSIONS).toEqual(['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07'])
})
