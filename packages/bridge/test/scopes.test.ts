import fc from 'fast-check'
import { expect, test } from 'vitest'
import { callScope, mayCall } from '../src/gates/call-authority.ts'
import { canonicalScope, readScopes } from '../src/tokens/scopes.ts'

test('[AUTH.14] a call scope allows its server and tool, or any by a star, and nothing else', () => {
  const scopes = readScopes('tools:call:memory/read_graph tools:call:files/* tools:call:*/ping')
  const allowed = (server: string, tool: string) => mayCall(scopes, server, tool)
  expect(allowed('memory', 'read_graph')).toBe(true)
  expect(allowed('memory', 'delete_all')).toBe(false)
  expect(allowed('memory2', 'read_graph')).toBe(false)
  expect(allowed('files', 'anything/at all')).toBe(true)
  expect(allowed('other', 'ping')).toBe(true)
  expect(allowed('*', 'read_graph')).toBe(false)
})

test('[AUTH.14] ignores unknown scopes', () => {
  expect(readScopes('openid  tools:* tools:call:* TOOLS:LIST tools:call:a/b/c')).toEqual([])
})

test('[AUTH.14] encodes a name as one scope that the gate accepts', () => {
  const name = fc
    .oneof(fc.string({ minLength: 1, unit: 'binary' }), fc.constantFrom('*', 'a/b', '%2A', ' ', 'ä'))
    .filter((text) => text.isWellFormed())
  const everyByte = (text: string) =>
    [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
  fc.assert(
    fc.property(name, name, (server, tool) => {
      const plain = callScope(server, tool)
      expect(canonicalScope(plain)).toBe(plain)
      expect(canonicalScope(`tools:call:${everyByte(server)}/${everyByte(tool)}`)).toBe(plain)
      expect(mayCall(readScopes(`tools:list ${plain} agent:connect`), server, tool)).toBe(true)
    }),
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
])('[AUTH.14] refuses the scope %j', (text) => {
  expect(canonicalScope(text)).toBeUndefined()
})
