import { expect, test } from 'vitest'
import { FakeSystem } from '../../../test/support/fake-system.ts'
import { MAX_ENDED, McpSessions } from '../src/northbound/mcp-session.ts'
import { KeyRing } from '../src/tokens/key-ring.ts'

test('[SESS.7] remembers a bounded number of ended sessions', () => {
  const system = new FakeSystem()
  const sessions = new McpSessions(new KeyRing(undefined, system), system)
  const owner = { userId: 'ann', sessionId: 'login', scopes: undefined }
  const isKnown = (header: string): boolean =>
    !(sessions.find({ 'mcp-session-id': header }, owner) instanceof Error)
  const first = sessions.create(owner, [])
  expect(isKnown(first.header)).toBe(true)
  sessions.end(first.session, owner)
  expect(isKnown(first.header)).toBe(false)
  for (let count = 1; count < MAX_ENDED; count++) sessions.end({ id: String(count), traits: [] }, owner)
  expect(isKnown(first.header)).toBe(false)
  sessions.end({ id: 'one more', traits: [] }, owner)
  expect(isKnown(first.header)).toBe(true)
})

test('[SESS.7] remembers the ended sessions of a user although another one ends many', () => {
  const system = new FakeSystem()
  const sessions = new McpSessions(new KeyRing(undefined, system), system)
  const [ann, eve] = ['ann', 'eve'].map((userId) => ({ userId, sessionId: userId, scopes: undefined }))
  if (ann === undefined || eve === undefined) throw new Error('There are two.')
  const { header, session } = sessions.create(ann, [])
  sessions.end(session, ann)
  for (let count = 0; count <= MAX_ENDED; count++) sessions.end({ id: String(count), traits: [] }, eve)
  expect(sessions.find({ 'mcp-session-id': header }, ann)).toBeInstanceOf(Error)
})
