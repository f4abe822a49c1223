import { BridgeError, codes, limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { failed } from '../../src/calls/outcome.ts'
import { OneConnection } from '../support/one-connection.ts'

const RESULT = { type: 'tool_result', success: true, result: {} }
const OWN = { type: 'tool_execute', serverName: 's', toolName: 't', args: { x: 1 } }
const servers = (...names: string[]) => names.map((name) => ({ state: 'starting', name }))

async function ready() {
  const one = await new OneConnection().ready()
  one.uncounted.length = 0
  return one
}

test('[LOAD.6] charges each frame except answers, exchanges’ frames and counted calls', async () => {
  const one = await ready()
  const { id } = one.call()
  const free = [
    { ...RESULT, id },
    { ...OWN, id: 'own' },
    { type: 'accepted', id: 'x' },
  ]
  for (const frame of free) one.send(frame)
  expect(one.uncounted).toEqual([])
  const charged = [
    { type: 'ping' },
    { ...RESULT, id: 'unknown' },
    { type: 'catalog', servers: [] },
    { type: 'credit', id: 'x', bytes: 1 },
    { type: 'strange' },
  ]
  for (const frame of charged) one.send(frame)
  expect(one.uncounted).toEqual(charged.map((frame) => JSON.stringify(frame).length))
})

test('[LOAD.6] does not charge credit that a payload needs', async () => {
  const one = await ready()
  const { id } = one.call({ rawArgs: Buffer.from(`{"x":"${'x'.repeat(limits.messageBytes)}"}`) })
  one.send({ type: 'credit', id, bytes: 1 })
  expect(one.uncounted).toEqual([])
})

test('[LOAD.6] charges the arguments of an agent’s call that a gate refused, and no others', async () => {
  const one = await ready()
  for (const id of ['refused', 'failed', 'answered']) one.send({ ...OWN, id })
  expect(one.executed[0]?.call).toEqual({
    serverName: 's',
    toolName: 't',
    rawArgs: Buffer.from('{"x":1}'),
  })
  one.executed[0]?.settle(failed(new BridgeError('rate_limit_exceeded')))
  expect(one.uncounted).toEqual([7])
  one.executed[1]?.settle(failed(new BridgeError('agent_offline')))
  one.executed[2]?.settle({ kind: 'result', result: Buffer.from('1') })
  expect(one.uncounted).toEqual([7])
  expect(one.socket.answers).toEqual(['refused rate_limit_exceeded', 'failed agent_offline', 'answered 1'])
})

test('[CATALOG.1] [CATALOG.3] builds a catalog of the frames with `more`, and changes it by those with `only`', async () => {
  const one = await ready()
  const names = () => one.catalogs.map((catalog) => [...catalog.keys()].join())
  one.send({ type: 'catalog', servers: servers('a'), more: true })
  expect(names()).toEqual([])
  one.send({ type: 'catalog', servers: servers('b') })
  expect(names()).toEqual(['a,b'])
  one.send({ type: 'catalog', servers: servers('c'), only: true, more: true, removed: ['a'] })
  one.send({ type: 'catalog', servers: servers('d'), only: true })
  expect(names()).toEqual(['a,b', 'b,c,d'])
  one.send({ type: 'catalog', servers: servers('e'), only: false, more: false })
  expect(names().at(-1)).toBe('e')
})

test('[CATALOG.2] refuses a catalog that is too large once, and keeps the one before it', async () => {
  const one = await ready()
  one.send({ type: 'catalog', servers: servers('a') })
  const names = Array.from({ length: limits.serversPerAgent + 1 }, (_, n) => `s${n}`)
  one.send({ type: 'catalog', servers: servers(...names.slice(1)), more: true })
  one.send({ type: 'catalog', servers: servers('s0'), more: true })
  one.send({ type: 'catalog', servers: servers('s1') })
  expect(one.sent('error')).toMatchObject([
    {
      error: 'message_too_large',
      message: expect.stringMatching(/ A catalog has at most 8388608 bytes\.$/),
    },
  ])
  expect(one.catalogs).toHaveLength(1)
  one.send({ type: 'catalog', servers: servers('b'), only: true })
  expect([...(one.catalogs[1]?.keys() ?? [])]).toEqual(['a', 'b'])
})

test('[EXCH.4] an agent that is not verified ends no exchange by an unreadable frame', () => {
  const one = new OneConnection()
  one.send('{"type":"end","id":"x","message":{}}')
  expect([one.happened, one.sent('error')]).toMatchObject([[], [{ error: 'message_invalid' }]])
})

test('[MSG.2] answers a frame without detail with the text of its code', async () => {
  const one = await ready()
  one.connection.receive(Buffer.from('no chunk'), true)
  one.send({ type: 'reauthenticate', token: 'fresh' })
  const other = new OneConnection()
  other.connection.receive(Buffer.from('x'), true)
  other.send({ type: 'ping' })
  other.send({ type: 'challenge_response', response: 'no' })
  const errors = [...one.sent('error'), ...other.sent('error')]
  expect(errors.map(({ error }) => error)).toEqual([
    'message_not_text',
    'proof_required',
    'message_not_text',
    'challenge_required',
    'challenge_failed',
  ])
  for (const { error, message } of errors) expect(message).toBe(codes[error as keyof typeof codes].message)
})
