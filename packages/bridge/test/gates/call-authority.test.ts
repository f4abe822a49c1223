import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  callAuthorityGate,
  callScope,
  connectAuthorityGate,
  identityText,
  mayCall,
  mayKnow,
  mayList,
  scopeName,
} from '../../src/gates/call-authority.ts'

/** Names that look like parts of a scope. */
const ODD = [
  'a',
  'a/b',
  'b',
  '*',
  '%2A',
  '%',
  ' ',
  'a b',
  '/',
  '',
  '..',
  'ä',
  'a%2Fb',
  ':',
  'tools:call:*/*',
  '\ud800',
  '\ufffd',
  '%uD800',
]
const oddName = fc.oneof(fc.constantFrom(...ODD), fc.string({ maxLength: 6 }))

test('[SCOPE.1] allows everything without scopes, and nothing with an empty list', () => {
  expect(callAuthorityGate(undefined, 's', 't')).toEqual({ allowed: true, value: undefined })
  expect(callAuthorityGate([], 's', 't')).toEqual({
    allowed: false,
    code: 'scope_insufficient',
    detail: 'Needed: tools:call:s/t',
  })
})

test.each<[string, boolean]>([
  ['tools:call:files/read', true],
  ['tools:call:files/*', true],
  ['tools:call:*/*', true],
  ['tools:call:files/write', false],
  ['tools:call:mail/*', false],
  ['tools:call:*/read', true],
  ['tools:call:*/write', false],
  ['tools:call:*', false],
  ['tools:call:files', false],
  ['tools:call:files/read ', false],
  ['TOOLS:CALL:FILES/READ', false],
  ['tools:call:files/rea', false],
  ['tools:call:files/%72ead', false],
  ['tools:list', false],
  ['agent:connect', false],
  ['*', false],
  ['', false],
])('[SCOPE.1] matches the scope %j against files/read: %j', (scope, may) => {
  expect(mayCall([scope], 'files', 'read')).toBe(may)
  expect(callAuthorityGate([scope, 'other'], 'files', 'read').allowed).toBe(may)
})

test('[SCOPE.1] each name gives one scope, and no scope names two tools', () => {
  fc.assert(
    fc.property(oddName, oddName, oddName, oddName, (server, tool, otherServer, otherTool) => {
      const isSame = server === otherServer && tool === otherTool
      expect(mayCall([callScope(server, tool)], otherServer, otherTool)).toBe(isSame)
      expect(mayCall([`tools:call:${scopeName(server)}/*`], otherServer, otherTool)).toBe(
        server === otherServer,
      )
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  ['*', 'x', 'tools:call:%2A/x'],
  ['a/b', 'c d', 'tools:call:a%2Fb/c%20d'],
  ['100%', '**', 'tools:call:100%25/%2A%2A'],
])('[SCOPE.1] the scope of %j and %j is %s', (server, tool, scope) => {
  expect(callScope(server, tool)).toBe(scope)
})

test('[SCOPE.1] judges a name with half a character like any other, without throwing', () => {
  expect(callAuthorityGate(['tools:call:s/t'], 'a\udc00b', 't')).toEqual({
    allowed: false,
    code: 'scope_insufficient',
    detail: 'Needed: tools:call:a%uDC00b/t',
  })
  expect(mayCall(['tools:call:*/*'], '\ud800', 't')).toBe(true)
})

test('[SCOPE.2] lists callable tools, or all with tools:list', () => {
  expect(mayList(undefined, 's', 't')).toBe(true)
  expect(mayList(['tools:list'], 's', 't')).toBe(true)
  expect(mayList(['tools:call:s/t'], 's', 't')).toBe(true)
  expect(mayList(['tools:call:s/t', 'agent:connect'], 's', 'u')).toBe(false)
  expect(mayList([], 's', 't')).toBe(false)
})

test('[SCOPE.3] lets a scoped token connect as an agent with agent:connect only', () => {
  expect(connectAuthorityGate(undefined)).toMatchObject({ allowed: true })
  expect(connectAuthorityGate(['tools:list', 'agent:connect'])).toMatchObject({ allowed: true })
  for (const scopes of [[], ['tools:call:*/*'], ['agent:connect ', 'agent'], ['tools:list']])
    expect(connectAuthorityGate(scopes)).toEqual({
      allowed: false,
      code: 'scope_insufficient',
      detail: 'Needed: agent:connect',
    })
})

test.each([
  [undefined, true],
  [['tools:list'], true],
  [['tools:call:notes/read'], true],
  [['tools:call:notes/*'], true],
  [['tools:call:*/read'], true],
  [['tools:call:note/read', 'tools:call:notes2/*', 'agent:connect', 'prompts:read'], false],
  [[], false],
])('[AGG.6] lets a token with the scopes %j know of a server: %s', (scopes, expected) => {
  expect(mayKnow(scopes, 'notes')).toBe(expected)
})

test('[SCOPE.5] distinguishes logins, and tokens of one login by their scopes in any order', () => {
  const login = { userId: 'ann', sessionId: 's' }
  const scoped = (...scopes: string[]): string => identityText({ ...login, scopes })
  expect(identityText(login)).toBe(identityText({ ...login, scopes: undefined }))
  expect(scoped('b', 'a', 'b')).toBe(scoped('a', 'b'))
  const texts = [
    identityText(login),
    identityText({ ...login, userId: 'bob' }),
    identityText({ ...login, sessionId: 't' }),
    ...[scoped(), scoped('a'), scoped('a', 'b'), scoped('a b')],
  ]
  expect(new Set(texts).size).toBe(texts.length)
})
