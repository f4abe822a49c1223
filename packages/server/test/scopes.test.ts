import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  allowsCall,
  allowsConnect,
  allowsList,
  formatScope,
  parseScope,
  parseScopes,
  splitScopes,
} from '../src/identity/scopes.ts'

test('[AUTH.14] a call scope allows its server and tool, a star any of them, and nothing else', () => {
  const scopes = parseScopes(['tools:call:memory/read_graph', 'tools:call:files/*', 'tools:call:*/ping'])
  const allowed = (server: string, tool: string) => allowsCall(scopes, server, tool)
  expect(allowed('memory', 'read_graph')).toBe(true)
  expect(allowed('memory', 'delete_all')).toBe(false)
  expect(allowed('memory2', 'read_graph')).toBe(false)
  expect(allowed('files', 'anything/at all')).toBe(true)
  expect(allowed('other', 'ping')).toBe(true)
  expect(allowed('*', 'read_graph')).toBe(false)
  expect([allowsList(scopes), allowsConnect(scopes)]).toEqual([false, false])
})

test('[AUTH.14] without scopes everything is allowed, with an empty list nothing', () => {
  for (const [scopes, expected] of [
    [undefined, true],
    [[], false],
    [parseScopes(['openid', 'tools:*', 'tools:call:*', 'TOOLS:LIST', 'tools:call:a/b/c']), false],
  ] as const) {
    expect([allowsCall(scopes, 'a', 'b'), allowsList(scopes), allowsConnect(scopes)]).toEqual([
      expected,
      expected,
      expected,
    ])
  }
})

test('[AUTH.14] any names survive being written into a claim and read back', () => {
  const name = fc.oneof(fc.string({ minLength: 1, unit: 'binary' }), fc.constantFrom('*', 'a/b', '%2A', ' '))
  fc.assert(
    fc.property(
      name.filter((text) => text.isWellFormed()),
      name.filter((text) => text.isWellFormed()),
      (serverName, toolName) => {
        const scope = { kind: 'tools_call', serverName, toolName } as const
        const claim = `tools:list ${formatScope(scope)} agent:connect`
        expect(parseScopes(splitScopes(claim))).toEqual([
          { kind: 'tools_list' },
          scope,
          { kind: 'agent_connect' },
        ])
      },
    ),
  )
})

test.each([
  'tools:call:',
  'tools:call:a',
  'tools:call:/b',
  'tools:call:a/',
  'tools:call:a*/b',
  'tools:call:a/b*',
  'tools:call:a/%',
  'tools:call:a/%ff',
  'tools:call:ä/b',
  'tools:call:a/"',
  'agent:connect ',
])('[AUTH.14] %j is no scope', (text) => {
  expect(parseScope(text)).toBeUndefined()
})
