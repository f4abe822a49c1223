import { expect, test } from 'vitest'
import { parseConfig } from '../src/index.ts'
import { beside, ENV, GOOD } from './support/entries.ts'

test.each([
  ...[true, 'true', ' TRUE ', 1, '1', 'yes', 'on'].map((disabled) => ({ disabled })),
  ...[false, 'false', 0, '0', 'no', 'Off'].map((enabled) => ({ enabled })),
  ...[{ isActive: false }, { active: 'no' }, { Disabled: true }, { is_disabled: 1 }, { enable: false }],
  ...[{ inactive: true }, { off: 'yes' }, { paused: true }, { skip: 1 }, { 'enabled ': false }],
  ...[
    { disabled: true, enabled: true },
    { enabled: false, disabled: 'maybe' },
  ],
])('[CONFIG.6] disables an entry in every spelling: %j', (more) => {
  expect(beside({ command: 'x', ...more })).toBeUndefined()
})

test.each([
  ...[false, 'false', 0, 'no', null].map((disabled) => ({ disabled })),
  ...[true, 'true', 1, 'on', null].map((enabled) => ({ enabled })),
])('[CONFIG.6] enables an entry in every spelling: %j', (more) => {
  expect(beside({ command: 'x', ...more })).toMatchObject({ kind: 'stdio' })
})

test.each([{ disabled: 'maybe' }, { disabled: '' }, { enabled: 2 }, { enabled: ['true'] }, { disabled: {} }])(
  '[CONFIG.6] starts nothing for an ambiguous switch, and reports it: %j',
  (more) => {
    const message = expect.stringContaining(`${Object.keys(more)[0]}: must be true or false`)
    expect(beside({ command: 'x', ...more })).toMatchObject({ kind: 'unusable', error: { message } })
  },
)

test('[CONFIG.6] ignores an entry whose name begins like a comment', () => {
  const text = `{"mcpServers":{"// old":{"command":"x"},"//":"text","/* a */":{"command":"x"},"a//b":{"command":"x"},${GOOD}}}`
  expect(parseConfig(text, ENV, '/').map(({ name }) => name)).toEqual(['a//b', 'good'])
})

test('[CONFIG.6] ignores a text beside the servers whose name is that of a comment', () => {
  const text = `{"mcpServers":{"_comment":"x","$schema":"https://x","comment":"x","_b":{"command":"x"},${GOOD}}}`
  expect(parseConfig(text, ENV, '/').map(({ name }) => name)).toEqual(['_b', 'good'])
})

test.each([
  ['"mcp":{"excluded":["b"]}', ['a']],
  ['"mcp":{"excluded":"b"}', ['a']],
  ['"excludeMCPServers":["b","none"]', ['a']],
  ['"mcp":{"allowed":["a","b"],"excluded":["b"]}', ['a']],
  ['"allowMCPServers":["b"]', ['b']],
  ['"mcp":{"allowed":[],"excluded":null}', ['a', 'b']],
])('[CONFIG.6] starts only what the lists of the file let run: %s', (lists, names) => {
  const text = `{${lists},"mcpServers":{"a":{"command":"x"},"b":{"command":"x"}}}`
  expect(parseConfig(text, ENV, '/').map(({ name }) => name)).toEqual(names)
})

test('[CONFIG.6] starts nothing if a list of servers is invalid', () => {
  const servers = '"mcpServers":{"a":{"command":"x"}}'
  for (const lists of ['"mcp":{"excluded":true}', '"allowMCPServers":[1]', '"excludeMCPServers":{"a":true}'])
    expect(() => parseConfig(`{${lists},${servers}}`, ENV, '/')).toThrow(/in line 1, is not a list of names/)
  const openCode = '{"mcp":{"allowed":{"type":"local","command":["x"]}}}'
  expect(parseConfig(openCode, ENV, '/')).toMatchObject([{ name: 'allowed', command: 'x' }])
})

test('[CONFIG.6] fails with an error when every server is off', () => {
  expect(() => parseConfig('{"mcpServers":{"a":{"enabled":0}}}', ENV, '/')).toThrow(/is disabled/)
})
