import { CALLER_SCOPES, SCOPE_FORMS } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { exchangeAuthorityGate, ruleOf } from '../../src/gates/call-authority.ts'

const FREE = [
  'initialize',
  'ping',
  'server/discover',
  'subscriptions/listen',
  'logging/setLevel',
  'tools/list',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/update',
  'tasks/cancel',
]
const SCOPED = [
  ['tools/call', 'tools:call:s/t'],
  ['prompts/list', 'prompts:read'],
  ['prompts/get', 'prompts:read'],
  ['resources/list', 'resources:read'],
  ['resources/templates/list', 'resources:read'],
  ['resources/read', 'resources:read'],
  ['resources/subscribe', 'resources:read'],
  ['resources/unsubscribe', 'resources:read'],
  ['completion/complete', 'completion:use'],
] as const

const allowed = (scopes: readonly string[] | undefined, method: string | undefined) =>
  exchangeAuthorityGate(scopes, { serverName: 's', method, name: 't' }).allowed

test.each(FREE)('[SCOPE.4] any token may send %s', (method) => {
  for (const scopes of [undefined, [], ['tools:call:s/t']]) expect(allowed(scopes, method)).toBe(true)
})

test('[SCOPE.4] any token may send notifications and answers, and read streams', () => {
  for (const scopes of [undefined, [], ['tools:list']]) expect(allowed(scopes, undefined)).toBe(true)
})

test.each(SCOPED)('[SCOPE.4] a token with scopes sends %s only with %s', (method, scope) => {
  expect(allowed(undefined, method)).toBe(true)
  expect(allowed([scope], method)).toBe(true)
  const others = ['tools:call:s/other', ...CALLER_SCOPES, 'agent:connect', '*', ''].filter(
    (other) => other !== scope && !(method === 'tools/call' && other === 'tools:call:*/*'),
  )
  expect(exchangeAuthorityGate(others, { serverName: 's', method, name: 't' })).toEqual({
    allowed: false,
    code: 'scope_insufficient',
    detail: `Needed: ${scope}`,
  })
})

test('[SCOPE.4] a call without a tool name needs the right to call every tool of its server', () => {
  const call = { serverName: 's', method: 'tools/call', name: undefined }
  expect(exchangeAuthorityGate(['tools:call:s/*'], call).allowed).toBe(true)
  expect(exchangeAuthorityGate(['tools:call:s/t'], call).allowed).toBe(false)
})

test.each(['vendor/anything', 'tools/call ', 'Tools/Call', 'prompts', '__proto__', 'constructor', ''])(
  '[SCOPE.4] only a token with all scopes of callers may send the unknown method %j',
  (method) => {
    expect(allowed(undefined, method)).toBe(true)
    expect(allowed(CALLER_SCOPES, method)).toBe(true)
    for (const missing of CALLER_SCOPES)
      expect(
        allowed(
          CALLER_SCOPES.filter((scope) => scope !== missing),
          method,
        ),
      ).toBe(false)
    expect(allowed(['*'], method)).toBe(false)
  },
)

test('[RATE.10] counts what reads or runs something, and every unknown method', () => {
  const methods = [...FREE, ...SCOPED.map(([method]) => method), 'vendor/anything', undefined]
  expect(methods.filter((method) => ruleOf(method).isCounted)).toEqual([
    'tools/call',
    'prompts/get',
    'resources/read',
    'vendor/anything',
  ])
})

test('[SCOPE.4] the new scopes are among those that a token can have', () => {
  for (const scope of ['prompts:read', 'resources:read', 'completion:use'])
    expect(SCOPE_FORMS).toContain(scope)
})

test('[SCOPE.4] a token with scopes subscribes to resources only with resources:read, in any spelling', () => {
  const listens = (scopes: readonly string[] | undefined, notifications: string) => {
    const message = Buffer.from(`{"params":{"notifications":${notifications}}}`)
    const asked = { serverName: 's', method: 'subscriptions/listen', name: undefined, message }
    return exchangeAuthorityGate(scopes, asked).allowed
  }
  for (const none of ['{}', '{"toolsListChanged":true}', '{"resourceSubscriptions":[ ]}', 'null'])
    expect(listens([], none), none).toBe(true)
  for (const some of [
    '{"resourceSubscriptions":["x://1"]}',
    '{"resource\\u0053ubscriptions":["x://1"]}',
    '{"resourceSubscriptions":[],"resourceSubscriptions":["x://1"]}',
    '{"resourceSubscriptions":"x://1"}',
  ]) {
    expect(listens(['tools:list', 'prompts:read'], some), some).toBe(false)
    expect([listens(undefined, some), listens(['resources:read'], some)], some).toEqual([true, true])
  }
})
