import { BridgeError, limits, type OutgoingFrame } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import type { Opening } from '../../src/exchanges/exchange.ts'
import { openFrame } from '../../src/exchanges/open-frame.ts'
import { REQUEST, SESSION } from '../support/exchange-world.ts'

const ID = 'A'.repeat(22)

function frameOf(changes: Partial<Opening>): OutgoingFrame {
  const frame = openFrame(ID, { ...REQUEST, ...changes }, 'client')
  if (frame instanceof BridgeError) throw frame
  return frame
}

function errorOf(changes: Partial<Opening>): BridgeError {
  const frame = openFrame(ID, { ...REQUEST, ...changes }, 'client')
  if (!(frame instanceof BridgeError)) throw new Error('The exchange was not refused.')
  return frame
}

test('[EXCH.3] opens a stream without a message, after the last number that the caller has', () => {
  const { message: _none, ...stream } = { ...REQUEST, kind: 'stream' as const }
  const opening = {
    ...stream,
    session: SESSION,
    streams: false,
    resume: { id: 'earlier', after: 7 },
    params: { region: 'eu' },
  }
  const frame = openFrame(ID, opening, 'client')
  expect(frame).toMatchObject({ id: ID, isLast: true })
  expect(JSON.parse(String('head' in frame && frame.head))).toEqual({
    type: 'open',
    id: ID,
    server: 's',
    kind: 'stream',
    era: '2025',
    client: 'client',
    version: '2025-11-25',
    session: SESSION,
    streams: false,
    resume: { id: 'earlier', after: 7 },
    params: { region: 'eu' },
  })
})

test('[EXCH.8] names the member of an exchange that is invalid', () => {
  expect(errorOf({ version: 'x'.repeat(65) }).message).toMatch(/ version$/)
  expect(errorOf({ resume: { id: 'earlier', after: -1 } }).message).toMatch(/ resume\.after$/)
})

test('[EXCH.8] accepts a message of exactly 64 MiB, and reads it', () => {
  // It is long enough to show that the limit includes it, and no JSON, so that reading it takes no time.
  expect(errorOf({ message: Buffer.alloc(limits.payloadBytes, '{') }).code).toBe('request_invalid')
})

test('[EXCH.8] refuses headers of a caller that do not fit into one frame', () => {
  expect(errorOf({ params: { region: 'x'.repeat(limits.messageBytes) } }).code).toBe('arguments_too_large')
  expect(frameOf({ params: { region: 'x'.repeat(1_000) } }).payload).toBeUndefined()
})
