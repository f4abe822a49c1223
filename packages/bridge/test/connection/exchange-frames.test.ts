import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { OneConnection } from '../support/one-connection.ts'

const ACCEPTED = { type: 'accepted', id: 'x' }

test('[EXCH.2] passes frames of exchanges on once the agent is verified, and none before', async () => {
  const one = new OneConnection()
  one.send(ACCEPTED)
  expect([one.frames, one.sent('error')]).toMatchObject([[], [{ error: 'challenge_required' }]])
  await one.ready()
  one.send(ACCEPTED)
  one.send('{"type":"message","id":"x","number":1,"message":{ "a":1 }}')
  one.send('{"type":"end","id":"x","status":200,"message":{"b":2}}')
  expect(
    one.frames.map((frame) => ({ ...frame, message: 'message' in frame && String(frame.message) })),
  ).toEqual([
    { ...ACCEPTED, message: false },
    { type: 'message', id: 'x', number: 1, message: '{ "a":1 }' },
    { type: 'end', id: 'x', status: 200, message: '{"b":2}' },
  ])
})

test('[EXCH.11] a v1 agent has no frames of exchanges', async () => {
  const one = await new OneConnection({ version: 'v1' }).ready()
  one.send(ACCEPTED)
  expect([one.frames, one.sent('error')]).toMatchObject([[], [{ error: 'message_type_unknown' }]])
})

test('[EXCH.9] sends frames only while the connection is open', async () => {
  const one = new OneConnection()
  const send = () => one.connection.send(Buffer.from('{"type":"cancel","id":"x"}'))
  send()
  await one.ready()
  send()
  expect(one.sent('cancel')).toHaveLength(1)
  one.connection.drain()
  send()
  expect(one.sent('cancel')).toHaveLength(1)
})

test('[EXCH.7] a connection knows whether its agent reads too slowly', async () => {
  const { connection } = await new OneConnection().ready()
  expect(connection.isSlow).toBe(false)
  connection.slow = true
  expect(connection.isSlow).toBe(true)
})

test.each([
  [
    'is too large',
    `{"type":"end","id":"x","status":200,"message":"${'x'.repeat(limits.messageBytes)}"}`,
    'result_too_large',
  ],
  ['has no status', '{"type":"end","id":"x","message":{}}', 'result_invalid'],
])('[EXCH.4] reports the exchange of an end that %s', async (_title, frame, code) => {
  const one = await new OneConnection().ready()
  one.send(frame)
  expect(one.happened).toContain(`end of x refused: ${code}`)
})

test('[EXCH.4] an exchange does not end with a message that could not be read', async () => {
  const one = await new OneConnection().ready()
  one.send(`{"type":"message","id":"x","message":{"x":"${'x'.repeat(limits.messageBytes)}"}}`)
  one.send('{"type":"message","id":"x","number":-1}')
  expect(one.happened.filter((what) => what.includes('refused'))).toEqual([])
})
